"""What k workers make of a program, and how long it takes them: a model of the engine's schedule, command by command.

Group g belongs to worker g mod k. Each worker goes through a batch in order. A command whose groups are one worker's costs that
worker its time. One with several owners makes them meet: the lowest-numbered executes it once all have arrived, goes on with what
follows as long as another such command is near (combining barriers), and then lets the others go on. A batch may be executed by
one worker alone, which waits for the others and has no meetings. Batches follow each other without a pause.

The commands are gone through once, in order, with a clock a worker: some nanoseconds a command, whatever the number of workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdep.compiled import compiled

_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
"""Times a single bit, the upper six bits of the product are another number for each (Leiserson, Prokop and Randall, 1998)."""
LOOK_AHEAD = 8
"""Rows within which the next meeting must stand for the engine to go on to it: its default, the most that it takes."""
MEETING_NS = 200.0
"""About what a meeting takes, between processors that share no core; the rows that are best differ little from 100 to 400."""
GROUPS = 64


def rows_ahead(command_ns: float, most: int) -> int:
    """Rows within which the next meeting must stand to go on to it, for commands of so many ns; `most` where that is unknown, 0.

    Who goes on saves a meeting, and executes by itself what lies between: of g commands others would have had about g / 2. One
    command between two meetings is nobody's gain, hence two rows where commands cost more than meetings; and two more for each
    time that a meeting is worth a command. The model says the same of all rows from 0 to 32: commands of 20 to 20,000 ns, 5 to
    50 % of them meetings.
    """
    return min(most, 2 + int(2 * MEETING_NS / command_ns)) if command_ns > 0 else most


@dataclass(frozen=True, slots=True)
class BarrierCosts:
    """What parallel execution costs besides the commands, in nanoseconds.

    `row_ns`: more a command, for finding the worker's next one. `batch_ns`: a batch, for each worker in it. `meet_ns`: from the
    last owner's arrival until the executor goes on. `resume_ns`: from its letting go until another goes on. Who waits for longer
    than `spin_ns` sleeps, and is awake again `wake_ns` later; waking it takes the other one `call_ns`.
    """

    row_ns: float = 0.0
    batch_ns: float = 0.0
    meet_ns: float = 0.0
    resume_ns: float = 0.0
    spin_ns: float = float("inf")
    wake_ns: float = 0.0
    call_ns: float = 0.0

    def column(self) -> NDArray[np.float64]:
        """As compiled code takes them."""
        return np.array(
            [self.row_ns, self.batch_ns, self.meet_ns, self.resume_ns, self.spin_ns, self.wake_ns, self.call_ns]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """`total_ns`: until the last worker has done its part. `idle_ns`: of each worker, waiting for others at a command; `left_ns`:
    having nothing left to do while others have.

    `waited_ns`: by command, what workers have waited at it. `took_ns`: by batch, from the end of the one before, for all
    workers, to its own. `meetings`: how often workers met.
    """

    total_ns: float
    idle_ns: NDArray[np.float64]
    left_ns: NDArray[np.float64]
    waited_ns: NDArray[np.float64]
    took_ns: NDArray[np.float64]
    meetings: int


def simulate(
    masks: NDArray[np.uint64],
    service_ns: NDArray[np.float64],
    batches: NDArray[np.int64],
    workers: int,
    costs: BarrierCosts,
    *,
    look_ahead: int = LOOK_AHEAD,
    alone: NDArray[np.bool_] | None = None,
) -> Simulated:
    """Execute commands, given in the order of execution, with 1 to 64 workers; `alone`: batches that one executes by itself."""
    if not 1 <= workers <= GROUPS:
        raise ValueError(f"workers: expected 1 to {GROUPS}, found {workers}")
    count = len(masks)
    owners = owners_of(masks, workers)
    apart = np.zeros(len(batches) - 1, np.bool_) if alone is None else alone
    if workers == 1:
        apart = np.ones(len(batches) - 1, np.bool_)
    idle_ns, waited_ns, took_ns = np.zeros(workers), np.zeros(count), np.zeros(len(batches) - 1)
    clocks = np.zeros(workers)
    meetings = _run(owners, service_ns, batches, apart, costs.column(), look_ahead, clocks, idle_ns, waited_ns, took_ns)
    return Simulated(float(clocks.max()), idle_ns, clocks.max() - clocks, waited_ns, took_ns, int(meetings))


def owners_of(masks: NDArray[np.uint64], workers: int) -> NDArray[np.uint64]:
    """The workers, a bit each, that own the groups of each command."""
    groups = np.arange(GROUPS, dtype=np.uint64)
    bits = np.empty(GROUPS, np.uint64)
    bits[(np.uint64(1) << groups) * _DE_BRUIJN >> np.uint64(58)] = np.uint64(1) << groups % np.uint64(workers)
    owners = np.empty(len(masks), np.uint64)
    _owners(masks, bits, np.bitwise_or.reduce(bits), owners)
    return owners


@compiled
def _owners(masks: Any, bits: Any, everybody: Any, owners: Any) -> None:
    """`bits`: the owner of each group, at the place that the product of the group's bit with the sequence says."""
    zero = np.uint64(0)
    for row in range(len(masks)):
        left = masks[row]
        found = zero
        if left == ~zero:
            found = everybody
            left = zero
        while left != zero:
            lowest = left & (~left + np.uint64(1))
            found |= bits[(lowest * _DE_BRUIJN) >> np.uint64(58)]
            left ^= lowest
        owners[row] = found


