"""What a service's commands cost on this machine, and how much more while other workers execute too; measured, in seconds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import cycle
from statistics import median

import numpy as np
from numpy.typing import NDArray

from cdep import StateMachine, service_of
from cdep.program import Program
from psmr.advice.batches import Commands, cut, program_of
from psmr.advice.fitting import fitted
from psmr.advice.running import Runner

_SIZES = (16, 96, 32, 160, 64, 256, 48)
"""Commands in the batches that are measured: of several sizes, or a batch's own cost could not be told from its commands'."""


class ServiceCosts:
    """Executes a workload with one worker, alone and beside others that do the same; `round` may be called again and again.

    Every round executes the same commands once more, on the state that the one before has left.
    """

    def __init__(self, owner: type[StateMachine], preload: Sequence[Commands], batches: Sequence[Commands]) -> None:
        self._service = service_of(owner)
        self._batches = list(cut(batches, cycle(_SIZES)))
        self._program = program_of(self._service, self._batches)
        self._counts = _counts(self._program)
        cores = len(os.sched_getaffinity(0))
        self.beside = sorted({count for count in (2, 4, 8, cores) if 1 < count <= min(cores, 8)})
        self._runners = [Runner(owner, 1) for _ in range(max([1, *self.beside]))]
        self._costs: list[NDArray[np.float64]] = []
        self._slowdowns: dict[int, list[float]] = {count: [] for count in self.beside}
        for runner in self._runners:
            runner.start()
        for runner in self._runners:
            runner.run(preload)

    def round(self) -> None:
        """Measure once more."""
        ran = self._runners[0].run(self._batches)
        alone_s = ran.processor_s
        busy_ns = np.array([busy[0] for busy in ran.busy_ns], np.float64)
        self._costs.append(fitted(self._counts, busy_ns, min(alone_s * 1e9, float(busy_ns.sum()))))
        for count in self.beside:
            used = self._at_once(self._runners[:count])
            self._slowdowns[count].append(used / count / alone_s)

    def forget(self) -> None:
        """Forget the rounds so far: the first one warms up."""
        self._costs.clear()
        for found in self._slowdowns.values():
            found.clear()

    def _at_once(self, runners: Sequence[Runner]) -> float:
        """Several engines execute the same at the same time, each on a state of its own; processor time of all."""
        used = 0.0
        for part in _in_parts(self._batches):
            for runner in runners:
                runner.prepare(part)
            before = sum(runner.processor_s() for runner in runners)
            for runner in runners:
                runner.engine.publish()
            for runner in runners:
                runner.wait()
            used += sum(runner.processor_s() for runner in runners) - before
            for runner in runners:
                runner.collect(lambda executed: None)
        return used

    @property
    def costs_ns(self) -> NDArray[np.float64]:
        """Of each command of the service: the median of the rounds."""
        found: NDArray[np.float64] = np.median(np.array(self._costs), axis=0)[:-1]
        return found

    @property
    def slowdown(self) -> tuple[tuple[int, float], ...]:
        """How much more processor time a command takes beside others, by number of workers; never less than alone."""
        return ((1, 1.0), *((count, max(1.0, median(found))) for count, found in self._slowdowns.items()))

    def close(self) -> None:
        """End the workers."""
        for runner in self._runners:
            runner.close()


def _in_parts(batches: Sequence[Commands]) -> list[Sequence[Commands]]:
    return [batches[place : place + 500] for place in range(0, len(batches), 500)]


def _counts(program: Program) -> NDArray[np.int64]:
    """How often each command comes in each batch."""
    kinds = len(program.service.commands)
    batch = np.repeat(np.arange(len(program.batches) - 1), np.diff(program.batches))
    shape = (len(program.batches) - 1, kinds)
    return np.bincount(batch * kinds + program.op, minlength=shape[0] * shape[1]).reshape(shape)
