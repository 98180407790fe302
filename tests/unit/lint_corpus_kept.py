"""What is kept in modules, classes, attributes, defaults: one fault a service, marked at its line, `# fault CLASS: CODE`."""

# ruff: noqa: B006, B010, RUF012

from __future__ import annotations

import functools
import itertools
import random

from psmr import StateMachine, dependent, u64

CALLS = {"count": 0}
SEEN: list[int] = []
TOTAL = 0
NUMBERS = itertools.count()
LIMIT = 10


def set_limit(limit: int) -> None:
    global LIMIT
    LIMIT = limit


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


class ItemOfAnUndeclaredAttribute(StateMachine):
    @dependent
    def make(self, key: u64) -> None:
        self.seen[key] = 1  # fault ItemOfAnUndeclaredAttribute: attribute


class AppendsToAnUndeclaredAttribute(StateMachine):
    recent: list[int]

    @dependent
    def make(self, key: u64) -> None:
        self._remember(int(key))

    def _remember(self, key: int) -> None:
        recent = self.recent
        recent.append(key)  # fault AppendsToAnUndeclaredAttribute: attribute


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


class IterationOverAKeptIterator(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        for number in NUMBERS:  # fault IterationOverAKeptIterator: global
            return u64(number)
        return key


class CachedProperty(StateMachine):
    @functools.cached_property
    def _limit(self) -> int:
        return 3

    @dependent
    def make(self, key: u64) -> u64:
        return u64(self._limit)  # fault CachedProperty: attribute
