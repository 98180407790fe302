"""The exchange in stages: an order reserves credit in its client's order, then is matched in its instrument's.

    early    by client       reserve at the worst price; WAIT where what was given back so far is not enough
    main     by instrument   match; book both parties; give back what was reserved too much

Replies, events and state are those of `PlainExchange`, at every position of the log: docs/ARCHITECTURE.md, "Why staged execution is
exact". The handlers are the same methods; only where a command's stages are ordered differs, and what is not declared here again is
ordered as there.
"""

from __future__ import annotations

from apps.exchange.plain import PlainExchange
from apps.exchange.rules import Refusal
from psmr import Carried, early, i64, partially_dependent, u8, u32, u64

_ALREADY_SUSPENDED = int(Refusal.ALREADY_SUSPENDED)
_NOT_SUSPENDED = int(Refusal.NOT_SUSPENDED)


class Exchange(PlainExchange):
    """Orders of many clients on many instruments. Replies below 0 are a reason with a minus: nothing has changed then."""

    # To its callers an order takes the same as there; what its early stage has carried is no argument of theirs.

    @partially_dependent("instrument")
    def limit(  # type: ignore[override]
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
    def market_order(  # type: ignore[override]
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
    def replace(  # type: ignore[override]
        self, instrument: u32, client: u32, order: u64, price: i64, quantity: i64, carried: Carried
    ) -> i64:
        """Another price, or another quantity still to be filled, for an own order. The lots filled at once."""
        return i64(self._replacement(instrument, client, order, price, quantity, carried))

    @early(replace, "client")
    def _before_replace(self, instrument: u32, client: u32, price: i64, quantity: i64) -> i64:
        return self._reserve_replacement(instrument, client, price, quantity)

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

    @partially_dependent("client", access="read", stage="exact")
    def available(self, client: u32) -> i64:
        """What the gross limit leaves."""
        return self._free(client)

    @partially_dependent("client", access="read", stage="exact")
    def cash(self, client: u32) -> i64:
        """What the client was paid less what it paid, settled or not."""
        return self._money(client)
