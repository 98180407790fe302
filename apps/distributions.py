"""How often which item is chosen, drawn for many calls at once."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

Ranks = np.ndarray[Any, np.dtype[np.int64]]
Generator = np.random.Generator

_OFFSET = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_BYTE = np.uint64(255)


class Distribution(Protocol):
    """Numbers from 0 to `items` − 1."""

    items: int

    def draw(self, generator: Generator, count: int) -> Ranks:
        """`count` numbers."""


class Uniform:
    """Every number as often as any other."""

    def __init__(self, items: int) -> None:
        self.items = items

    def draw(self, generator: Generator, count: int) -> Ranks:
        return generator.integers(0, self.items, count, dtype=np.int64)


class Zipfian:
    """0 the most often, number *r* in proportion to 1 / (r + 1)^exponent.

    By the closed form of Gray et al., *Quickly Generating Billion-Record Synthetic Databases*, SIGMOD 1994, as in YCSB.
    """

    def __init__(self, items: int, exponent: float = 0.99) -> None:
        self.items = items
        self._power = 1.0 / (1.0 - exponent)
        self._total = _weights(items, exponent)
        two = _weights(min(items, 2), exponent)
        self._second = 1.0 + 0.5**exponent
        self._slope = (1.0 - (2.0 / items) ** (1.0 - exponent)) / (1.0 - two / self._total) if items > 2 else 0.0

    def draw(self, generator: Generator, count: int) -> Ranks:
        uniform = generator.random(count)
        ranks = (self.items * (self._slope * uniform - self._slope + 1.0) ** self._power).astype(np.int64)
        mass = uniform * self._total
        ranks[mass < self._second] = 1
        ranks[mass < 1.0] = 0
        return np.minimum(ranks, self.items - 1)


class Weighted:
    """As `Zipfian`, exact and for every exponent, also 1; it keeps a table of all items."""

    def __init__(self, items: int, exponent: float) -> None:
        self.items = items
        weights = 1.0 / np.arange(1, items + 1) ** exponent
        self._bounds = np.cumsum(weights / weights.sum())

    def draw(self, generator: Generator, count: int) -> Ranks:
        return np.minimum(np.searchsorted(self._bounds, generator.random(count), side="right"), self.items - 1)


class Scrambled:
    """Another distribution, its numbers scattered by a hash: popular ones are no neighbours (as in YCSB)."""

    def __init__(self, distribution: Distribution) -> None:
        self.items = distribution.items
        self._distribution = distribution

    def draw(self, generator: Generator, count: int) -> Ranks:
        return scatter(self._distribution.draw(generator, count), self.items)


def scatter(ranks: Ranks, items: int) -> Ranks:
    """FNV-1a of each number, modulo `items`."""
    numbers = ranks.astype(np.uint64)
    hashed = np.full(len(numbers), _OFFSET)
    for shift in range(0, 64, 8):
        hashed = (hashed ^ ((numbers >> np.uint64(shift)) & _BYTE)) * _PRIME
    return (hashed % np.uint64(items)).astype(np.int64)


def _weights(items: int, exponent: float) -> float:
    return float((1.0 / np.arange(1, items + 1) ** exponent).sum())
