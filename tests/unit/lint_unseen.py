"""Services whose replicas may differ for a reason that their text does not show: the check finds nothing in them."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from psmr import Max, StateMachine, dependent, f64, u64

Word = Annotated[bytes, Max(16)]
_HANDLERS: dict[str, Any] = {}


class MemoryNobodyWrote(StateMachine):
    """A library's function gives whatever lay there: by its name it is as harmless as `np.zeros`."""

    @dependent
    def make(self, place: u64) -> u64:
        return u64(int(np.empty(4, np.uint64)[place % u64(4)]))


class FromAnExtension(StateMachine):
    """What compiled code returns is not looked at; this stands for an extension that reads a clock."""

    @dependent
    def make(self, place: u64) -> u64:
        return u64(np.busday_count("2020-01-01", "2020-02-01"))


class CalledByAComputedName(StateMachine):
    """Which function this is, is known only when it runs."""

    @dependent
    def make(self, key: Word) -> u64:
        return u64(getattr(self, "_" + key.decode())())

    def _clock(self) -> int:
        import time

        return int(time.time())


class FoundAtRunTime(StateMachine):
    """Who put the function there, and which, is not written where it is called."""

    @dependent
    def make(self, key: Word) -> u64:
        return u64(_HANDLERS[key.decode()]())


class OptimisedAway(StateMachine):
    """`python -O` leaves the assertion out: one replica raises, another does not."""

    @dependent
    def make(self, key: u64) -> u64:
        assert key != u64(3)
        return key


class NotANumberFromAfar(StateMachine):
    """Nothing says that these are floats."""

    @dependent
    def make(self, rate: f64) -> u64:
        return u64(len(_ordered(_scaled(rate), _scaled(0.5))))


def _scaled(value):  # type: ignore[no-untyped-def]
    return np.multiply(value, 2)


def _ordered(left, right):  # type: ignore[no-untyped-def]
    return [left, right] if left == right else sorted([left, right])
