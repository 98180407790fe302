"""The time of one machine, read in many ways: one fault a service, marked at its line, `# fault CLASS: CODE`."""

from __future__ import annotations

import contextlib
import datetime
import functools
import time
import time as t
from datetime import datetime as dt
from time import time as now
from typing import Annotated

import lint_helpers
from lint_helpers import REGION, Journal, stamp

from psmr import Array, Map, Max, StateMachine, dependent, partially_dependent, u64

Word = Annotated[bytes, Max(16)]
wall = time.monotonic
STARTED = time.time_ns()  # fault ConstantFromClock: clock
CLOCKS = {"wall": time.time, "steady": time.monotonic}


class Clock(StateMachine):
    seen = Map(u64, u64, capacity=100)

    @partially_dependent("key")
    def put(self, key: u64) -> None:
        self.seen.put(key, u64(time.time()))  # fault Clock: clock


class ClockUnderAnotherName(StateMachine):
    seen = Map(u64, u64, capacity=100)

    @partially_dependent("key")
    def put(self, key: u64) -> None:
        at = t.perf_counter_ns()  # fault ClockUnderAnotherName: clock
        self.seen.put(key, u64(at))


class ClockImportedByName(StateMachine):
    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        return u64(now())  # fault ClockImportedByName: clock


class ClockAssignedToAName(StateMachine):
    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        return u64(wall())  # fault ClockAssignedToAName: clock


class ClockInALocalName(StateMachine):
    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        clock = time.time  # fault ClockInALocalName: clock
        return u64(clock())


class ClockOfDatetime(StateMachine):
    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        return u64(datetime.datetime.now().year)  # fault ClockOfDatetime: clock


class ClockOfDatetimeByName(StateMachine):
    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        return u64(dt.utcnow().year)  # fault ClockOfDatetimeByName: clock


class Today(StateMachine):
    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        return u64(datetime.date.today().toordinal())  # fault Today: clock


class ClockChosenFromADict(StateMachine):
    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        return u64(CLOCKS["wall"]())  # fault ClockChosenFromADict: clock


class ClockAsADefault(StateMachine):
    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        return u64(self._stamped())

    def _stamped(self, at: float = time.time()) -> int:  # fault ClockAsADefault: clock
        return int(at)


class ConstantFromClock(StateMachine):
    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        return u64(STARTED)


class ConstantOfAnotherModule(StateMachine):
    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        return u64(len(REGION))


class FunctionOfAnotherModule(StateMachine):
    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        return u64(stamp())


class FarAway(StateMachine):
    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        return u64(self._one(key))

    def _one(self, key: u64) -> int:
        return _two(int(key))


def _two(key: int) -> int:
    return lint_helpers.drawn(key)


class Stamping(StateMachine):
    log = Array(u64, capacity=10)

    def _stamp(self) -> u64:
        return u64(t.time_ns())  # fault Inheriting: clock


class Inheriting(Stamping):
    @partially_dependent("key")
    def put(self, key: u64) -> u64:
        return super()._stamp()


class MethodOfAnInstance(StateMachine):
    @partially_dependent("key")
    def put(self, key: u64) -> None:
        journal = Journal("journal.txt")
        journal.write(str(key))


class ImportsAClockInside(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        from time import monotonic_ns as steady

        return u64(steady())  # fault ImportsAClockInside: clock


class CallsBack(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        return u64(functools.reduce(_joined, word, 0))


def _joined(left: int, right: int) -> int:
    return left + right + int(time.process_time())  # fault CallsBack: clock


class Decorated(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64(_cached(int(key)))


@functools.lru_cache
def _cached(key: int) -> int:
    return key + int(time.time())  # fault Decorated: clock


class AllowedWithoutAReason(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64(time.time())  # psmr: allow clock  # fault AllowedWithoutAReason: clock, allowance


class ReadsAClassClock(StateMachine):
    began = time.time()  # fault ReadsAClassClock: clock

    @dependent
    def make(self, key: u64) -> u64:
        return u64(self.began)


class Sleeps(StateMachine):
    @dependent
    def make(self, key: u64) -> None:
        t.sleep(0.1)  # fault Sleeps: clock


class InsideAProperty(StateMachine):
    @property
    def _today(self) -> int:
        return int(now())  # fault InsideAProperty: clock

    @dependent
    def make(self, key: u64) -> u64:
        return u64(self._today)


def _step_20(value: int) -> int:
    return value + int(time.time())  # fault LongChain: clock


def _step_19(value: int) -> int:
    return _step_20(value)


def _step_18(value: int) -> int:
    return _step_19(value)


def _step_17(value: int) -> int:
    return _step_18(value)


def _step_16(value: int) -> int:
    return _step_17(value)


def _step_15(value: int) -> int:
    return _step_16(value)


def _step_14(value: int) -> int:
    return _step_15(value)


def _step_13(value: int) -> int:
    return _step_14(value)


def _step_12(value: int) -> int:
    return _step_13(value)


def _step_11(value: int) -> int:
    return _step_12(value)


def _step_10(value: int) -> int:
    return _step_11(value)


def _step_9(value: int) -> int:
    return _step_10(value)


def _step_8(value: int) -> int:
    return _step_9(value)


def _step_7(value: int) -> int:
    return _step_8(value)


def _step_6(value: int) -> int:
    return _step_7(value)


def _step_5(value: int) -> int:
    return _step_6(value)


def _step_4(value: int) -> int:
    return _step_5(value)


def _step_3(value: int) -> int:
    return _step_4(value)


def _step_2(value: int) -> int:
    return _step_3(value)


def _step_1(value: int) -> int:
    return _step_2(value)


class LongChain(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64(_step_1(int(key)))


@contextlib.contextmanager
def _timed():
    yield int(now())  # fault InsideAContext: clock


class InsideAContext(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        with _timed() as at:
            return u64(at)
