"""How fast a program would be executed by 1 to 64 workers, before anybody runs it. Pure: what commands and barriers cost is given.

Three answers a number of workers: the paper's way (a meeting a command that goes to several workers), the engine with all its
workers in every batch, and the engine as it runs, which executes a batch with one worker where that has been the cheaper way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdep.program import Program, Rules, masks_of, order_of
from cdep.schedule_model import GROUPS, LOOK_AHEAD, BarrierCosts, Simulated, owners_of, rows_ahead, simulate
from cdep.staged_model import is_several, is_staged, simulate_stages, stages_of

WORKERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
GAIN = 0.95
"""The engine takes all workers where they cost at most this share of what one does (`psmr/core/width.py`)."""
_SHARES, _SIZES = 6, 4
_NEW = 1 / 8
"""What the newest batch weighs in the window that says of what class it is."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """How many times as long as the model says several workers take on this machine: commands that do nothing but take as long
    and meet as often as those of the program.

    `least`: while nobody disturbs them. `usual`: at half of all times, by which the engine chooses its width; against what one
    worker usually takes. `slowdown`: how much longer such a command takes each of two workers that share nothing; `least` and
    `usual` have it no more.
    """

    least: float = 1.0
    usual: float = 1.0
    slowdown: float = 1.0


@dataclass(frozen=True, slots=True)
class Costs:
    """What the machine adds to the commands: barriers, and `slowdown`, pairs (workers, times as much as one worker alone takes).

    Between two pairs it is interpolated, beyond the last it stays. `stretch` counts for all numbers of workers but one.
    """

    barrier: BarrierCosts = field(default_factory=BarrierCosts)
    slowdown: tuple[tuple[int, float], ...] = ((1, 1.0),)
    stretch: Stretch = Stretch()

    def slowdown_of(self, workers: float) -> float:
        """How much longer a command takes while `workers` of them execute at once."""
        counts, factors = zip(*self.slowdown, strict=True)
        return float(np.interp(workers, counts, factors))


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Commands a second: `engine_per_s` as it runs, `together_per_s` with all workers in every batch, `paper_per_s`.

    `alone_share`: commands in batches that one worker executes by itself. `together`: the schedule behind `together_per_s`.
    """

    workers: int
    engine_per_s: float
    together_per_s: float
    paper_per_s: float
    alone_share: float
    together: Simulated

    def waiting_shares(self) -> list[float]:
        """Of each worker's time, with all in every batch: what it waits for others at commands."""
        return [float(idle) / (self.together.total_ns or 1.0) for idle in self.together.idle_ns]

    def unemployed_shares(self) -> list[float]:
        """Of each worker's time, with all in every batch: when it has nothing left to do while others have."""
        return [float(left) / (self.together.total_ns or 1.0) for left in self.together.left_ns]


