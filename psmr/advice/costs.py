"""What a service's commands cost on this machine, and how much more while other workers execute too; measured, in seconds.

By the clock, and of many short pieces what the undisturbed ones say (`undisturbed`): the machine as it is when nobody else uses it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from cdep import StateMachine, service_of
from cdep.program import Program
from psmr.advice.batches import Commands, cut, program_of
from psmr.advice.fitting import fitted
from psmr.advice.running import Ran, Runner, parts_of
from psmr.advice.undisturbed import pieces, undisturbed

_SIZES = (48, 256, 96, 384, 160, 512, 72)
"""Commands in the batches that are measured: of several sizes, or a batch's own cost could not be told from its commands'."""
_BESIDE_MAX = 8
_PIECE = 20


class ServiceCosts:
    """Executes a workload part by part with one worker: half of each part alone, half beside others that do the same.

    Every engine executes every part once, in order: commands mean something else on a state that they have changed before.
    """

    def __init__(self, owner: type[StateMachine], preload: Sequence[Commands]) -> None:
        self._service = service_of(owner)
        cores = min(len(os.sched_getaffinity(0)), _BESIDE_MAX)
        self._beside = sorted({count for count in (2, 4, cores) if 1 < count <= cores})
        self._runners = [Runner(owner, 1) for _ in range(max([1, *self._beside]))]
        self._counts: list[NDArray[np.int64]] = []
        self._busy_ns: list[NDArray[np.float64]] = []
        self._beside_ns: dict[int, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
        self._rounds = 0
        for runner in self._runners:
            runner.start()
        for runner in self._runners:
            runner.run(preload)

    def round(self, batches: Sequence[Commands]) -> None:
        """Execute the next part: of one half each engine alone, of the other several at once; what comes first takes turns."""
        batches = list(cut(batches, cycle(_SIZES)))
        self._rounds += 1
        if not self._beside:
            self._alone(batches)
            return
        middle = len(batches) // 2
        ways = (self._alone, self._at_once) if self._rounds % 2 else (self._at_once, self._alone)
        for way, half in zip(ways, (batches[:middle], batches[middle:]), strict=True):
            if half:
                way(half)

    def _alone(self, batches: Sequence[Commands]) -> None:
        counts = _counts(program_of(self._service, batches))
        for runner in self._runners:
            self._add(runner.run(batches), counts)

    def _at_once(self, batches: Sequence[Commands]) -> None:
        counts = _counts(program_of(self._service, batches))
        count = self._beside[self._rounds % len(self._beside)]
        for beside_ns in at_once(self._runners[:count], batches):
            self._beside_ns.setdefault(count, []).append((counts, beside_ns))
        for runner in self._runners[count:]:
            runner.run(batches)

    def forget(self) -> None:
        """Forget what was found so far: the first rounds warm up."""
        self._rounds = 0
        self._counts.clear()
        self._busy_ns.clear()
        self._beside_ns.clear()

    def _add(self, ran: Ran, counts: NDArray[np.int64]) -> None:
        self._counts.append(counts)
        self._busy_ns.append(np.array([busy[0] for busy in ran.busy_ns], np.float64))

    def _all_costs(self) -> NDArray[np.float64]:
        costs_ns = fitted(np.concatenate(self._counts), np.concatenate(self._busy_ns))
        return costs_ns * _undisturbed(costs_ns, zip(self._counts, self._busy_ns, strict=True))

    @property
    def costs_ns(self) -> NDArray[np.float64]:
        """Of each command of the service, from all rounds together."""
        return self._all_costs()[:-1]

    @property
    def slowdown(self) -> tuple[tuple[int, float], ...]:
        """How much longer a command takes beside others, by number of workers; never less than alone."""
        costs_ns = self._all_costs()
        found = {count: max(1.0, _undisturbed(costs_ns, rounds)) for count, rounds in sorted(self._beside_ns.items())}
        return ((1, 1.0), *found.items())

    def close(self) -> None:
        """End the workers."""
        for runner in self._runners:
            runner.close()


def at_once(runners: Sequence[Runner], batches: Sequence[Commands]) -> list[NDArray[np.float64]]:
    """Several engines execute the same at the same time, each on a state of its own; what each batch took, by engine.

    Each for itself: on the mean of all, whoever was interrupted would tell how long the others took.
    """
    taken_ns: list[list[int]] = [[] for _ in runners]
    for part in parts_of(batches):
        for runner in runners:
            runner.prepare(part)
        for runner in runners:
            runner.engine.publish()
        for runner in runners:
            runner.wait()
        for runner, taken in zip(runners, taken_ns, strict=True):
            taken += [busy[0] for busy in runner.collect(lambda executed: None)]
    return [np.array(taken, np.float64) for taken in taken_ns]


def _undisturbed(
    costs_ns: NDArray[np.float64], rounds: Iterable[tuple[NDArray[np.int64], NDArray[np.float64]]]
) -> float:
    """How many times as long as these costs say batches took; the last cost is a batch's own."""
    ratios: list[float] = []
    for counts, taken_ns in rounds:
        expected_ns = counts @ costs_ns[:-1] + costs_ns[-1]
        ratios += pieces(taken_ns.tolist(), expected_ns.tolist(), _PIECE)
    return undisturbed(ratios)


def _counts(program: Program) -> NDArray[np.int64]:
    """How often each command comes in each batch."""
    kinds = len(program.service.commands)
    batch = np.repeat(np.arange(len(program.batches) - 1), np.diff(program.batches))
    shape = (len(program.batches) - 1, kinds)
    return np.bincount(batch * kinds + program.op, minlength=shape[0] * shape[1]).reshape(shape)
