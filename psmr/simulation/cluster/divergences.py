"""Replicas that do another thing with a command than the others: which, and what, drawn from a seed.

A real one does so because of a clock, a broken memory or another library. Here it does so because it is told to; all the rest,
the digests that replicas tell each other and who stops, is production code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

_UNMARKED_RATE = 0.15
_PLANTED_RATE = 0.4
_NOBODY_RIGHT_RATE = 0.25
_ALIKE_RATE = 0.5
_PASSING_RATE = 0.25
_OPERATIONS = 20


@dataclass(frozen=True, slots=True)
class Wrong:
    """What a replica does wrong: the first command that writes, of those of the log with the number `operation` or a higher one.

    `what` comes out otherwise: "state", "reply" or "event". It differs by `flavour`, so those of one flavour do the same. One
    that `passes` is not done again after a restart from before it, which comes soon.
    """

    operation: int
    what: str
    flavour: int
    passes: bool = False


@dataclass(frozen=True, slots=True)
class DigestConditions:
    """`unmarked`: replicas whose sums begin anew at each start, as if from snapshots of before there were digests.

    `wrong`: what each replica does wrong; a minority, or all of them, in different ways.
    """

    unmarked: frozenset[int] = frozenset()
    wrong: Mapping[int, Wrong] = field(default_factory=dict)

    @classmethod
    def drawn(cls, random: Random, replicas: int, plan: Sequence[str]) -> DigestConditions:
        """Nobody errs where few vote, or members come and go: there it is not certain who the majority is."""
        unmarked = random.random() < _UNMARKED_RATE
        if plan or replicas < 3 or random.random() >= _PLANTED_RATE:
            return cls(frozenset(me for me in range(replicas) if unmarked and random.random() < 0.5))
        if random.random() < _NOBODY_RIGHT_RATE:
            operation, what = _operation(random), _what(random)
            return cls(wrong={me: Wrong(operation, what, 1 + me) for me in range(replicas)})
        wrong: dict[int, Wrong] = {}
        for me in random.sample(range(replicas), random.randrange((replicas - 1) // 2) + 1):
            alike = next(iter(wrong.values()), None) if random.random() < _ALIKE_RATE else None
            wrong[me] = alike or _drawn(random, 1 + me)
        return cls(wrong=wrong)


def _operation(random: Random) -> int:
    return 1 + random.randrange(_OPERATIONS)


def _what(random: Random) -> str:
    return random.choice(("state", "reply", "event"))


def _drawn(random: Random, flavour: int) -> Wrong:
    if random.random() < _PASSING_RATE:
        # Only a reply: other events than those in its files a replica notices by itself when it starts again.
        return Wrong(_operation(random), "reply", flavour, passes=True)
    return Wrong(_operation(random), _what(random), flavour)
