"""The model of the schedule for a service whose commands have early stages: rounds of early stages, then of main stages.

As the engine's wavefront: every worker runs the early stages of its own rows up to one that waits or that all must meet at; the
lowest of these frontiers is the bound, and the main stages below it are run; then the row at the bound is decided as a whole, once
everything before it is complete. Where that happens too often one worker executes what is left of the batch.

What an early stage costs of its command is not known from outside: `EARLY_SHARE` is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdep.compiled import compiled
from cdep.critical_path import CriticalPath, critical_path
from cdep.program import NOTHING, WRITE, Program, Rules, masks_of, touches_of
from cdep.schedule_model import BarrierCosts, Simulated, owners_of
from cdep.service import Service

ROUND_ROWS = 128
ROUNDS_FREE = 2
"""Where rounds bring fewer rows than that, the first ones aside, one worker executes what is left of the batch: as the engine."""
EARLY_SHARE = 1 / 3
"""Of what a command with an early stage costs, that stage; assumed."""


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """The stages of each command: their groups, 64 bits, 0 where it has none; what they cost; and whether it is decided as a whole.

    `waits`: its early stage can say nothing before everything before it is complete.
    """

    early: NDArray[np.uint64]
    main: NDArray[np.uint64]
    exact: NDArray[np.bool_]
    early_ns: NDArray[np.float64]
    main_ns: NDArray[np.float64]
    waits: NDArray[np.bool_]


def is_staged(service: Service) -> bool:
    """Whether any command has an early stage."""
    return any(command.early is not None for command in service.commands)


def has_early(program: Program) -> NDArray[np.bool_]:
    """Whose commands have an early stage and a main one."""
    kinds = np.array([command.early is not None for command in program.service.commands])
    found: NDArray[np.bool_] = kinds[program.op]
    return found


def wait_share(program: Program) -> float:
    """Of the early stages, those that wait."""
    if program.waits is None:
        return 0.0
    return float(program.waits.sum()) / max(1, int(has_early(program).sum()))


def stages_of(program: Program, rules: Rules) -> Stages:
    """The stages of a program's commands."""
    service = program.service
    early_rules, main_rules = rules.copy(), rules.copy()
    for command in service.commands:
        for place, key in enumerate(touches_of(service, command)):
            other = main_rules if key.domain in service.early_domains else early_rules
            other.access[command.op, place] = NOTHING
    kinds = [command.stage for command in service.commands]
    only_early = np.array([kind == "early" for kind in kinds])[program.op]
    by_client = (early_rules.access != NOTHING).any(axis=1)[program.op]
    exact = np.array([kind == "exact" for kind in kinds])[program.op]
    everything = rules.whole[program.op] != NOTHING
    zero = np.uint64(0)
    early = np.where(by_client | everything, masks_of(program, early_rules), zero)
    main = np.where(only_early | everything, zero, masks_of(program, main_rules))
    main = np.where(exact & by_client & ~(main_rules.access != NOTHING).any(axis=1)[program.op], zero, main)
    share = np.where(only_early, 1.0, np.where(has_early(program), EARLY_SHARE, 0.0))
    waits = np.zeros(program.count, np.bool_) if program.waits is None else program.waits
    return Stages(early, main, exact, program.service_ns * share, program.service_ns * (1 - share), waits)


def simulate_stages(
    stages: Stages,
    batches: NDArray[np.int64],
    workers: int,
    costs: BarrierCosts,
    *,
    slow: NDArray[np.float64] | float = 1.0,
    alone: NDArray[np.bool_] | None = None,
) -> Simulated:
    """Execute commands with 2 to 64 workers; `slow`: how many times what it costs each takes; `alone`: batches of one worker."""
    early, main = owners_of(stages.early, workers), owners_of(stages.main, workers)
    exact = stages.exact | is_several(early) | is_several(main)
    lowest = main & (~main + np.uint64(1))
    early = np.where(exact & (early == 0), lowest, early)
    apart = np.zeros(len(batches) - 1, np.bool_) if alone is None else alone
    idle_ns, waited_ns, took_ns = np.zeros(workers), np.zeros(len(early)), np.zeros(len(batches) - 1)
    clocks = np.zeros(workers)
    meetings = _run(
        early,
        main,
        exact,
        stages.early_ns * slow,
        stages.main_ns * slow,
        stages.waits,
        batches,
        apart,
        costs.column(),
        clocks,
        idle_ns,
        waited_ns,
        took_ns,
    )
    return Simulated(float(clocks.max()), idle_ns, clocks.max() - clocks, waited_ns, took_ns, int(meetings))


