"""A service whose commands take and return every kind of type: its records and replies are what is fuzzed."""

from __future__ import annotations

from typing import Annotated

from psmr import Map, Max, Size, StateMachine, dependent, f64, i8, i64, independent, partially_dependent, u8, u16, u64

Text = Annotated[bytes, Max(40)]
Short = Annotated[bytes, Max(24)]
Name = Annotated[bytes, Size(12)]


class Kinds(StateMachine):
    """Only the shapes of its commands matter; nobody executes them."""

    values = Map(u64, i64, capacity=64)

    @partially_dependent("key")
    def numbers(self, key: u64, small: i8, narrow: u16, wide: f64, flag: bool) -> i64:
        """Numbers of every width."""
        return self.values.get(key, 0)

    @partially_dependent("key", "other", domain="text")
    def texts(self, key: Text, other: Text, flag: bool) -> Short | None:
        """Strings in the blob."""
        return None

    @partially_dependent("key", domain="name")
    def fixed(self, key: Name, level: u8) -> Name:
        """Bytes in the record."""
        return key

    @independent
    def ping(self) -> None:
        """A record of nothing but its command."""

    @dependent(access="read")
    def size(self) -> u64:
        """A command of every group."""
        return u64(len(self.values))
