"""The key-value stores: byte keys and values, and integers for speed."""

from __future__ import annotations

from typing import Annotated

from psmr import Map, Max, StateMachine, dependent, partially_dependent, u64

Key = Annotated[bytes, Max(32)]
Value = Annotated[bytes, Max(256)]


class KV(StateMachine):
    """Byte values of up to 256 bytes under byte keys of up to 32."""

    table = Map[bytes, bytes](Max(32), Max(256), capacity=4_000_000)

    @partially_dependent("key", access="read")
    def get(self, key: Key) -> Value | None:
        """The key's value, or None."""
        return self.table.get(key)

    @partially_dependent("key")
    def put(self, key: Key, value: Value) -> bool:
        """Set the key's value; True if the key is new."""
        fresh = key not in self.table
        self.table.put(key, value)
        return fresh

    @partially_dependent("key")
    def delete(self, key: Key) -> bool:
        """Remove the key; True if it was there."""
        return self.table.remove(key)

    @partially_dependent("key")
    def compare_and_set(self, key: Key, expected: Value, value: Value) -> bool:
        """Set the key's value if it is `expected` now; whether it was."""
        found = self.table.get(key)
        if found is None or found != expected:
            return False
        self.table.put(key, value)
        return True

    @dependent
    def clear(self) -> u64:
        """Remove every key; how many there were."""
        removed = u64(len(self.table))
        self.table.clear()
        return removed

    @dependent(access="read")
    def size(self) -> u64:
        """How many keys there are."""
        return u64(len(self.table))


class IntegerKV(StateMachine):
    """Unsigned 64-bit integers under unsigned 64-bit keys."""

    table = Map(u64, u64, capacity=16_000_000)

    @partially_dependent("key", access="read")
    def get(self, key: u64) -> u64 | None:
        """The key's value, or None."""
        return self.table.get(key)

    @partially_dependent("key")
    def put(self, key: u64, value: u64) -> bool:
        """Set the key's value; True if the key is new."""
        fresh = key not in self.table
        self.table.put(key, value)
        return fresh

    @partially_dependent("key")
    def delete(self, key: u64) -> bool:
        """Remove the key; True if it was there."""
        return self.table.remove(key)

    @partially_dependent("key")
    def compare_and_set(self, key: u64, expected: u64, value: u64) -> bool:
        """Set the key's value if it is `expected` now; whether it was."""
        found = self.table.get(key)
        if found is None or found != expected:
            return False
        self.table.put(key, value)
        return True

    @dependent
    def clear(self) -> u64:
        """Remove every key; how many there were."""
        removed = u64(len(self.table))
        self.table.clear()
        return removed

    @dependent(access="read")
    def size(self) -> u64:
        """How many keys there are."""
        return u64(len(self.table))
