"""Services as users of the pytest plugin have them: one that is right, and one for each thing that a test is to find."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Hashable
from typing import Any

from psmr import Map, StateMachine, i64, partially_dependent, u64
from psmr.errors import CommandRaised


class Bank(StateMachine):
    """Balances by account."""

    balances = Map(u64, i64, capacity=4096)

    @partially_dependent("account")
    def deposit(self, account: u64, amount: i64) -> i64:
        """The new balance."""
        self.balances.put(account, self.balances.get(account, 0) + amount)
        return self.balances.get(account, 0)

    @partially_dependent("account")
    def withdraw(self, account: u64, amount: i64) -> i64:
        """The new balance; raises for more than there is."""
        held = self.balances.get(account, 0)
        if amount > held:
            raise ValueError("not enough")
        self.balances.put(account, held - amount)
        return held - amount

    @partially_dependent("account", access="read")
    def balance(self, account: u64) -> i64:
        """What there is."""
        return self.balances.get(account, 0)


class BankModel:
    """What it means, account by account."""

    initial = 0
    read_only = frozenset({"balance"})

    def step(self, state: int, command: str, arguments: tuple[Any, ...], /) -> tuple[int, int]:
        """The balance after the call, and the reply."""
        if command == "balance":
            return state, state
        if command == "withdraw" and arguments[1] > state:
            raise CommandRaised("not enough")
        after = state + (arguments[1] if command == "deposit" else -arguments[1])
        return after, after

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable:
        """The account."""
        return (command in ("deposit", "withdraw", "balance") and arguments[0]) or 0


class WrongModel(BankModel):
    """Takes a withdrawal for twice as much."""

    def step(self, state: int, command: str, arguments: tuple[Any, ...], /) -> tuple[int, int]:
        """As it should not be."""
        after, reply = super().step(state, command, arguments)
        return (after - arguments[1], reply - arguments[1]) if command == "withdraw" else (after, reply)


class MissingKey(Bank):
    """A transfer names only one of its accounts."""

    @partially_dependent("source", domain="account")
    def transfer(self, source: u64, target: u64, amount: i64) -> bool:
        """Move between two."""
        held = self.balances.get(source, 0)
        if held < amount:
            return False
        self.balances.put(source, held - amount)
        self.balances.put(target, self.balances.get(target, 0) + amount)
        return True


class OrderDependent(StateMachine):
    """Sets the last of anything: who comes last shows."""

    last = Map(u64, u64, capacity=64)

    @partially_dependent("key")
    def note(self, key: u64, value: u64) -> u64:
        """What was there, whoever noted it."""
        before = self.last.get(0, 0)
        self.last.put(0, value)
        return before


class Timed(Bank):
    """Reads a clock for all to see."""

    @partially_dependent("account")
    def stamp(self, account: u64) -> i64:
        """When it was called."""
        return i64(time.time_ns())


class Clocked(StateMachine):
    """Reads a clock through a library that no check of the source knows."""

    stamps = Map(u64, u64, capacity=4096)

    @partially_dependent("key")
    def stamp(self, key: u64) -> u64:
        """A number that no two calls share."""
        now = read_clock()
        self.stamps.put(key, now)
        return u64(now)


def read_clock() -> int:
    """Of the machine, in nanoseconds; two words of memory hide it from whoever reads the source."""
    words = (ctypes.c_long * 2)()
    ctypes.CDLL(None).clock_gettime(1, ctypes.byref(words))
    return words[0] * 10**9 + words[1]