def is_several(owners: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether more than one bit is set."""
    found: NDArray[np.bool_] = (owners != 0) & ((owners & (owners - np.uint64(1))) != 0)
    return found


def staged_path(program: Program, rules: Rules) -> tuple[CriticalPath, NDArray[np.int64]]:
    """The critical path over stages, and whose stage each row on it is; a command decided as a whole conflicts with everything."""
    service, kinds = program.service, len(program.service.commands)
    stages = stages_of(program, rules)
    origin = np.repeat(np.arange(program.count), 2)
    is_early = np.tile([True, False], program.count)
    link = len(program.names)
    places = rules.access.shape[1]
    access = np.zeros((2 * kinds, places + 1), np.int64)
    whole = np.zeros(2 * kinds, np.int64)
    for command in service.commands:
        for place, key in enumerate(touches_of(service, command)):
            is_first = key.domain in service.early_domains
            access[command.op + (kinds if is_first else 0), place] = rules.access[command.op, place]
        if command.early is not None:
            access[command.op, places] = access[command.op + kinds, places] = WRITE
        if command.stage == "exact" or rules.whole[command.op] != NOTHING:
            whole[command.op] = WRITE
    keys = np.column_stack([program.keys[origin], link + origin])
    cost = np.where(is_early, stages.early_ns[origin], stages.main_ns[origin])
    names = [*program.names, *(("stages of", str(row)) for row in range(program.count))]
    expanded = replace(
        program,
        op=program.op[origin] + np.where(is_early, kinds, 0),
        keys=keys,
        names=names,
        service_ns=cost,
    )
    path = critical_path(expanded, Rules(whole, access, np.zeros_like(access), commutative=False))
    return path, origin[path.rows]


@compiled
def _wait(worker: int, until: float, add: float, costs: Any, clocks: Any, idle_ns: Any) -> float:
    """The worker waits until then, and longer if it fell asleep; how long."""
    goes_on = until + add
    if until - clocks[worker] > costs[4]:
        goes_on += costs[5]
    waited: float = max(0.0, goes_on - clocks[worker])
    clocks[worker] += waited
    idle_ns[worker] += waited
    return waited


@compiled
def _run_early(
    worker: int, row: int, end: int, early: Any, exact: Any, cost: Any, waits: Any, costs: Any, clocks: Any
) -> int:
    """Early stages of a worker's own rows from `row` on; where it stops. One that waits is asked again in every round."""
    mine = np.uint64(1) << np.uint64(worker)
    while row < end:
        if early[row] & mine:
            if exact[row]:
                return row
            clocks[worker] += cost[row] + costs[0]
            if waits[row]:
                return row
        row += 1
    return end


@compiled
def _lowest(owners: Any) -> int:
    worker = 0
    while (owners >> np.uint64(worker)) & np.uint64(1) == 0:
        worker += 1
    return worker


@compiled
def _decide(
    row: int, owners: Any, cost: float, costs: Any, clocks: Any, idle_ns: Any, waited_ns: Any, frontier: Any
) -> None:
    """One worker executes the whole of a row, once all are through their main stages before it."""
    decider = _lowest(owners)
    waited_ns[row] += _wait(decider, clocks.max(), costs[2], costs, clocks, idle_ns)
    clocks[decider] += cost
    for worker in range(len(clocks)):
        if (owners >> np.uint64(worker)) & np.uint64(1):
            if worker != decider:
                waited_ns[row] += _wait(worker, clocks[decider], costs[3], costs, clocks, idle_ns)
            frontier[worker] = row + 1


@compiled
def _finish(
    row: int,
    end: int,
    early: Any,
    early_ns: Any,
    main_ns: Any,
    costs: Any,
    clocks: Any,
    idle_ns: Any,
    waited_ns: Any,
    frontier: Any,
) -> None:
    """Too many rows wait: whoever decides this one executes all that is left of the batch."""
    decider = _lowest(early[row])
    waited_ns[row] += _wait(decider, clocks.max(), costs[2], costs, clocks, idle_ns)
    for left in range(row, end):
        clocks[decider] += main_ns[left]
        if early[left] != 0 and left >= frontier[_lowest(early[left])]:
            clocks[decider] += early_ns[left]
    for worker in range(len(clocks)):
        if worker != decider:
            waited_ns[row] += _wait(worker, clocks[decider], costs[3], costs, clocks, idle_ns)


@compiled
def _run(
    early: Any,
    main: Any,
    exact: Any,
    early_ns: Any,
    main_ns: Any,
    waits: Any,
    batches: Any,
    alone: Any,
    costs: Any,
    clocks: Any,
    idle_ns: Any,
    waited_ns: Any,
    took_ns: Any,
) -> int:
    workers = len(clocks)
    frontier = np.zeros(workers, np.int64)
    rounds = 0
    for batch in range(len(batches) - 1):
        first, end = batches[batch], batches[batch + 1]
        if alone[batch]:
            begins = clocks.max()
            total = costs[1] + early_ns[first:end].sum() + main_ns[first:end].sum()
            for worker in range(workers):
                idle_ns[worker] += begins - clocks[worker] + (total if worker > 0 else 0.0)
                clocks[worker] = begins + total
            took_ns[batch] = total
            continue
        began_ns = clocks.max()
        clocks += costs[1]
        frontier[:] = first
        mains = first
        in_batch = 0
        while True:
            for worker in range(workers):
                frontier[worker] = _run_early(
                    worker, frontier[worker], end, early, exact, early_ns, waits, costs, clocks
                )
            rounds += 1
            latest = clocks.max()
            for worker in range(workers):
                _wait(worker, latest, costs[3], costs, clocks, idle_ns)
            bound = frontier.min()
            for row in range(mains, bound):
                if main[row] != 0:
                    clocks[_lowest(main[row])] += main_ns[row] + costs[0]
            if bound == end:
                break
            in_batch += 1
            if in_batch > ROUNDS_FREE and bound - first < in_batch * ROUND_ROWS:
                _finish(bound, end, early, early_ns, main_ns, costs, clocks, idle_ns, waited_ns, frontier)
                break
            whole_ns = early_ns[bound] + main_ns[bound]
            _decide(bound, early[bound], whole_ns, costs, clocks, idle_ns, waited_ns, frontier)
            mains = bound + 1
        took_ns[batch] = clocks.max() - began_ns
    return rounds
