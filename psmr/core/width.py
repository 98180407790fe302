"""How many workers a window of the log is worth: all of them, or one. A local choice; no result depends on it. Pure.

Parallel execution pays until barriers eat what it wins, and where that is depends on the share of synchronous commands, on what a
command costs, on what a barrier costs here, and on who else wants the cores. So it is measured, not modelled: windows of the log
fall into classes by their share of synchronous commands and the size of their batches (`class_of`), and each class remembers what
a command has cost, one way and the other.

    cost of a command = time from the end of the batch before to the end of this one ÷ commands

which is what throughput is made of: a worker that comes late, one that has nothing left to do, and the change from one way to the
other are in it; a time in which there was nothing to execute is not (`Results` measures).

One way is taken, one worker at first; the other is tried for some batches in a row, now and then, and what they cost is compared
with those of the way taken just before and just after: by medians, for what disturbs a machine for a moment must not decide; and
cheaper than both it must be, for what disturbs it for longer may begin or end in between. The cheaper way is taken from then on.
The **price** of a trial, what its batches took longer than they would have otherwise, says how soon the next one is: trials may
take `BUDGET` of the time. While a trial is on its way no other begins, however many batches are prepared on what was known before.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

BUDGET = 0.02
"""The share of time that may go into trials."""
FIRST_BUDGET = 0.1
FIRST_TRIALS = 3
"""Of a class, which may take `FIRST_BUDGET`: memory and code are cold to workers new to them, and a trial then says little."""
TRIAL_MIN, TRIAL_MAX = 8, 32
TRIAL_NS = 1_000_000
"""What a trial should last, within those bounds of batches; the first takes the least of them."""
CLEAR, CLEAR_AFTER = 3.0, 3
"""A trial ends early when each of so many batches cost so many times as much as those before it."""
TRIALS_APART = 16
"""Between two trials the same class takes at least so many times as long as a trial."""
GAIN = 0.95
"""All workers are taken where they cost at most this share of what one does, and left again where one costs less than they do."""
_SHARES = 6
_SIZES = 4
_NEW = 1 / 8
"""What the newest batch weighs in the window."""


@dataclass(slots=True)
class _Class:
    """What is known of one class, and which way its batches take; costs are of a command, in ns."""

    is_together: bool = False
    latest: deque[float] = field(default_factory=lambda: deque(maxlen=TRIAL_MAX))
    """Costs the way that is taken."""
    to_choose: int = 0
    """Batches of the trial not chosen for yet."""
    is_trying: bool = False
    """Until the batches after the trial are observed."""
    left: int = 0
    """Batches of the trial not observed yet."""
    tried: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    trial_ns: float = 0.0
    trial_count: int = 0
    trials: int = 0
    rest_ns: float = 0.0
    """What the class still has to execute before the next trial."""

    def choose(self, count: int) -> tuple[bool, bool]:
        """Whether all workers execute the next batch, and whether that is a trial."""
        if not self.is_trying and self.rest_ns <= 0 and len(self.latest) >= TRIAL_MIN:
            self._begin_trial(count)
        if self.to_choose == 0:
            return self.is_together, False
        self.to_choose -= 1
        return not self.is_together, True

    def _begin_trial(self, count: int) -> None:
        expected_ns = max(median(self.latest), median(self.tried)) * max(1, count) if self.tried else TRIAL_NS
        self.is_trying = True
        self.to_choose = self.left = int(min(TRIAL_MAX, max(TRIAL_MIN, TRIAL_NS / expected_ns)))
        self.tried, self.after = [], []
        self.trial_ns, self.trial_count = 0.0, 0

    def observe(self, is_trial: bool, follows_other: bool, count: int, took_ns: float) -> None:
        """A batch of the class took so long. One that follows another way pays for the change, which those behind it do not."""
        cost_ns = took_ns / count
        if is_trial:
            self.left -= 1
        else:
            self.rest_ns -= took_ns
        if is_trial or (self.is_trying and self.left == 0 and follows_other):
            self.trial_ns += took_ns
            self.trial_count += count
        if follows_other:
            return
        if is_trial:
            self.tried.append(cost_ns)
            if len(self.tried) >= CLEAR_AFTER and min(self.tried) > CLEAR * median(self.latest):
                self.left -= self.to_choose
                self.to_choose = 0
        elif self.is_trying and self.left == 0:
            self.after.append(cost_ns)
            if len(self.after) >= len(self.tried):
                self._end_trial()
        else:
            self.latest.append(cost_ns)

    def _end_trial(self) -> None:
        """Take the cheaper way from now on; `latest` is of before the trial."""
        if not self.tried:
            # Each of its batches followed one that was executed the other way, of another class: they say nothing.
            self.is_trying = False
            self.rest_ns = TRIALS_APART * self.trial_ns
            self.latest.extend(self.after)
            return
        before = list(self.latest)[-len(self.after) :]
        taken_ns, tried_ns = min(median(before), median(self.after)), median(self.tried)
        self.is_trying = False
        self.trials += 1
        first = self.trials < FIRST_TRIALS
        changes = tried_ns < taken_ns * (1.0 if self.is_together else GAIN)
        price_ns = self.trial_ns - min(taken_ns, tried_ns) * self.trial_count
        apart_ns = 0.0 if first else TRIALS_APART * self.trial_ns
        self.rest_ns = max(apart_ns, price_ns / (FIRST_BUDGET if first else BUDGET))
        self.latest.clear()
        if changes:
            self.is_together = not self.is_together
            self.rest_ns = TRIALS_APART * tried_ns * self.trial_count
        self.latest.extend(self.tried if changes else self.after)


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen, and how often only to find out: batches."""

    parallel: int
    alone: int
    trials: int


