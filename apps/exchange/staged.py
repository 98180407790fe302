"""The exchange in stages: an order reserves credit in its client's order, then is matched in its instrument's.

    early    by client       reserve at the worst price; WAIT where what was given back so far is not enough
    main     by instrument   match; book both parties; give back what was reserved too much

Replies, events and state are those of `PlainExchange`, at every position of the log: docs/ARCHITECTURE.md, "Why staged execution is
exact". The handlers are the same methods; only where a command's stages are ordered differs.
"""

from __future__ import annotations

from apps.book.matching import HALTED, TRADING
from apps.book.rules import SWEEP_MAX, Reason
from apps.exchange.desk import Desk
from apps.exchange.rules import Refusal
from psmr import Carried, StateMachine, dependent, early, i64, partially_dependent, u8, u32, u64

_ALREADY_HALTED = int(Reason.ALREADY_HALTED)
_NOT_HALTED = int(Reason.NOT_HALTED)
_ALREADY_SUSPENDED = int(Refusal.ALREADY_SUSPENDED)
_NOT_SUSPENDED = int(Refusal.NOT_SUSPENDED)


class Exchange(Desk, StateMachine):
    """Orders of many clients on many instruments. Replies below 0 are a reason with a minus: nothing has changed then."""

    @partially_dependent("instrument")
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
        carried: Carried,
    ) -> i64:
        """An order at a price or better; what becomes of the rest says `kind`. The lots filled at once."""
        return i64(self._order(instrument, client, order, side, kind, prevention, price, quantity, carried))

    @early(limit, "client")
    def _before_limit(self, instrument: u32, client: u32, side: u8, price: i64, quantity: i64) -> i64:
        return self._reserve(instrument, client, side, price, quantity)

    @partially_dependent("instrument")
    def market_order(
        self,
        instrument: u32,
        client: u32,
        order: u64,
        side: u8,
        prevention: u8,
        quantity: i64,
        carried: Carried,
    ) -> i64:
        """An order at any price up to the ceiling, of which nothing rests. The lots filled."""
        return i64(self._order_at_ceiling(instrument, client, order, side, prevention, quantity, carried))

    @early(market_order, "client")
    def _before_market_order(self, instrument: u32, client: u32, side: u8, quantity: i64) -> i64:
        return self._reserve_at_ceiling(instrument, client, side, quantity)

    @partially_dependent("instrument")
    def replace(self, instrument: u32, client: u32, order: u64, price: i64, quantity: i64, carried: Carried) -> i64:
        """Another price, or another quantity still to be filled, for an own order. The lots filled at once."""
        return i64(self._replacement(instrument, client, order, price, quantity, carried))

    @early(replace, "client")
    def _before_replace(self, instrument: u32, client: u32, price: i64, quantity: i64) -> i64:
        return self._reserve_replacement(instrument, client, price, quantity)

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

    @partially_dependent("client", stage="exact")
    def set_gross(self, client: u32, limit: i64) -> i64:
        """Set what the client may use in all; the first time makes it known. Refused below what is used. 0."""
        return i64(self._set_limit(client, limit))

    @partially_dependent("client", stage="early")
    def suspend(self, client: u32) -> i64:
        """Refuse the client's orders until it is reinstated; it can still cancel. 0."""
        return i64(self._turn_client(client, 1, _ALREADY_SUSPENDED))

    @partially_dependent("client", stage="early")
    def reinstate(self, client: u32) -> i64:
        """End a suspension. 0."""
        return i64(self._turn_client(client, 0, _NOT_SUSPENDED))

    @partially_dependent("client", "counterparty", domain="client", stage="exact")
    def set_line(self, client: u32, counterparty: u32, limit: i64) -> i64:
        """Set what the client grants the counterparty for trades between them. Refused below what is used. 0."""
        return i64(self._set_line_limit(client, counterparty, limit))

    @partially_dependent("instrument", "client", "counterparty", domain={"counterparty": "client"})
    def trade(self, instrument: u32, client: u32, counterparty: u32, side: u8, price: i64, quantity: i64) -> i64:
        """Book what two clients have agreed on, within their gross limits and the lines between them. The lots."""
        return i64(self._trade(instrument, client, counterparty, side, price, quantity))

    @partially_dependent("client", "counterparty", domain="client", stage="exact")
    def pay(self, client: u32, counterparty: u32) -> i64:
        """The two have paid for what they agreed on: their lines are free again. What was used."""
        return i64(self._pay(client, counterparty))

    @dependent
    def settle(self, first: u32, count: u32) -> i64:
        """Settle the fills of `count` clients from `first` on: how many had any."""
        return i64(self._settle(first, count))

    @partially_dependent("client", access="read", stage="exact")
    def available(self, client: u32) -> i64:
        """What the gross limit leaves."""
        return self._free(client)

    @partially_dependent("client", access="read", stage="exact")
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
