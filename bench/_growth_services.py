"""The same three commands over a map and over an array: what grows under them is the bench's business.

A capacity is a ceiling, and memory comes with the first touch: with few keys in it, each of these holds its content as
one declared for few keys would, so one class serves every number of keys.
"""

from __future__ import annotations

from psmr import Array, Map, StateMachine, i64, partially_dependent, u64

KEYS_MAX = 100_000_000


class GrowingMap(StateMachine):
    """Numbers under integer keys, in a hash map."""

    cells = Map(i64, u64, capacity=KEYS_MAX)

    @partially_dependent("key", access="read")
    def get(self, key: i64) -> u64:
        """The key's number; 0 before the first put."""
        return self.cells.get(key, 0)

    @partially_dependent("key")
    def put(self, key: i64, value: u64) -> None:
        """Set the key's number."""
        self.cells.put(key, value)

    @partially_dependent("key")
    def add(self, key: i64, amount: u64) -> u64:
        """Add to the key's number, modulo 2⁶⁴: what it is now."""
        value = self.cells.get(key, 0) + amount
        self.cells.put(key, value)
        return value


class GrowingArray(StateMachine):
    """Numbers in the rows of an array."""

    cells = Array(u64, capacity=KEYS_MAX)

    @partially_dependent("key", access="read")
    def get(self, key: i64) -> u64:
        """The row's number; 0 before the first put."""
        return self.cells[key]

    @partially_dependent("key")
    def put(self, key: i64, value: u64) -> None:
        """Set the row's number."""
        self.cells[key] = value

    @partially_dependent("key")
    def add(self, key: i64, amount: u64) -> u64:
        """Add to the row's number, modulo 2⁶⁴: what it is now."""
        value = self.cells[key] + amount
        self.cells[key] = value
        return value
