"""Services in which nothing makes replicas differ, though some of it looks as if it did."""

from __future__ import annotations

import bisect
import enum
import functools
import hashlib
import heapq
import itertools
import math
import os.path
import random
import struct
import time
import uuid
import zlib
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import lint_helpers
import numba
import numpy as np
from lint_helpers import LIMITS, mixed

from psmr import (
    Array,
    Map,
    Max,
    Scratch,
    StateMachine,
    Table,
    dependent,
    f64,
    i64,
    independent,
    partially_dependent,
    u64,
)

Word = Annotated[bytes, Max(64)]
FEES = {1: 5, 2: 10}
STEPS = (3, 5, 8)
KNOWN = frozenset({b"a", b"b"})
LOADED_AT = time.time()
HEAD = struct.Struct("<HI")
SPACE = uuid.UUID(int=7)


class Side(enum.IntEnum):
    BUY = 1
    SELL = 2


class Fill(NamedTuple):
    price: int
    lots: int


@dataclass
class Level:
    price: int
    orders: list[int] = field(default_factory=list)

    def add(self, order: int) -> None:
        self.orders.append(order)


@numba.njit
def _squared(value: int) -> int:
    return value * value


def seconds_since_loading() -> float:
    """For operators; no handler calls it."""
    return time.time() - LOADED_AT


class Accounts(StateMachine):
    balance = Map(u64, i64, capacity=1000)

    @partially_dependent("account")
    def deposit(self, account: u64, amount: i64) -> i64:
        self.balance.put(account, self.balance.get(account, 0) + amount)
        return self.balance.get(account, 0)

    @partially_dependent("source", "target", domain="account")
    def transfer(self, source: u64, target: u64, amount: i64) -> bool:
        if self.balance.get(source, 0) < amount:
            raise ValueError("the account does not hold that much")
        self.balance.put(source, self.balance.get(source, 0) - amount)
        self.balance.put(target, self.balance.get(target, 0) + amount)
        return True


class Stamped(StateMachine):
    at = Map(u64, i64, capacity=1000)

    @partially_dependent("key")
    def touch(self, key: u64) -> i64:
        self.at.put(key, self.now_us)
        return self.now_us


class SeededDice(StateMachine):
    draws = Array(u64, capacity=1)

    @dependent
    def roll(self, seed: u64) -> u64:
        self.draws[0] = self.draws[0] + u64(1)
        dice = random.Random(int(seed) * 1000 + int(self.draws[0]))
        return u64(dice.randrange(6))

    @dependent
    def shuffle(self, seed: u64) -> u64:
        return u64(np.random.default_rng(int(seed)).integers(6))


class SortedSets(StateMachine):
    @independent
    def parts(self, word: Word) -> Word:
        parts = {word[:1], word[1:2]}
        parts |= {b"x"}
        parts.discard(b"")
        result = b""
        for part in sorted(parts):
            result += part
        return result if b"x" in parts and len(parts) > 1 else b""


class SetsWithoutOrder(StateMachine):
    @independent
    def count(self, word: Word) -> u64:
        seen = set(word)
        total = sum(1 for byte in seen if byte > 3)
        fits = any(byte > 200 for byte in seen) and not all(byte in (1, 2) for byte in seen)
        smallest = min(seen, default=0)
        squares = {byte * byte for byte in seen}
        if fits and word in KNOWN and seen.isdisjoint({9}):
            total += len(squares)
        return u64(total + smallest)


class Dicts(StateMachine):
    @independent
    def first(self, word: Word) -> u64:
        counts: dict[int, int] = {}
        for byte in word:
            counts[byte] = counts.get(byte, 0) + 1
        best = max(counts, key=lambda byte: (counts[byte], byte))
        total = 0
        for byte, count in counts.items():
            total = total * 3 + byte * count
        counts.clear()
        return u64(total + best)


class Fees(StateMachine):
    paid = Map(u64, u64, capacity=100)

    @partially_dependent("key")
    def pay(self, key: u64, kind: u64) -> u64:
        fee = FEES[int(kind)] + LIMITS.get(int(kind), 0) + lint_helpers.SALT
        for step in STEPS:
            fee += step
        self.paid.put(key, u64(fee))
        return u64(mixed(fee))


class Floats(StateMachine):
    rates = Array(f64, capacity=10)

    @partially_dependent("place")
    def update(self, place: u64, rate: f64) -> f64:
        if rate != rate or math.isinf(rate):
            raise ValueError("not a number")
        if rate == 0.0:
            return f64(0.0)
        self.rates[place] = self.rates[place] * 0.5 + max(rate, 1.0) * 0.5
        return f64(math.sqrt(rate) + math.floor(rate))

    @dependent(access="read")
    def total(self) -> f64:
        return f64(math.fsum(self.rates[place] for place in range(10)))


class Guarded(StateMachine):
    @independent
    def middle(self, a: f64, b: f64, c: f64) -> f64:
        if math.isnan(a) or math.isnan(b) or math.isnan(c):
            raise ValueError("not a number")
        return f64(sorted([a, b, c])[1])


class Levels(StateMachine):
    @independent
    def build(self, price: u64, order: u64) -> u64:
        level = Level(int(price))
        level.add(int(order))
        level.orders.append(3)
        fill = Fill(price=level.price, lots=len(level.orders))
        return u64(fill.price * fill.lots + Side.BUY)


