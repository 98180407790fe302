"""An exchange's handlers: an order reserves credit at its worst price, is matched, and both parties of a fill are booked.

What a client uses of its gross limit is `reserved − Σ released`: one word that only reservations write, ordered by client, and
one word for each group of instruments, which only what happens to those instruments writes. Both only grow between settlements.
So a reservation that the releases seen so far allow would be allowed by all of them: see "Why staged execution is exact" in
docs/ARCHITECTURE.md. A service declares the commands: `plain` and `staged` do, over the same methods.
"""

from __future__ import annotations

from apps.book.matching import BUY, IMMEDIATE, SELL, Matching
from apps.book.rules import INSTRUMENTS, ORDERS, QUANTITY_MAX, TICKS, Number, Reason
from apps.exchange.rules import CLIENTS, RESERVED_MAX, Refusal
from psmr import WAIT, Array, Hint, Table, group_of_key, i64, u8, u32, u64

GROUPS = 64

_UNKNOWN_INSTRUMENT = int(Reason.UNKNOWN_INSTRUMENT)
_UNKNOWN_CLIENT = int(Reason.UNKNOWN_CLIENT)
_NOTHING_TO_TRADE_WITH = int(Reason.NOTHING_TO_TRADE_WITH)
_REPLACE_BEYOND_LIMITS = int(Reason.REPLACE_BEYOND_LIMITS)
_NO_CREDIT = int(Refusal.NO_CREDIT)
_CLIENT_SUSPENDED = int(Refusal.CLIENT_SUSPENDED)
_ABOVE_CEILING = int(Refusal.ABOVE_CEILING)
_CREDIT_TO_BE_SETTLED = int(Refusal.CREDIT_TO_BE_SETTLED)