@dataclass(slots=True)
class _Chosen:
    """A batch on its way."""

    kind: _Class
    together: bool
    is_trial: bool
    count: int


class Width:
    """The choice for one replica of `workers` workers; what is chosen first is observed first."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._classes = [_Class() for _ in range(_SHARES * _SIZES)]
        self._chosen: deque[_Chosen] = deque()
        self._synchronous = self._count = 0.0  # of the window: means that the newest batches weigh most in
        self._parallel = self._alone = self._trials = 0
        self._was_together = False  # the batch observed last

    def choose(self, synchronous: int, count: int) -> int:
        """The workers for a batch of `count` commands of which `synchronous` need several: all, or 1."""
        if self._workers == 1:
            return 1
        weight = _NEW if self._count else 1.0
        self._synchronous += (synchronous - self._synchronous) * weight
        self._count += (count - self._count) * weight
        kind = self._classes[class_of(self._synchronous, self._count)]
        together, is_trial = kind.choose(count)
        self._chosen.append(_Chosen(kind, together, is_trial, count))
        self._trials += is_trial
        if together:
            self._parallel += 1
            return self._workers
        self._alone += 1
        return 1

    def observe(self, took_ns: float) -> None:
        """The oldest batch chosen for and not observed yet has taken so long; nothing where others chose."""
        if self._chosen:
            batch = self._chosen.popleft()
            follows_other = batch.together != self._was_together
            self._was_together = batch.together
            batch.kind.observe(batch.is_trial, follows_other, max(1, batch.count), max(1.0, took_ns))

    @property
    def choices(self) -> Choices:
        """What was chosen so far."""
        return Choices(self._parallel, self._alone, self._trials)


def class_of(synchronous: float, count: float) -> int:
    """By size of batches, less than 8 commands, 64, 512, or more; and by the share of synchronous ones among them, less than one in
    1,024, 256, 64, 16, 4, or more.
    """
    size = min(_SIZES - 1, (int(count).bit_length() - 1) // 3)
    share = int(synchronous * 1024 / max(1.0, count))
    return max(0, size) * _SHARES + min(_SHARES - 1, (share.bit_length() + 1) // 2)
