"""The order of sets, of float additions, of NaN: one fault a service, marked at its line, `# fault CLASS: CODE`."""

# ruff: noqa: C420, RUF015, SIM113

from __future__ import annotations

import collections
import math
from typing import Annotated

import numba
import numpy as np

from psmr import Array, Map, Max, StateMachine, dependent, f64, u64

Word = Annotated[bytes, Max(16)]
KINDS = frozenset({b"a", b"b"})


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