class Predictor:
    """A program under rules, in the order of execution; `at` predicts it for a number of workers."""

    def __init__(self, program: Program, rules: Rules, costs: Costs) -> None:
        masks = masks_of(program, rules)
        self.order = order_of(program, masks, rules)
        self.masks = masks[self.order]
        self.service_ns = program.service_ns[self.order]
        self._batches = program.batches
        self._costs = costs
        self._count = program.count
        self._stages = stages_of(program, rules) if is_staged(program.service) else None

    def at(self, workers: int) -> Predicted:
        """The prediction for 1 to 64 workers."""
        one = self._simulated(1)
        if workers == 1:
            rate = self._rate(one)
            return Predicted(1, rate, rate, rate, 1.0, one)
        together = self._simulated(workers)
        ahead = self._ahead()
        near = self.together(workers)
        alone = self._alone(workers, near)
        chosen = self._simulated(workers, look_ahead=ahead, alone=alone) if alone.any() else near
        sizes = np.diff(self._batches)
        alone_share = float(sizes[alone].sum()) / max(1, self._count)
        rate, together_per_s = self._rate(chosen), self._rate(together)
        paper_per_s = self._rate(self._simulated(workers, look_ahead=0))
        return Predicted(workers, rate, together_per_s, paper_per_s, alone_share, together)

    def together(self, workers: int) -> Simulated:
        """All workers in every batch; on to the next meeting they go as the engine does with commands so long."""
        return self._simulated(workers, look_ahead=self._ahead())

    def _ahead(self) -> int:
        return rows_ahead(float(self.service_ns.mean()) if self._count else 0.0, LOOK_AHEAD)

    def group_bound(self) -> float:
        """The greatest speed-up that the mapping to 64 groups leaves: a worker a group, and nothing costs but the commands."""
        if self._stages is not None:
            free = simulate_stages(self._stages, self._batches, GROUPS, BarrierCosts())
        else:
            free = simulate(self.masks, self.service_ns, self._batches, GROUPS, BarrierCosts(), look_ahead=0)
        return float(self.service_ns.sum()) / free.total_ns if free.total_ns else 1.0

    def heaviest_share(self, workers: int) -> float:
        """Of all work, that of the worker that has most of it; what several own counts for each of them alike."""
        parts = [(self.masks, self.service_ns)]
        if self._stages is not None:
            parts = [(self._stages.early, self._stages.early_ns), (self._stages.main, self._stages.main_ns)]
        work = np.zeros(workers)
        for masks, cost in parts:
            owners = owners_of(masks, workers)
            bits = np.array([(owners >> np.uint64(worker)) & np.uint64(1) for worker in range(workers)], np.float64)
            work += (bits / np.maximum(bits.sum(axis=0), 1.0)) @ cost
        return float(work.max() / (work.sum() or 1.0))

    def _simulated(
        self, workers: int, *, look_ahead: int | None = None, alone: NDArray[np.bool_] | None = None
    ) -> Simulated:
        """A command is slowed down by so many workers as do execute on average: who waits disturbs nobody."""
        first = self._once(workers, self._costs.slowdown_of(workers), look_ahead, alone)
        if workers == 1 or not first.total_ns:
            return first
        active = float((first.total_ns - first.idle_ns - first.left_ns).sum()) / first.total_ns
        found = self._once(workers, self._costs.slowdown_of(max(1.0, active)), look_ahead, alone)
        return stretched(found, self._costs.stretch.least, alone)

    def _once(
        self, workers: int, slowdown: float, look_ahead: int | None, alone: NDArray[np.bool_] | None
    ) -> Simulated:
        barrier, slow = self._costs.barrier, self._slow(slowdown, alone)
        if self._stages is not None and workers > 1:
            return simulate_stages(self._stages, self._batches, workers, barrier, slow=slow, alone=alone)
        ahead = LOOK_AHEAD if look_ahead is None else look_ahead
        return simulate(
            self.masks, self.service_ns * slow, self._batches, workers, barrier, look_ahead=ahead, alone=alone
        )

    def _slow(self, slowdown: float, alone: NDArray[np.bool_] | None) -> NDArray[np.float64] | float:
        """A command of a batch that one worker executes is not slowed down by others."""
        if alone is None:
            return slowdown
        return np.repeat(np.where(alone, 1.0, slowdown), np.diff(self._batches))

    def _alone(self, workers: int, together: Simulated) -> NDArray[np.bool_]:
        """The batches that one worker executes: those of classes in which all workers win too little."""
        classes = classes_of(windowed(self._several(workers)), windowed(np.diff(self._batches)))
        more = self._costs.stretch.usual / self._costs.stretch.least
        alone_ns = np.add.reduceat(self.service_ns, self._batches[:-1]) if self._count else np.zeros(0)
        together_by_class = np.bincount(classes, together.took_ns * more, _SHARES * _SIZES)
        alone_by_class = np.bincount(classes, alone_ns, _SHARES * _SIZES)
        return (GAIN * alone_by_class <= together_by_class)[classes]

    def _several(self, workers: int) -> NDArray[np.int64]:
        """How many commands of each batch go to several workers."""
        several = is_several(owners_of(self.masks, workers))
        if self._stages is not None:
            early, main = (owners_of(masks, workers) for masks in (self._stages.early, self._stages.main))
            several = self._stages.exact | is_several(early) | is_several(main)
        return np.add.reduceat(several.astype(np.int64), self._batches[:-1])

    def _rate(self, simulated: Simulated) -> float:
        return self._count / simulated.total_ns * 1e9 if simulated.total_ns else 0.0


def stretched(simulated: Simulated, factor: float, alone: NDArray[np.bool_] | None) -> Simulated:
    """The same, where batches of several workers take so many times as long: what is more they wait, all alike."""
    more_ns = simulated.took_ns * (factor - 1.0)
    if alone is not None:
        more_ns = np.where(alone, 0.0, more_ns)
    added_ns = float(more_ns.sum())
    return replace(
        simulated,
        total_ns=simulated.total_ns + added_ns,
        idle_ns=np.maximum(0.0, simulated.idle_ns + added_ns),
        took_ns=simulated.took_ns + more_ns,
    )


def windowed(values: NDArray[Any]) -> NDArray[np.float64]:
    """Of each batch the mean over those up to it, the newest weighing most: by what the engine puts it into a class."""
    found = values.astype(np.float64)
    for place in range(1, len(found)):
        found[place] = found[place - 1] + (found[place] - found[place - 1]) * _NEW
    return found


def classes_of(several: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.int64]:
    """The classes among which the engine chooses: by size, and by the share of commands of several workers."""
    share = (several * 1024 / np.maximum(counts, 1.0)).astype(np.int64)
    size = (_bits(counts.astype(np.int64)) - 1) // 3
    return np.clip(size, 0, _SIZES - 1) * _SHARES + np.minimum(_SHARES - 1, (_bits(share) + 1) // 2)


def _bits(values: NDArray[np.int64]) -> NDArray[np.int64]:
    bits = np.zeros(len(values), np.int64)
    while values.any():
        bits += values > 0
        values = values >> 1
    return bits


def predict(program: Program, rules: Rules, costs: Costs, workers: Sequence[int] = WORKERS) -> list[Predicted]:
    """The prediction for each number of workers."""
    predictor = Predictor(program, rules, costs)
    return [predictor.at(count) for count in workers]
