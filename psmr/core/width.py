"""How many workers a batch is worth: all of them, or one. A local choice; no result depends on it. Pure.

Parallel execution pays until barriers eat what it wins, and where that is depends on the share of synchronous commands, on what a
command costs, on what a barrier costs here, and on who else wants the cores. So it is measured, not modelled: batches fall into
classes by their share of synchronous commands, and each class remembers what a command has cost, one way and the other.

    cost of a command = time of all workers in the batch ÷ workers used ÷ commands

The cheaper way is taken. The other one is tried again now and then, for `TRIAL_RUN` batches in a row, more rarely the worse it has
been: a class whose trial costs ten times as much must not pay for ten of them. The first batch after a change of way is not
counted: in it workers wake up, which those behind it need not do.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

TRIAL = 64
"""Batches between trials of two ways that cost the same."""
TRIAL_RUN = 4
TRIALS_APART_NS = 10_000_000
"""Of execution, at least, between trials: each wakes workers up, which small batches cannot pay for."""
TRIAL_MAX = 4096
REMEMBERED = 5
"""Measurements of a way; their median counts, for one that other programs disturbed says nothing."""
_CLASSES = 12


@dataclass(slots=True)
class _Way:
    """What one way of executing has cost a command, in ns; None before the first measurement."""

    cost_ns: float | None = None
    latest: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def observe(self, cost_ns: float) -> None:
        self.latest.append(cost_ns)
        self.cost_ns = sorted(self.latest)[len(self.latest) // 2]


@dataclass(slots=True)
class _Class:
    parallel: _Way = field(default_factory=_Way)
    alone: _Way = field(default_factory=_Way)
    until_trial: int = TRIAL
    trial_left: int = 0


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen, and how often only to find out: batches."""

    parallel: int
    alone: int
    trials: int


class Width:
    """The choice for one replica of `workers` workers."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._classes = [_Class() for _ in range(_CLASSES)]
        self._parallel = self._alone = self._trials = 0
        self._used = 0  # by the batch observed last

    def choose(self, synchronous: int, count: int) -> int:
        """The workers for a batch of `count` commands of which `synchronous` need several: all, or 1."""
        if self._workers == 1:
            return 1
        chosen = self._choose(self._classes[class_of(synchronous, count)], count)
        if chosen == 1:
            self._alone += 1
        else:
            self._parallel += 1
        return chosen

    def _choose(self, kind: _Class, count: int) -> int:
        parallel, alone = kind.parallel.cost_ns, kind.alone.cost_ns
        if parallel is None:
            return self._workers
        if alone is None:
            return 1
        trial = self._tries(kind, max(min(parallel, alone), 1e-3), max(parallel, alone), count)
        return self._workers if (parallel <= alone) != trial else 1

    def _tries(self, kind: _Class, better_ns: float, worse_ns: float, count: int) -> bool:
        """Whether the batch is part of a trial of the way that has been worse."""
        if kind.trial_left == 0:
            kind.until_trial -= 1
            if kind.until_trial > 0:
                return False
            apart = max(TRIAL * (worse_ns / better_ns) ** 2, TRIALS_APART_NS / (better_ns * max(count, 1)))
            kind.until_trial = int(min(TRIAL_MAX, apart))
            kind.trial_left = TRIAL_RUN
        kind.trial_left -= 1
        self._trials += 1
        return True

    def observe(self, used: int, synchronous: int, count: int, busy_ns: int) -> None:
        """A batch executed by `used` workers kept them busy, waiting included, for `busy_ns` in all."""
        if self._workers > 1 and count:
            kind = self._classes[class_of(synchronous, count)]
            way = kind.alone if used == 1 else kind.parallel
            if used == self._used or way.cost_ns is None:
                way.observe(busy_ns / used / count)
            self._used = used

    @property
    def choices(self) -> Choices:
        """What was chosen so far."""
        return Choices(self._parallel, self._alone, self._trials)

    def costs_ns(self) -> list[tuple[float | None, float | None]]:
        """What a command has cost in parallel and alone, by class."""
        return [(kind.parallel.cost_ns, kind.alone.cost_ns) for kind in self._classes]


def class_of(synchronous: int, count: int) -> int:
    """0: none synchronous; then by powers of two of their share: 1 for less than 1 in 1,024, the last for half and more."""
    if synchronous == 0:
        return 0
    return min(_CLASSES - 1, 1 + (synchronous * 1024 // max(1, count)).bit_length())
