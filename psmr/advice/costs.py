"""What a service's commands cost on this machine, and how much more while other workers execute too; measured, in seconds.

By the clock, and of all rounds the median: whoever else uses the machine slows down what is predicted as well.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from itertools import cycle
from statistics import median

import numpy as np
from numpy.typing import NDArray

from cdep import StateMachine, service_of
from cdep.program import Program
from psmr.advice.batches import Commands, cut, program_of
from psmr.advice.fitting import fitted
from psmr.advice.running import Ran, Runner, parts_of

_SIZES = (48, 256, 96, 384, 160, 512, 72)
"""Commands in the batches that are measured: of several sizes, or a batch's own cost could not be told from its commands'."""
_BESIDE_MAX = 8


class ServiceCosts:
    """Executes a workload part by part with one worker: now alone, now beside others that do the same.

    Every engine executes every part once, in order: commands mean something else on a state that they have changed before.
    """

    def __init__(self, owner: type[StateMachine], preload: Sequence[Commands]) -> None:
        self._service = service_of(owner)
        cores = min(len(os.sched_getaffinity(0)), _BESIDE_MAX)
        self._beside = sorted({count for count in (2, 4, cores) if 1 < count <= cores})
        self._runners = [Runner(owner, 1) for _ in range(max([1, *self._beside]))]
        self._counts: list[NDArray[np.int64]] = []
        self._busy_ns: list[NDArray[np.float64]] = []
        self._alone_ns: list[tuple[NDArray[np.int64], float]] = []
        self._slowdowns: dict[int, list[float]] = {count: [] for count in self._beside}
        self._rounds = 0
        for runner in self._runners:
            runner.start()
        for runner in self._runners:
            runner.run(preload)

    def round(self, batches: Sequence[Commands]) -> None:
        """Execute the next part: each engine alone, or, every other time, several at once."""
        pieces = list(cut(batches, cycle(_SIZES)))
        counts = _counts(program_of(self._service, pieces))
        self._rounds += 1
        if self._rounds % 2 or not self._beside:
            for runner in self._runners:
                self._add(runner.run(pieces), counts)
            return
        count = self._beside[self._rounds // 2 % len(self._beside)]
        beside_ns = self._at_once(self._runners[:count], pieces) / count
        self._slowdowns[count].append(beside_ns / _sum_ns(self._all_costs(), counts))
        for runner in self._runners[count:]:
            runner.run(pieces)

    def forget(self) -> None:
        """Forget what was found so far: the first rounds warm up."""
        self._rounds = 0
        self._counts.clear()
        self._busy_ns.clear()
        self._alone_ns.clear()
        for found in self._slowdowns.values():
            found.clear()

    @staticmethod
    def _at_once(runners: Sequence[Runner], batches: Sequence[Commands]) -> float:
        """Several engines execute the same at the same time, each on a state of its own; what their batches took, added up."""
        taken_ns = 0.0
        for part in parts_of(batches):
            for runner in runners:
                runner.prepare(part)
            for runner in runners:
                runner.engine.publish()
            for runner in runners:
                runner.wait()
            taken_ns += sum(busy[0] for runner in runners for busy in runner.collect(lambda executed: None))
        return taken_ns

    def _add(self, ran: Ran, counts: NDArray[np.int64]) -> None:
        busy_ns = np.array([busy[0] for busy in ran.busy_ns], np.float64)
        self._counts.append(counts)
        self._busy_ns.append(busy_ns)
        self._alone_ns.append((counts, float(busy_ns.sum())))

    def _all_costs(self) -> NDArray[np.float64]:
        costs_ns = fitted(np.concatenate(self._counts), np.concatenate(self._busy_ns))
        return costs_ns * median(taken_ns / _sum_ns(costs_ns, counts) for counts, taken_ns in self._alone_ns)

    @property
    def costs_ns(self) -> NDArray[np.float64]:
        """Of each command of the service, from all rounds together."""
        return self._all_costs()[:-1]

    @property
    def slowdown(self) -> tuple[tuple[int, float], ...]:
        """How much longer a command takes beside others, by number of workers; never less than alone. The median of the rounds."""
        found = {count: max(1.0, median(ratios)) for count, ratios in self._slowdowns.items() if ratios}
        return ((1, 1.0), *found.items())

    def close(self) -> None:
        """End the workers."""
        for runner in self._runners:
            runner.close()


def wait_share_of(owner: type[StateMachine], preload: Sequence[Commands], batches: Sequence[Commands]) -> float:
    """Of the early stages of commands, executed by two workers, those that had to wait; 0 for a service without early stages."""
    service = service_of(owner)
    staged = np.array([command.early is not None for command in service.commands])
    if not staged.any():
        return 0.0
    with closing(Runner(owner, 2, choose=lambda synchronous, count: 2)) as runner:
        runner.start()
        runner.run(preload)
        before = sum(runner.engine.counters().waited)
        runner.run(batches)
        waited = sum(runner.engine.counters().waited) - before
    return waited / max(1, int(staged[program_of(service, batches).op].sum()))


def _sum_ns(costs_ns: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    """What batches of so many of each command should take; the last cost is a batch's."""
    return float((counts @ costs_ns[:-1]).sum() + costs_ns[-1] * len(counts))


def _counts(program: Program) -> NDArray[np.int64]:
    """How often each command comes in each batch."""
    kinds = len(program.service.commands)
    batch = np.repeat(np.arange(len(program.batches) - 1), np.diff(program.batches))
    shape = (len(program.batches) - 1, kinds)
    return np.bincount(batch * kinds + program.op, minlength=shape[0] * shape[1]).reshape(shape)
