"""Balances under numbers: the cheapest commands there are, one word of an array each."""

from __future__ import annotations

from psmr import Array, StateMachine, i64, partially_dependent, u64

ACCOUNTS = 16_000_000


class Balances(StateMachine):
    """A signed balance for each account."""

    balances = Array(i64, capacity=ACCOUNTS)

    @partially_dependent("account", access="read")
    def balance(self, account: u64) -> i64:
        """What the account holds."""
        return self.balances[account]

    @partially_dependent("account")
    def deposit(self, account: u64, amount: i64) -> i64:
        """Add to the account; what it holds then."""
        after = self.balances[account] + amount
        self.balances[account] = after
        return after