@compiled
def _stop_row(owners: Any, row: int, end: int, look_ahead: int) -> int:
    """Up to where the executor of `row` goes on before it lets the others go: as the engine's `_run_on_until`."""
    held = owners[row]
    last = row
    row += 1
    while row < end and row <= last + look_ahead:
        owner = owners[row]
        if owner & held:
            if owner & ~held:
                break
            if owner & (owner - np.uint64(1)):
                last = row
        row += 1
    return last + 1


@compiled
def _let_go(executor: int, held: Any, at_row: Any, costs: Any, clocks: Any, idle_ns: Any, waited_ns: Any) -> None:
    """The executor lets those that it holds go on, one after another."""
    for worker in range(len(clocks)):
        if held[worker] != executor:
            continue
        held[worker] = -1
        if worker == executor:
            continue
        goes_on = clocks[executor] + costs[3]
        if clocks[executor] - clocks[worker] > costs[4]:
            goes_on += costs[5]
            clocks[executor] += costs[6]
        waited = max(0.0, goes_on - clocks[worker])
        idle_ns[worker] += waited
        waited_ns[at_row[executor]] += waited
        clocks[worker] += waited


@compiled
def _gather(owner: Any, row: int, held: Any, costs: Any, clocks: Any, idle_ns: Any, waited_ns: Any) -> int:
    """The owners of a command meet; the executor."""
    executor = -1
    arrived = 0.0
    for worker in range(len(clocks)):
        if (owner >> np.uint64(worker)) & np.uint64(1):
            if executor < 0:
                executor = worker
            held[worker] = executor
            arrived = max(arrived, clocks[worker])
    begins = arrived + costs[2]
    if arrived - clocks[executor] > costs[4]:
        begins += costs[5]
    waited = begins - clocks[executor]
    idle_ns[executor] += waited
    waited_ns[row] += waited
    clocks[executor] = begins
    return executor


@compiled
def _alone(first: int, end: int, cost: Any, batch_ns: float, clocks: Any, idle_ns: Any) -> float:
    """One worker executes a batch, the others wait for it; what it takes."""
    begins = clocks.max()
    total = batch_ns
    for row in range(first, end):
        total += cost[row]
    for worker in range(len(clocks)):
        idle_ns[worker] += begins - clocks[worker] + (total if worker > 0 else 0.0)
        clocks[worker] = begins + total
    return total


@compiled
def _join(alone_ns: float, costs: Any, clocks: Any, idle_ns: Any) -> None:
    """After what one worker has executed by itself the others come in again."""
    waited = costs[3] + (costs[5] if alone_ns > costs[4] else 0.0)
    for worker in range(1, len(clocks)):
        clocks[worker] += waited
        idle_ns[worker] += waited


@compiled
def _run(
    owners: Any,
    cost: Any,
    batches: Any,
    alone: Any,
    costs: Any,
    look_ahead: int,
    clocks: Any,
    idle_ns: Any,
    waited_ns: Any,
    took_ns: Any,
) -> int:
    workers = len(clocks)
    held = np.full(workers, -1, np.int64)
    stops = np.zeros(workers, np.int64)
    at_row = np.zeros(workers, np.int64)
    meetings = 0
    alone_ns = 0.0
    for batch in range(len(batches) - 1):
        first, end = batches[batch], batches[batch + 1]
        began_ns = clocks.max()
        if alone[batch]:
            took_ns[batch] = _alone(first, end, cost, costs[1], clocks, idle_ns)
            alone_ns += took_ns[batch]
            continue
        if alone_ns > 0.0:
            _join(alone_ns, costs, clocks, idle_ns)
            alone_ns = 0.0
        for worker in range(workers):
            clocks[worker] += costs[1]
        for row in range(first, end):
            owner = owners[row]
            by = -1
            # Whoever of the owners is held executes nothing itself; a hold that ends before this row ends now.
            for worker in range(workers):
                if (owner >> np.uint64(worker)) & np.uint64(1) and held[worker] >= 0:
                    executor = held[worker]
                    if row < stops[executor]:
                        by = executor
                        break
                    _let_go(executor, held, at_row, costs, clocks, idle_ns, waited_ns)
            if by < 0 and owner & (owner - np.uint64(1)):
                by = _gather(owner, row, held, costs, clocks, idle_ns, waited_ns)
                stops[by] = _stop_row(owners, row, end, look_ahead)
                at_row[by] = row
                meetings += 1
            elif by < 0:
                by = 0
                while (owner >> np.uint64(by)) & np.uint64(1) == 0:
                    by += 1
            clocks[by] += cost[row] + costs[0]
        for worker in range(workers):
            if held[worker] >= 0:
                _let_go(held[worker], held, at_row, costs, clocks, idle_ns, waited_ns)
        took_ns[batch] = clocks.max() - began_ns
    return meetings
