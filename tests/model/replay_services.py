"""A service whose log is played: the same again with other handlers, in rare cases; its next version; what it should not go by."""

from __future__ import annotations

import os

from psmr import Array, Event, Map, StateMachine, i64, partially_dependent, u32, u64

REPLYING, WRITING, EMITTING, RATED = 991, 992, 993, 994
"""Balances that make the difference: in the reply, in a cell, in events; and one for which the environment counts."""
VARIABLE = "PSMR_TEST_RATE"


class Ledger(StateMachine):
    """Accounts, and how often each was changed."""

    balances = Map(u64, i64, capacity=4096)
    changes = Array(u32, capacity=4096)
    changed = Event(account=u64, balance=i64)

    @partially_dependent("account")
    def add(self, account: u64, amount: i64) -> i64:
        """Add to an account; of one balance a rate is taken from the machine's environment, as no handler should."""
        balance = self.balances.get(account, 0) + amount
        if balance == RATED:
            balance += int(os.environ.get(VARIABLE, "0"))
        return self._set(account, balance)

    @partially_dependent("account")
    def close(self, account: u64) -> bool:
        """Remove an account."""
        return self.balances.remove(account)

    @partially_dependent("first", "second", domain="account")
    def open_both(self, first: u64, second: u64) -> None:
        """Two accounts, if they are not there."""
        self._open(first)
        self._open(second)

    def _open(self, account: u64) -> None:
        if account not in self.balances:
            self.balances.put(account, 0)

    def _set(self, account: u64, balance: i64) -> i64:
        self.balances.put(account, balance)
        self.changes[account] = self.changes[account] + 1
        self.changed.emit(account, balance)
        return balance


class Other:
    """What tells this one from `Ledger` is what it does in rare cases; their fingerprints are one."""

    class Ledger(Ledger):
        """Accounts, and how often each was changed."""

        @partially_dependent("first", "second", domain="account")
        def open_both(self, first: u64, second: u64) -> None:
            """The other way round: where both are in one group, cursors come to them in another order."""
            self._open(second)
            self._open(first)

        def _set(self, account: u64, balance: i64) -> i64:
            super()._set(account, balance)
            if balance == WRITING:
                self.changes[account] = 0
            if balance == EMITTING:
                self.changed.emit(account, balance)
            return balance + 1 if balance == REPLYING else balance


class Next(StateMachine, version=2):
    """The next version: a command in front, one less, a field more, and a wrong sum in a rare case."""

    fees = Array(u64, capacity=64)
    balances = Map(u64, i64, capacity=4096)
    changes = Array(u32, capacity=4096)
    changed = Event(account=u64, balance=i64)

    @partially_dependent("account")
    def fee(self, account: u64) -> u64:
        """A fee."""
        return self.fees[0]

    @partially_dependent("account")
    def add(self, account: u64, amount: i64) -> i64:
        """Add to an account."""
        balance = self.balances.get(account, 0) + amount
        if balance == WRITING:
            balance -= 1
        self.balances.put(account, balance)
        self.changes[account] = self.changes[account] + 1
        self.changed.emit(account, balance)
        return balance

    @partially_dependent("account")
    def close(self, account: u64) -> bool:
        """Remove an account."""
        return self.balances.remove(account)


SERVICE = Ledger
OTHER = Other.Ledger
