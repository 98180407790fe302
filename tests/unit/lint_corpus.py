"""Services with one fault each that makes replicas differ, named at its line: `# fault CLASS: CODE`."""

# ruff: noqa: B006, B010, B012, BLE001, C420, E722, RUF012, RUF015, SIM105, SIM113

from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime
import functools
import gc
import getpass
import itertools
import locale
import math
import os
import platform
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import time as t
import urllib.request
import uuid
import weakref
from dataclasses import dataclass, field
from datetime import datetime as dt
from pathlib import Path
from random import Random
from time import time as now
from typing import Annotated

import lint_helpers
import numba
import numpy as np
from lint_helpers import REGION, Journal, stamp
from numpy.random import default_rng

from psmr import Array, Map, Max, StateMachine, dependent, f64, partially_dependent, u64

Word = Annotated[bytes, Max(16)]
wall = time.monotonic
CALLS = {"count": 0}
SEEN: list[int] = []
TOTAL = 0
NUMBERS = itertools.count()
STARTED = time.time_ns()  # fault ConstantFromClock: clock
KINDS = frozenset({b"a", b"b"})
CLOCKS = {"wall": time.time, "steady": time.monotonic}
RNG = random.Random(7)
LIMIT = 10
EMPTY = b""


def set_limit(limit: int) -> None:
    global LIMIT
    LIMIT = limit


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


class Dice(StateMachine):
    @partially_dependent("key")
    def roll(self, key: u64) -> u64:
        return u64(random.randrange(6))  # fault Dice: random


class UnseededGenerator(StateMachine):
    @partially_dependent("key")
    def roll(self, key: u64) -> u64:
        return u64(Random().randrange(6))  # fault UnseededGenerator: random


class GeneratorThatIsKept(StateMachine):
    @partially_dependent("key")
    def roll(self, key: u64) -> u64:
        return u64(RNG.randrange(6))  # fault GeneratorThatIsKept: random


class NumpyRandom(StateMachine):
    @partially_dependent("key")
    def roll(self, key: u64) -> u64:
        return u64(np.random.randint(6))  # fault NumpyRandom: random


class NumpyGenerator(StateMachine):
    @partially_dependent("key")
    def roll(self, key: u64) -> u64:
        return u64(default_rng().integers(6))  # fault NumpyGenerator: random


class Secret(StateMachine):
    @partially_dependent("key")
    def token(self, key: u64) -> Word:
        return secrets.token_bytes(16)  # fault Secret: random


