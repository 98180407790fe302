"""The exchange with one annotation a command: what a command truly touches, as far as its arguments tell.

An order's fills book the counterparties, whom only matching knows, in the same words that every other order's reservation reads:
so an order depends on everything, and its arguments cannot say less.
"""

from __future__ import annotations

from apps.book.matching import HALTED, TRADING
from apps.book.rules import SWEEP_MAX, Reason
from apps.exchange.desk import Desk
from apps.exchange.rules import Refusal
from psmr import StateMachine, dependent, i64, partially_dependent, u8, u32, u64

_ALREADY_HALTED = int(Reason.ALREADY_HALTED)
_NOT_HALTED = int(Reason.NOT_HALTED)
_ALREADY_SUSPENDED = int(Refusal.ALREADY_SUSPENDED)
_NOT_SUSPENDED = int(Refusal.NOT_SUSPENDED)


class PlainExchange(Desk, StateMachine):
    """Orders of many clients on many instruments. Replies below 0 are a reason with a minus: nothing has changed then."""

    @dependent
    def limit(
        self,
        instrument: u32,
        client: u32,
        order: u64,
        side: u8,
        kind: u8,
        prevention: u8,
        price: i64,
        quantity: i64,
    ) -> i64:
        """An order at a price or better; what becomes of the rest says `kind`. The lots filled at once."""
        carried = self._reserve(instrument, client, side, price, quantity)
        return i64(self._order(instrument, client, order, side, kind, prevention, price, quantity, carried))

    @dependent
    def market_order(self, instrument: u32, client: u32, order: u64, side: u8, prevention: u8, quantity: i64) -> i64:
        """An order at any price up to the ceiling, of which nothing rests. The lots filled."""
        carried = self._reserve_at_ceiling(instrument, client, side, quantity)
        return i64(self._order_at_ceiling(instrument, client, order, side, prevention, quantity, carried))

    @dependent
    def replace(self, instrument: u32, client: u32, order: u64, price: i64, quantity: i64) -> i64:
        """Another price, or another quantity still to be filled, for an own order. The lots filled at once."""
        carried = self._reserve_replacement(instrument, client, price, quantity)
        return i64(self._replacement(instrument, client, order, price, quantity, carried))

    @partially_dependent("instrument")
    def reduce(self, instrument: u32, client: u32, order: u64, quantity: i64) -> i64:
        """A smaller quantity still to be filled, at the same place of the queue. 0."""
        return i64(self._reduce(instrument, client, order, quantity))

    @partially_dependent("instrument")
    def cancel(self, instrument: u32, client: u32, order: u64) -> i64:
        """Take an own order out of its book. The lots that it still had."""
        return i64(self._cancel(instrument, client, order))

    @partially_dependent("instrument")
    def mass_cancel(self, instrument: u32, client: u32) -> i64:
        """Cancel a client's orders in one book, at most SWEEP_MAX of them. How many."""
        return i64(self._cancel_all(instrument, client, SWEEP_MAX))

    @dependent
    def mass_cancel_everywhere(self, client: u32) -> i64:
        """The same in all books, by instrument; at most SWEEP_MAX in all."""
        return i64(self._cancel_everywhere(client, SWEEP_MAX))

    @dependent
    def list_instrument(self, instrument: u32, ceiling: i64) -> i64:
        """Open a book, which trades at once, up to a highest price. 0."""
        return i64(self._list(instrument, ceiling))

    @partially_dependent("instrument")
    def halt(self, instrument: u32) -> i64:
        """No trading in this book; orders can still be cancelled. 0."""
        return i64(self._turn(instrument, HALTED, _ALREADY_HALTED))

    @partially_dependent("instrument")
    def resume(self, instrument: u32) -> i64:
        """Trading in this book again. 0."""
        return i64(self._turn(instrument, TRADING, _NOT_HALTED))

    @dependent
    def halt_market(self) -> i64:
        """No trading in any book. 0."""
        return i64(self._turn_market(1, HALTED, _ALREADY_HALTED))

    @dependent
    def resume_market(self) -> i64:
        """Trading again in every book that is not halted itself. 0."""
        return i64(self._turn_market(0, TRADING, _NOT_HALTED))

    @dependent
    def set_gross(self, client: u32, limit: i64) -> i64:
        """Set what the client may use in all; the first time makes it known. Refused below what is used. 0."""
        return i64(self._set_limit(client, limit))

    @partially_dependent("client")
    def suspend(self, client: u32) -> i64:
        """Refuse the client's orders until it is reinstated; it can still cancel. 0."""
        return i64(self._turn_client(client, 1, _ALREADY_SUSPENDED))

    @partially_dependent("client")
    def reinstate(self, client: u32) -> i64:
        """End a suspension. 0."""
        return i64(self._turn_client(client, 0, _NOT_SUSPENDED))

    @dependent
    def set_line(self, client: u32, counterparty: u32, limit: i64) -> i64:
        """Set what the client grants the counterparty for trades between them. Refused below what is used. 0."""
        return i64(self._set_line_limit(client, counterparty, limit))

    @dependent
    def trade(self, instrument: u32, client: u32, counterparty: u32, side: u8, price: i64, quantity: i64) -> i64:
        """Book what two clients have agreed on, within their gross limits and the lines between them. The lots."""
        return i64(self._trade(instrument, client, counterparty, side, price, quantity))

    @dependent
    def pay(self, client: u32, counterparty: u32) -> i64:
        """The two have paid for what they agreed on: their lines are free again. What was used."""
        return i64(self._pay(client, counterparty))

    @dependent
    def settle(self, first: u32, count: u32) -> i64:
        """Settle the fills of `count` clients from `first` on: how many had any."""
        return i64(self._settle(first, count))

    @dependent(access="read")
    def available(self, client: u32) -> i64:
        """What the gross limit leaves."""
        return self._free(client)

    @dependent(access="read")
    def cash(self, client: u32) -> i64:
        """What the client was paid less what it paid, settled or not."""
        return self._money(client)

    @partially_dependent("instrument", access="read")
    def position(self, instrument: u32, client: u32) -> i64:
        """The lots that a client has of an instrument; below 0: sold."""
        return self._position(instrument, client)

    @partially_dependent("instrument", access="read")
    def best(self, instrument: u32) -> i64:
        """Best bid × 2^32 + best offer, each 0 where there is none."""
        return self._best(instrument)
