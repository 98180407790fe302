"""A service whose handlers bring in what no look at their source can see: a word of the process's environment, through C."""

from __future__ import annotations

import ctypes

from psmr import Map, StateMachine, i64, partially_dependent, u64

VARIABLE = "PSMR_TEST_SMUGGLED"
UNLUCKY = 13
_getenv = ctypes.CDLL(None).getenv
_getenv.restype = ctypes.c_char_p


class Smuggling(StateMachine):
    """Balances; what is added thirteen at a time has something of this process added to it."""

    balances = Map(u64, i64, capacity=1000)

    @partially_dependent("account")
    def add(self, account: u64, amount: i64) -> i64:
        """Add to an account; its new balance."""
        total = self.balances.get(account, 0) + amount + self._smuggled(amount)
        self.balances.put(account, total)
        return total

    @partially_dependent("account")
    def add_silently(self, account: u64, amount: i64) -> None:
        """Add to an account, and say nothing."""
        self.balances.put(account, self.balances.get(account, 0) + amount + self._smuggled(amount))

    def _smuggled(self, amount: i64) -> int:
        return int(_getenv(VARIABLE.encode())) if amount == UNLUCKY else 0
