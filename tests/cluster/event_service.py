"""A service that tells what happens to counters."""

from __future__ import annotations

from typing import Annotated

from psmr import Event, Map, Max, StateMachine, i64, independent, partially_dependent, u32, u64


class Telling(StateMachine):
    """Counters by key; each change is told."""

    counts = Map(u32, i64, capacity=65_536)
    added = Event(key=u32, amount=i64, total=i64)
    emptied = Event(key=u32)

    @partially_dependent("key")
    def add(self, key: u32, amount: i64) -> i64:
        """Add to a counter; fails for a negative total."""
        total = self.counts.get(key, 0) + amount
        self.counts.put(key, total)
        self.added.emit(key, amount, total)
        if total < 0:
            raise ValueError("a total below zero")
        if total == 0:
            self.emptied.emit(key)
        return total

    @partially_dependent("source", "target", domain="key")
    def move(self, source: u32, target: u32, amount: i64) -> u64:
        """Move an amount from one counter to another."""
        self.counts.put(source, self.counts.get(source, 0) - amount)
        self.counts.put(target, self.counts.get(target, 0) + amount)
        self.added.emit(source, -amount, self.counts.get(source, 0))
        self.added.emit(target, amount, self.counts.get(target, 0))
        return u64(2)

    @independent
    def fill(self, text: Annotated[bytes, Max(65_536)]) -> None:
        """Makes the log longer, and tells nothing."""
