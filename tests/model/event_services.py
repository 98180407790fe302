"""A service that emits events of every kind of field, from every kind of command; some of its commands fail after that."""

from __future__ import annotations

from typing import Annotated

from psmr import (
    Event,
    Map,
    Max,
    Size,
    StateMachine,
    dependent,
    f64,
    i8,
    i16,
    i32,
    i64,
    independent,
    partially_dependent,
    u8,
    u16,
    u32,
    u64,
)

Code = Annotated[bytes, Max(8)]


class Emitting(StateMachine):
    """Amounts by account, and events that say what happened to them."""

    balances = Map(u32, i64, capacity=4096)
    moved = Event(source=u32, target=u32, amount=i64)
    noted = Event(tiny=i8, code=Size(6), flag=bool, real=f64, small=u16, wide=u64, signed=i32, byte=u8, short=i16)
    rang = Event()

    @partially_dependent("account")
    def change(self, account: u32, amount: i64) -> i64:
        """Add to an account; tells its balance before and after, and fails for some amounts after that."""
        before = self.balances.get(account, 0)
        self._tell(account, 0, before)
        self.balances.put(account, before + amount)
        if amount % 7 == 3:
            raise ValueError("an amount that is refused")
        self._tell(0, account, before + amount)
        return before + amount

    @partially_dependent("source", "target", domain="account")
    def move(self, source: u32, target: u32, amount: i64) -> None:
        """Move an amount; one event for each unit, up to nine."""
        self.balances.put(source, self.balances.get(source, 0) - amount)
        self.balances.put(target, self.balances.get(target, 0) + amount)
        for part in range(abs(amount) % 10):
            self._tell(source, target, part)

    def _tell(self, source: i64, target: i64, amount: i64) -> None:
        self.moved.emit(i64(source), i64(target), amount)

    @independent
    def note(self, number: i64, code: Code, real: f64) -> None:
        """All kinds of fields, most of them too narrow for the number; fails for a code that is not six bytes long."""
        self.noted.emit(number, code, number, real, number, number, number, number, number)

    @dependent
    def ring(self, times: u32) -> u32:
        """So many events; fails where those are too many for one command."""
        for _ in range(times):
            self.rang.emit()
        return times

    @partially_dependent("account", access="read")
    def watched(self, account: u32) -> i64:
        """An account's balance; tells that somebody has looked, which a read beside the log may not."""
        self.rang.emit()
        return self.balances.get(account, 0)


class Rearranged(StateMachine, order="commutative"):
    """Its commands of two accounts are executed after the others of their batch."""

    told = Event(account=u32)
    counts = Map(u32, u64, capacity=64)

    @partially_dependent("account")
    def tell(self, account: u32) -> None:
        """One event."""
        self.told.emit(account)

    @partially_dependent("source", "target", domain="account")
    def tell_both(self, source: u32, target: u32) -> None:
        """Two events."""
        self.told.emit(source)
        self.told.emit(target)


class Silent(StateMachine):
    """Declares no event."""

    counts = Map(u32, u64, capacity=64)

    @partially_dependent("account")
    def tell(self, account: u32) -> None:
        """Nothing."""