class Closures(StateMachine):
    @independent
    def count(self, limit: u64) -> u64:
        total = 0

        def add(value: int) -> None:
            nonlocal total
            total += value

        for value in range(int(limit)):
            add(value)
        steps = (step for step in STEPS)
        return u64(total + sum(steps) + next(iter(STEPS)))


class Errors(StateMachine):
    table = Map(u64, u64, capacity=100)

    @partially_dependent("key")
    def take(self, key: u64) -> u64:
        try:
            found = FEES[int(key)]
        except KeyError:
            found = 0
        try:
            self.table.put(key, u64(found))
        except Exception as error:
            raise ValueError(f"no room: {error}") from error
        return u64(found)


class Hashes(StateMachine):
    @independent
    def digest(self, word: Word) -> Word:
        named = uuid.uuid5(SPACE, "name").bytes
        return hashlib.blake2b(word + named, digest_size=16).digest()

    @independent
    def checksum(self, word: Word, place: u64) -> u64:
        return u64(zlib.crc32(word) + hash(int(place)))


class Packed(StateMachine):
    built = Scratch(64)

    @independent
    def pack(self, kind: u64, size: u64) -> Word:
        self.built.begin()
        self.built.append(HEAD.pack(int(kind) & 0xFFFF, int(size) & 0xFF))
        return self.built.value()


class Books(StateMachine):
    orders = Table(capacity=100, price=i64, lots=u64)

    @partially_dependent("place")
    def amend(self, place: u64, price: i64, lots: u64) -> i64:
        before = self.orders.price[place]
        self.orders.price[place] = price
        self.orders.lots[place] = lots
        return before if before is not None else price


class Texts(StateMachine):
    @independent
    def describe(self, key: u64, word: Word) -> Word:
        text = f"{key} of {len(word)}" + "/".join(str(byte) for byte in word)
        return os.path.join("a", text).encode()[:64]


class Compiled(StateMachine):
    @independent
    def square(self, key: u64) -> u64:
        return u64(_squared(int(key)))


class Queues(StateMachine):
    @independent
    def order(self, word: Word) -> u64:
        waiting = deque(word)
        waiting.rotate(1)
        heap = list(waiting)
        heapq.heapify(heap)
        grouped: dict[int, list[int]] = defaultdict(list)
        for byte in heap:
            grouped[byte & 3].append(byte)
        place = bisect.bisect_left(sorted(heap), 5)
        counted = Counter(word).most_common(1)
        pairs = list(itertools.accumulate(heap))
        return u64(place + len(grouped) + len(counted) + functools.reduce(lambda a, b: a ^ b, pairs, 0))


class Dispatching(StateMachine):
    @independent
    def apply(self, kind: u64, value: u64) -> u64:
        return u64(_ACTIONS[int(kind) % 2](int(value)))


def _doubled(value: int) -> int:
    return value * 2


def _halved(value: int) -> int:
    return value // 2


_ACTIONS = {0: _doubled, 1: _halved}


class Base(StateMachine):
    count = Array(u64, capacity=4)
    WIDTH = 4

    def _next(self, place: u64) -> u64:
        self.count[place] = self.count[place] + u64(1)
        return self.count[place]


class Derived(Base):
    @dependent
    def advance(self, place: u64) -> u64:
        return self._next(place % u64(self.WIDTH)) + super()._next(place % u64(Derived.WIDTH))


class Grouped(StateMachine):
    @independent
    def count(self, word: Word) -> u64:
        groups: dict[int, set[int]] = {}
        named: dict[bytes, list[int]] = {}
        for place, byte in enumerate(word):
            groups.setdefault(byte & 1, set()).add(place)
            named.setdefault(word[place : place + 1], []).append(place)
        total = 0
        for key, group in groups.items():
            total += key * len(group) + max(group)
            for place in sorted(group):
                total = total * 3 + place
        for name, places in named.items():
            for byte in name:
                total += byte
            for place in places:
                total = total * 5 + place
        return u64(total)


class Recursive(StateMachine):
    @independent
    def gcd(self, a: u64, b: u64) -> u64:
        return self._gcd(a, b)

    def _gcd(self, a: u64, b: u64) -> u64:
        return a if b == 0 else self._gcd(b, a % b)


class Place:
    """Written out by hand, as keys often are."""

    def __init__(self, row: int, column: int) -> None:
        self.row = row
        self.column = column

    def __hash__(self) -> int:
        return hash((self.row, "place", self.column))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and (self.row, self.column) == (other.row, other.column)

    def __str__(self) -> str:
        return f"{self.row}:{self.column}"


class Places(StateMachine):
    @independent
    def count(self, row: u64, side: u64) -> u64:
        places = {Place(int(row), 1): 1, Place(int(row), 2): 2}
        chosen = Side(int(side))
        is_buy = chosen is Side.BUY
        best = places.get(Place(int(row), 1), 0) if is_buy is True else 0
        return u64(len(f"{Place(1, 2)} {chosen.name}") + best)


class Matching(StateMachine):
    @independent
    def match(self, kind: u64, word: Word) -> u64:
        match int(kind):
            case 0:
                return u64(len(word))
            case 1 | 2:
                return u64(word[0]) if (first := word[:1]) else u64(len(first))
            case other:
                return u64(other)


class Flags(StateMachine):
    flags = Map(u64, bool, capacity=100)

    @partially_dependent("key")
    def flip(self, key: u64, value: bool) -> bool:
        found = self.flags.get(key)
        self.flags.put(key, value if found is None else not found)
        return found is not None and found is not False