class Trading(Matching):
    """Credit and what is booked, around `Matching`. The methods that commands call answer as it does: lots, or a minus."""

    registered = Array(u8, capacity=CLIENTS)
    """1: the client has a gross limit. Written by what no order runs beside."""
    ceilings = Array(u32, capacity=INSTRUMENTS)
    """The highest price of each listed instrument. Written by dependent commands only."""
    credit = Table(capacity=CLIENTS, limit=i64, reserved=i64, suspended=i64)
    """By client. `reserved`: all that was reserved since the last settlement, given back or not."""
    ledger = Table(capacity=GROUPS * CLIENTS, block=CLIENTS, released=i64, unsettled=i64, cash=i64)
    """By group of instruments, then client: what was given back, what fills cost and are to be settled, and their cash."""
    positions = Array(i64, capacity=INSTRUMENTS * CLIENTS, block=CLIENTS)
    """Lots by instrument, then client; below 0: sold."""
    seen = Hint(i64, capacity=CLIENTS)
    """By client: what its releases once came to; by now it is as much or more."""

    def _is_client(self, client: Number) -> Number:
        return client < CLIENTS and self.registered[client] != 0

    # Early stages: ordered by client. They read nothing that matching writes but `released`, which only grows.

    def _reserve(self, instrument: Number, client: Number, side: Number, price: Number, quantity: Number) -> i64:
        """Reserve what the order costs at worst: that, 0 for an order that cannot be, a minus for a refusal, or WAIT."""
        if side != BUY and side != SELL:
            return i64(0)
        return self._reserve_at(instrument, client, side, price, quantity)

    def _reserve_at(self, instrument: Number, client: Number, side: Number, price: Number, quantity: Number) -> i64:
        if not self._is_client(client) or instrument >= INSTRUMENTS:
            return i64(0)
        ceiling = self.ceilings[instrument]
        if price <= 0 or price > ceiling or quantity <= 0 or quantity > QUANTITY_MAX:
            return i64(0)
        return self._take_credit(client, i64(price if side == BUY else ceiling) * i64(quantity))

    def _reserve_at_ceiling(self, instrument: Number, client: Number, side: Number, quantity: Number) -> i64:
        """For an order at whatever price."""
        ceiling = self.ceilings[instrument] if instrument < INSTRUMENTS else 0
        return self._reserve(instrument, client, side, ceiling, quantity)

    def _reserve_replacement(self, instrument: Number, client: Number, price: Number, quantity: Number) -> i64:
        """The ceiling, whichever side it is: only the book knows."""
        return self._reserve_at(instrument, client, SELL, price, quantity)

    def _take_credit(self, client: Number, amount: i64) -> i64:
        if self.credit.suspended[client] != 0:
            return i64(-_CLIENT_SUSPENDED)
        reserved = self.credit.reserved[client]
        if reserved > RESERVED_MAX:
            return i64(-_CREDIT_TO_BE_SETTLED)
        # What must have been given back for the amount to fit. A sum over all groups is dear: what it once was often suffices.
        needed = reserved + amount - self.credit.limit[client]
        if needed > self.seen[client]:
            released = self._released(client)
            if needed > released:
                return WAIT
            self.seen[client] = released
        self.credit.reserved[client] = reserved + amount
        return amount

    def _released(self, client: Number) -> i64:
        total = i64(0)
        for group in range(GROUPS):
            total += self.ledger.released[group * CLIENTS + client]
        return total

    def _used(self, client: Number) -> i64:
        """What the client uses now; only where everything before is complete."""
        return i64(self.credit.reserved[client] - self._released(client))

    # Main stages: ordered by instrument.

    def _order(
        self,
        instrument: Number,
        client: Number,
        order: u64,
        side: Number,
        kind: Number,
        prevention: Number,
        price: Number,
        quantity: Number,
        carried: i64,
    ) -> Number:
        """An order for which `carried` is reserved: the lots filled at once."""
        if carried <= 0:
            return self._refused(instrument, client, order, side, kind, prevention, price, quantity, carried)
        answer = self._limit(instrument, client, order, side, kind, prevention, price, quantity)
        if answer < 0:
            self._give_back(instrument, client, carried)
        return answer

    def _order_at_ceiling(
        self,
        instrument: Number,
        client: Number,
        order: u64,
        side: Number,
        prevention: Number,
        quantity: Number,
        carried: i64,
    ) -> Number:
        """An order at whatever price up to the ceiling, of which nothing rests: the lots filled."""
        limit: Number = 1
        if side == BUY and instrument < INSTRUMENTS:
            limit = self.ceilings[instrument]
        if carried <= 0:
            return self._refused(instrument, client, order, side, IMMEDIATE, prevention, limit, quantity, carried)
        is_fit = (
            self._closed(instrument, client) == 0 and self._wrong(side, IMMEDIATE, prevention, limit, quantity) == 0
        )
        if is_fit and not self._crosses(instrument, side, limit):
            answer = self._reject(instrument, client, order, _NOTHING_TO_TRADE_WITH)
        else:
            answer = self._limit(instrument, client, order, side, IMMEDIATE, prevention, limit, quantity)
        if answer < 0:
            self._give_back(instrument, client, carried)
        return answer

    def _refused(
        self,
        instrument: Number,
        client: Number,
        order: u64,
        side: Number,
        kind: Number,
        prevention: Number,
        price: Number,
        quantity: Number,
        carried: i64,
    ) -> Number:
        """Say why nothing was reserved for an order."""
        reason: Number = _NO_CREDIT
        if carried != WAIT:
            reason = -carried
        if carried == 0:
            reason = self._closed(instrument, client)
            if reason == 0:
                reason = self._wrong(side, kind, prevention, price, quantity)
            if reason == 0:
                reason = _ABOVE_CEILING
        return self._reject(instrument, client, order, reason)

    def _replacement(
        self, instrument: Number, client: Number, order: u64, price: Number, quantity: Number, carried: i64
    ) -> Number:
        """Another price or quantity, for which the ceiling is reserved, whichever side it is: the lots filled at once."""
        if carried <= 0:
            reason: Number = _NO_CREDIT
            if carried != WAIT:
                reason = -carried
            if carried == 0:
                reason = self._closed(instrument, client)
                if reason == 0:
                    reason = _REPLACE_BEYOND_LIMITS
            return self._reject(instrument, client, order, reason)
        row = self._row_of(instrument, order) if self._is_listed(instrument) else 0
        side: Number = SELL
        if row != 0:
            side = self.rows.side[instrument * ORDERS + row - 1]
        answer = self._replace(instrument, client, order, price, quantity)
        if answer < 0:
            self._give_back(instrument, client, carried)
        elif side == BUY:
            self._give_back(instrument, client, carried - i64(price) * i64(quantity))
        return answer

    def _reduce(self, instrument: Number, client: Number, order: u64, quantity: Number) -> Number:
        """Less left to be filled, at the same place of the queue, which takes no credit. 0."""
        reason = self._closed(instrument, client)
        row = -reason if reason != 0 else self._own_row(instrument, client, order)
        if row < 0:
            return self._reject(instrument, client, order, -row)
        place = instrument * ORDERS + row
        less = self.rows.quantity[place] - quantity
        if quantity <= 0 or less < 0:
            return self._reject(instrument, client, order, _REPLACE_BEYOND_LIMITS)
        side = self.rows.side[place]
        price = self.rows.price[place]
        level = instrument * TICKS + price
        self.rows.quantity[place] = quantity
        self.levels.quantity[level] = self.levels.quantity[level] - less
        self.replaced.emit(instrument, client, order, price, quantity)
        self._on_release(instrument, side, client, price, less)
        self._say_level(instrument, side, price)
        return 0

    # What matching tells of.

    def _on_release(self, instrument: Number, side: Number, client: Number, price: Number, quantity: Number) -> None:
        worst = price if side == BUY else self.ceilings[instrument]
        self._give_back(instrument, client, i64(worst) * i64(quantity))

    def _on_fill(
        self,
        instrument: Number,
        side: Number,
        client: Number,
        against: Number,
        price: Number,
        quantity: Number,
        limit: Number,
    ) -> None:
        seller_back = (i64(self.ceilings[instrument]) - i64(price)) * i64(quantity)
        if side == BUY:
            self._book(instrument, client, i64(quantity), price, (i64(limit) - i64(price)) * i64(quantity))
            self._book(instrument, against, i64(-quantity), price, seller_back)
        else:
            self._book(instrument, client, i64(-quantity), price, seller_back)
            self._book(instrument, against, i64(quantity), price, i64(0))

    def _book(self, instrument: Number, client: Number, lots: i64, price: Number, back: i64) -> None:
        """A client has bought lots (sold: below 0) at a price; `back` of what was reserved for them is not needed."""
        account = group_of_key(instrument) * CLIENTS + client
        cost = lots * i64(price)
        self.ledger.released[account] += back
        self.ledger.unsettled[account] += abs(cost)
        self.ledger.cash[account] -= cost
        self.positions[instrument * CLIENTS + client] += lots

    def _give_back(self, instrument: Number, client: Number, amount: i64) -> None:
        self.ledger.released[group_of_key(instrument) * CLIENTS + client] += amount