class Identifier(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> Word:
        return uuid.uuid4().bytes  # fault Identifier: random


class SystemRandomness(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> Word:
        return os.urandom(16)  # fault SystemRandomness: random


class AddressOfAnObject(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(id(key))  # fault AddressOfAnObject: id


class SaltedHash(StateMachine):
    @partially_dependent("key")
    def make(self, key: Word) -> u64:
        return u64(hash(key) & 255)  # fault SaltedHash: hash


class HashOfATuple(StateMachine):
    @partially_dependent("key")
    def make(self, key: Word) -> u64:
        return u64((key, b"x").__hash__() & 255)  # fault HashOfATuple: hash


class Environment(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(os.environ["HOME"]))  # fault Environment: environment


class EnvironmentByFunction(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(os.getenv("HOME", "")))  # fault EnvironmentByFunction: environment


class Arguments(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(sys.argv))  # fault Arguments: environment


class Machine(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(platform.node()))  # fault Machine: environment


class WhoRunsIt(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(getpass.getuser()))  # fault WhoRunsIt: environment


class Locale(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(locale.currency(5)))  # fault Locale: environment


class WorkingDirectory(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(os.getcwd()))  # fault WorkingDirectory: environment


class OpensAFile(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        with open("table.txt") as file:  # fault OpensAFile: file
            return u64(len(file.read()))


class ReadsAPath(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(Path("table.txt").read_bytes()))  # fault ReadsAPath: file


class Connects(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        with socket.create_connection(("rates", 80)) as link:  # fault Connects: network
            return u64(link.recv(1)[0])


class Requests(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(urllib.request.urlopen("http://rates").status)  # fault Requests: network


class StartsAThread(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> None:
        threading.Thread(target=stamp_nothing).start()  # fault StartsAThread: thread


def stamp_nothing() -> None:
    return None


class RunsAProgram(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(subprocess.run(["true"]).returncode)  # fault RunsAProgram: process


class AsksAPerson(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(int(input()))  # fault AsksAPerson: input


class IteratesOverASet(StateMachine):
    table = Map[bytes, u64](Max(16), u64, capacity=100)

    @dependent
    def make(self, word: Word) -> None:
        parts = {word[:1], word[1:2], word[2:]}
        place = 0
        for part in parts:  # fault IteratesOverASet: set-order
            self.table.put(part, u64(place))
            place += 1


class IteratesOverAConstantSet(StateMachine):
    @dependent
    def make(self, word: Word) -> Word:
        result = b""
        for kind in KINDS:  # fault IteratesOverAConstantSet: set-order
            result += kind
        return result


class ListOfASet(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        return u64(list(set(word))[0])  # fault ListOfASet: set-order


class PopsFromASet(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        left = set(word)
        left.discard(0)
        return u64(left.pop())  # fault PopsFromASet: set-order


class FirstOfASet(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        return u64(next(iter(set(word) | {1})))  # fault FirstOfASet: set-order


class DictFromASet(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        places = {part: 0 for part in frozenset(word)}  # fault DictFromASet: set-order
        return u64(next(iter(places)))


class SetGivenToAFunction(StateMachine):
    @dependent
    def make(self, word: Word) -> Word:
        return _together(set(word))


def _together(parts):
    return b"".join(bytes([part]) for part in parts)  # fault SetGivenToAFunction: set-order


class SetReturnedByAMethod(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        first, *_ = self._parts(word)  # fault SetReturnedByAMethod: set-order
        return u64(first)

    def _parts(self, word):
        return {*word}


class TiesOfASet(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        return u64(max({word[:1], word[1:]}, key=len)[0])  # fault TiesOfASet: set-order


class KeysOfBoth(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        left, right = dict.fromkeys(word), dict.fromkeys(word[1:])
        return u64(list(left.keys() & right.keys())[0])  # fault KeysOfBoth: set-order


class SetsInADict(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        places = {}
        for place, byte in enumerate(word):
            places.setdefault(byte & 1, set()).add(place)
        total = 0
        for group in places.values():
            for place in group:  # fault SetsInADict: set-order
                total = total * 3 + place
        return u64(total)


class SetsInADefaultDict(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        places = collections.defaultdict(set)
        for place, byte in enumerate(word):
            places[byte & 1].add(place)
        total = 0
        for key, group in places.items():
            total += key * len(group)
            total = total * 3 + tuple(group)[0]  # fault SetsInADefaultDict: set-order
        return u64(total)


class ListOfFloats(StateMachine):
    rates = Array(f64, capacity=10)

    @dependent
    def make(self, count: u64) -> f64:
        found = []
        for place in range(int(count)):
            found.append(self.rates[place])
        found.sort()  # fault ListOfFloats: nan
        return f64(found[0])


class SumOverASet(StateMachine):
    @dependent
    def make(self, a: f64, b: f64, c: f64) -> f64:
        if a != a or b != b or c != c:
            raise ValueError("not a number")
        return f64(sum({a, b, c}))  # fault SumOverASet: float-order


class DotProduct(StateMachine):
    @dependent
    def make(self, a: f64, b: f64) -> f64:
        return f64(np.dot(np.array([a, b]), np.array([b, a])))  # fault DotProduct: float-order


@numba.njit(fastmath=True)
def _fast(a: float, b: float) -> float:
    return a + b


class FastMath(StateMachine):
    @dependent
    def make(self, a: f64, b: f64) -> f64:
        return f64(_fast(a, b))  # fault FastMath: float-order


class Exponential(StateMachine):
    @dependent
    def make(self, a: f64) -> f64:
        return f64(math.exp(a))  # fault Exponential: float-math


class PowerOfAFloat(StateMachine):
    rates = Array(f64, capacity=10)

    @dependent
    def make(self, place: u64) -> f64:
        return f64(self.rates[place] ** 2)  # fault PowerOfAFloat: float-math


class FloatsCompared(StateMachine):
    rates = Array(f64, capacity=10)

    @dependent
    def make(self, place: u64, rate: f64) -> bool:
        return bool(self.rates[place] == rate)  # fault FloatsCompared: nan


class GreatestFloat(StateMachine):
    rates = Array(f64, capacity=10)

    @dependent
    def make(self, place: u64, rate: f64) -> None:
        self.rates[place] = max(self.rates[place], rate)  # fault GreatestFloat: nan


class SortedFloats(StateMachine):
    rates = Array(f64, capacity=10)

    @dependent
    def make(self, a: f64, b: f64, c: f64) -> f64:
        return f64(sorted([a, b, c])[1])  # fault SortedFloats: nan


class FloatAsAKey(StateMachine):
    @dependent
    def make(self, a: f64, b: f64) -> u64:
        counts = {}
        counts[a] = 1  # fault FloatAsAKey: nan
        return u64(len(counts))


class ModuleVariable(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        CALLS["count"] += 1  # fault ModuleVariable: global
        return u64(3)


class ModuleList(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        seen = SEEN
        seen.append(int(key))  # fault ModuleList: global
        return u64(3)


class GlobalStatement(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        global TOTAL
        TOTAL += 1  # fault GlobalStatement: global
        return u64(3)


class VariableChangedElsewhere(StateMachine):
    @dependent
    def make(self, key: u64) -> bool:
        return bool(key < LIMIT)  # fault VariableChangedElsewhere: global


class SharedCounter(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64(next(NUMBERS))  # fault SharedCounter: global


def _counter():
    count = 0

    def advance():
        nonlocal count
        count += 1  # fault ClosureVariable: global
        return count

    return advance


ADVANCE = _counter()


class ClosureVariable(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64(ADVANCE())


class ClassDict(StateMachine):
    cache = {}

    @dependent
    def make(self, key: u64) -> None:
        self.cache[int(key)] = 1  # fault ClassDict: class-attribute


class ClassCounter(StateMachine):
    count = 0

    @dependent
    def make(self, key: u64) -> None:
        ClassCounter.count += 1  # fault ClassCounter: class-attribute


class CounterOfItsType(StateMachine):
    count = 0

    @dependent
    def make(self, key: u64) -> None:
        type(self).count = 5  # fault CounterOfItsType: class-attribute


class OwnAttribute(StateMachine):
    @dependent
    def make(self, key: u64) -> None:
        self.last = key  # fault OwnAttribute: attribute


class OwnAttributeByFunction(StateMachine):
    @dependent
    def make(self, key: u64) -> None:
        setattr(self, "last", key)  # fault OwnAttributeByFunction: attribute


class KeepsAGenerator(StateMachine):
    @dependent
    def make(self, key: u64) -> None:
        self.pending = (step for step in range(int(key)))  # fault KeepsAGenerator: kept


class KeepsAClosure(StateMachine):
    @dependent
    def make(self, key: u64) -> None:
        self.check = lambda value: value == key  # fault KeepsAClosure: kept


class MutableDefault(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64(len(self._remember(int(key))))

    def _remember(self, key: int, earlier: list[int] = []) -> list[int]:  # fault MutableDefault: default
        return [*earlier, key]


class BareExcept(StateMachine):
    table = Map(u64, u64, capacity=100)

    @dependent
    def make(self, key: u64) -> None:
        try:
            self.table.put(key, key)
        except:  # fault BareExcept: swallowed
            pass


class BroadExcept(StateMachine):
    table = Map(u64, u64, capacity=100)

    @dependent
    def make(self, key: u64) -> bool:
        try:
            self.table.put(key, key)
        except (KeyError, Exception):  # fault BroadExcept: swallowed
            return False
        return True


class Suppressed(StateMachine):
    table = Map(u64, u64, capacity=100)

    @dependent
    def make(self, key: u64) -> None:
        with contextlib.suppress(Exception):  # fault Suppressed: swallowed
            self.table.put(key, key)


class DeepRecursion(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        try:
            return self._down(key)
        except RecursionError:  # fault DeepRecursion: swallowed
            return u64(0)

    def _down(self, key: u64) -> u64:
        return self._down(key - u64(1)) if key else u64(1)


class Reference(StateMachine):
    @dependent
    def make(self, key: u64) -> bool:
        return weakref.ref(Token())() is None  # fault Reference: finalizer


class Token:
    pass


class Collects(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64(gc.collect())  # fault Collects: finalizer


class Closing:
    def __del__(self) -> None:
        return None


class HasADestructor(StateMachine):
    @dependent
    def make(self, key: u64) -> None:
        Closing()  # fault HasADestructor: finalizer


class TextOfAnObject(StateMachine):
    @dependent
    def make(self, key: u64) -> Word:
        return repr(Token()).encode()[:16]  # fault TextOfAnObject: address


class TextInsideText(StateMachine):
    @dependent
    def make(self, key: u64) -> Word:
        token = Token()
        return f"{token}".encode()[:16]  # fault TextInsideText: address


class IsANumber(StateMachine):
    @dependent
    def make(self, key: u64, other: u64) -> bool:
        return key is other  # fault IsANumber: is


class IsText(StateMachine):
    @dependent
    def make(self, key: Word) -> bool:
        return key is EMPTY  # fault IsText: is


class RunsALoop(StateMachine):
    @dependent
    def make(self, key: u64) -> None:
        asyncio.run(None)  # fault RunsALoop: async


class Evaluates(StateMachine):
    @dependent
    def make(self, text: Word) -> u64:
        return u64(eval(text))  # fault Evaluates: dynamic


class ImportsInside(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        import lint_never_loaded  # fault ImportsInside: import

        return u64(lint_never_loaded.value())


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


class SwallowedByFinally(StateMachine):
    table = Map(u64, u64, capacity=100)

    @dependent
    def make(self, key: u64) -> bool:
        try:
            self.table.put(key, key)
        finally:
            return True  # fault SwallowedByFinally: swallowed


class KeepsFromAnEarlyLoop(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        parts = []
        total = 0
        for place in range(2):
            for part in parts:  # fault KeepsFromAnEarlyLoop: set-order
                total = total * 3 + part
            parts = set(word[place:])
        return u64(total)


class SetInAnObject(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        return u64(_first(_Holder(word)))


class _Holder:
    def __init__(self, word: bytes) -> None:
        self.parts = set(word)


def _first(holder) -> int:
    for part in holder.parts:  # fault SetInAnObject: set-order
        return int(part)
    return 0


class PathByAnotherName(StateMachine):
    @dependent
    def make(self, key: u64) -> bool:
        return os.path.exists("table.txt")  # fault PathByAnotherName: file


class Joined(StateMachine):
    @dependent
    def make(self, word: Word) -> Word:
        return b"/".join({word[:1], word[1:]})  # fault Joined: set-order


class TextOfASet(StateMachine):
    @dependent
    def make(self, word: Word) -> Word:
        return str({word[:1], word[1:]}).encode()[:16]  # fault TextOfASet: set-order


class MatrixProduct(StateMachine):
    @dependent
    def make(self, a: f64, b: f64) -> f64:
        left = np.array([a, b])
        return f64(left @ left)  # fault MatrixProduct: float-order


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


class InsideAStaticMethod(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64(self._drawn() + InsideAStaticMethod._kept(int(key)))

    @staticmethod
    def _drawn() -> int:
        return random.getrandbits(3)  # fault InsideAStaticMethod: random

    @classmethod
    def _kept(cls, key: int) -> int:
        cls.latest = key  # fault InsideAStaticMethod: class-attribute
        return key


class InsideALambda(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        return u64(sorted(word, key=lambda byte: byte ^ id(word))[0])  # fault InsideALambda: id


class IterationOverAKeptIterator(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        for number in NUMBERS:  # fault IterationOverAKeptIterator: global
            return u64(number)
        return key


class Many(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        value = id(key)  # fault Many: id
        value += int(now())  # fault Many: clock
        value += random.getrandbits(3)  # fault Many: random
        value += hash(b"x")  # fault Many: hash
        value += len(os.environ)  # fault Many: environment
        value += int(math.sin(1.0))  # fault Many: float-math
        return u64(value)


class Addressed:
    def __repr__(self) -> str:
        return f"<{id(self)}>"  # fault TextThatHoldsAnAddress: id


class TextThatHoldsAnAddress(StateMachine):
    @dependent
    def make(self, key: u64) -> Word:
        return str(Addressed()).encode()[:16]


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


@dataclass
class Ticket:
    number: uuid.UUID = field(default_factory=uuid.uuid1)  # fault DefaultFactory: random
    lots: list[int] = field(default_factory=list)


class DefaultFactory(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64(Ticket().number.int & 3)


class WeakSet(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64(len(weakref.WeakSet([Token()])))  # fault WeakSet: finalizer


class CachedProperty(StateMachine):
    @functools.cached_property
    def _limit(self) -> int:
        return 3

    @dependent
    def make(self, key: u64) -> u64:
        return u64(self._limit)  # fault CachedProperty: attribute


@contextlib.contextmanager
def _timed():
    yield int(now())  # fault InsideAContext: clock


class InsideAContext(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        with _timed() as at:
            return u64(at)
