"""Services that fail: by an exception, and by taking their worker down with them."""

from __future__ import annotations

import os
import signal

from psmr import Map, StateMachine, dependent, i64, partially_dependent, u64


class Accounts(StateMachine):
    """Balances that never go below zero: a command that would do that raises, after it has changed things."""

    balance = Map(u64, i64, capacity=10_000)

    @partially_dependent("account")
    def deposit(self, account: u64, amount: i64) -> i64:
        """Add to an account; its new balance."""
        self.balance.put(account, self.balance.get(account, 0) + amount)
        return self.balance.get(account, 0)

    @partially_dependent("account")
    def withdraw(self, account: u64, amount: i64) -> i64:
        """Take from an account; its new balance."""
        self.balance.put(account, self.balance.get(account, 0) - amount)
        if self.balance.get(account, 0) < 0:
            raise ValueError("the account does not hold that much")
        return self.balance.get(account, 0)

    @partially_dependent("source", "target", domain="account")
    def transfer(self, source: u64, target: u64, amount: i64) -> i64:
        """Move an amount; the source's new balance."""
        self.balance.put(target, self.balance.get(target, 0) + amount)
        self.balance.put(source, self.balance.get(source, 0) - amount)
        if self.balance.get(source, 0) < 0:
            raise KeyError("the source does not hold that much")
        return self.balance.get(source, 0)

    @partially_dependent("account", access="read")
    def share(self, account: u64, among: i64) -> i64:
        """A balance divided."""
        return self.balance.get(account, 0) // among

    @dependent
    def close_all(self, least: u64) -> u64:
        """Remove every account, if there are that many; how many there were."""
        count = u64(len(self.balance))
        self.balance.clear()
        if count < least:
            raise RuntimeError("too few accounts to close")
        return count

    @dependent(access="read")
    def total(self) -> i64:
        """The sum of all balances."""
        total = 0
        cursor = self.balance.next(-1)
        while cursor >= 0:
            total = total + self.balance.value_at(cursor)
            cursor = self.balance.next(cursor)
        return total


class Fatal(StateMachine):
    """A command that no worker survives; for interpreted replicas only."""

    seen = Map(u64, u64, capacity=1000)

    @partially_dependent("key")
    def put(self, key: u64, value: u64) -> bool:
        """Set a key's value; True if the key is new."""
        fresh = key not in self.seen
        self.seen.put(key, value)
        return fresh

    @partially_dependent("key")
    def kill(self, key: u64) -> bool:
        """End the worker."""
        os.kill(os.getpid(), signal.SIGKILL)
        return self.seen.remove(key)
