"""What is not an order: listing and halting, limits and lines, settlement, and trades that two clients have agreed on."""

from __future__ import annotations

from apps.book.matching import BUY, SELL, TRADING, UNLISTED
from apps.book.rules import INSTRUMENTS, QUANTITY_MAX, TICKS, Number, Reason
from apps.exchange.rules import CLIENTS, LIMIT_MAX, SETTLED_AT_ONCE_MAX, Refusal
from apps.exchange.trading import GROUPS, Trading
from psmr import Array, Event, Table, i64, u8, u32, u64

_UNKNOWN_INSTRUMENT = int(Reason.UNKNOWN_INSTRUMENT)
_UNKNOWN_CLIENT = int(Reason.UNKNOWN_CLIENT)
_UNKNOWN_SIDE = int(Reason.UNKNOWN_SIDE)
_ALREADY_LISTED = int(Reason.ALREADY_LISTED)
_ALREADY_HALTED = int(Reason.ALREADY_HALTED)
_NOT_HALTED = int(Reason.NOT_HALTED)
_PRICE_NOT_POSITIVE = int(Reason.PRICE_NOT_POSITIVE)
_QUANTITY_NOT_POSITIVE = int(Reason.QUANTITY_NOT_POSITIVE)
_QUANTITY_TOO_LARGE = int(Reason.QUANTITY_TOO_LARGE)
_NO_CREDIT = int(Refusal.NO_CREDIT)
_CLIENT_SUSPENDED = int(Refusal.CLIENT_SUSPENDED)
_ABOVE_CEILING = int(Refusal.ABOVE_CEILING)
_NEGATIVE_LIMIT = int(Refusal.NEGATIVE_LIMIT)
_LIMIT_TOO_LARGE = int(Refusal.LIMIT_TOO_LARGE)
_LIMIT_BELOW_USED = int(Refusal.LIMIT_BELOW_USED)
_CLIENT_OUT_OF_RANGE = int(Refusal.CLIENT_OUT_OF_RANGE)
_ALREADY_SUSPENDED = int(Refusal.ALREADY_SUSPENDED)
_NOT_SUSPENDED = int(Refusal.NOT_SUSPENDED)
_CEILING_OUT_OF_RANGE = int(Refusal.CEILING_OUT_OF_RANGE)
_UNKNOWN_COUNTERPARTY = int(Refusal.UNKNOWN_COUNTERPARTY)
_SAME_PARTY = int(Refusal.SAME_PARTY)
_COUNTERPARTY_SUSPENDED = int(Refusal.COUNTERPARTY_SUSPENDED)
_COUNTERPARTY_NO_CREDIT = int(Refusal.COUNTERPARTY_NO_CREDIT)
_LINE_EXCEEDED = int(Refusal.LINE_EXCEEDED)
_COUNTERPARTY_LINE_EXCEEDED = int(Refusal.COUNTERPARTY_LINE_EXCEEDED)
_TOO_MANY_CLIENTS = int(Refusal.TOO_MANY_CLIENTS)


class Desk(Trading):
    """Methods that commands call; each answers 0 or a count, or a reason with a minus."""

    balances = Array(i64, capacity=CLIENTS)
    """By client: the cash of all that was settled."""
    lines = Table(capacity=CLIENTS * CLIENTS, block=CLIENTS, limit=i64, used=i64)
    """By client, then counterparty: what the one grants the other, and what trades between them that are not paid use of it."""

    status = Event(instrument=u32, status=u8)
    market_status = Event(status=u8)
    agreed = Event(instrument=u32, client=u32, counterparty=u32, side=u8, price=u32, quantity=u32)
    settled = Event(client=u32, cash=i64, exposure=i64)

    def _list(self, instrument: Number, ceiling: Number) -> Number:
        if instrument >= INSTRUMENTS:
            return self._reject(instrument, 0, u64(0), _UNKNOWN_INSTRUMENT)
        if ceiling < 1 or ceiling >= TICKS:
            return self._reject(instrument, 0, u64(0), _CEILING_OUT_OF_RANGE)
        if self.books.status[instrument] != UNLISTED:
            return self._reject(instrument, 0, u64(0), _ALREADY_LISTED)
        self._open(instrument)
        self.ceilings[instrument] = ceiling
        self.status.emit(instrument, TRADING)
        return 0

    def _cancel_all(self, instrument: Number, client: Number, most: int) -> Number:
        if not self._is_listed(instrument):
            return self._reject(instrument, client, u64(0), _UNKNOWN_INSTRUMENT)
        if not self._is_client(client):
            return self._reject(instrument, client, u64(0), _UNKNOWN_CLIENT)
        return self._mass_cancel(instrument, client, most)

    def _cancel_everywhere(self, client: Number, most: int) -> Number:
        if not self._is_client(client):
            return self._reject(0, client, u64(0), _UNKNOWN_CLIENT)
        cancelled: Number = 0
        for instrument in range(INSTRUMENTS):
            if self.books.resting[instrument] != 0 and cancelled < most:
                cancelled += self._mass_cancel(instrument, client, most - cancelled)
        return cancelled

    def _set_limit(self, client: Number, limit: Number) -> Number:
        """Where everything before is complete: what the client uses counts."""
        reason = self._bad_limit(limit)
        if reason == 0 and client >= CLIENTS:
            reason = _CLIENT_OUT_OF_RANGE
        if reason == 0 and limit < self._used(client):
            reason = _LIMIT_BELOW_USED
        if reason != 0:
            return self._reject(0, client, u64(0), reason)
        self.credit.limit[client] = limit
        if self.registered[client] == 0:
            self.registered[client] = 1
        return 0

    def _set_line_limit(self, client: Number, counterparty: Number, limit: Number) -> Number:
        reason = self._bad_limit(limit)
        if reason == 0:
            reason = self._bad_parties(client, counterparty)
        if reason == 0 and limit < self.lines.used[client * CLIENTS + counterparty]:
            reason = _LIMIT_BELOW_USED
        if reason != 0:
            return self._reject(0, client, u64(0), reason)
        self.lines.limit[client * CLIENTS + counterparty] = limit
        return 0

    def _bad_limit(self, limit: Number) -> int:
        if limit < 0:
            return _NEGATIVE_LIMIT
        return _LIMIT_TOO_LARGE if limit > LIMIT_MAX else 0

    def _bad_parties(self, client: Number, counterparty: Number) -> int:
        if not self._is_client(client):
            return _UNKNOWN_CLIENT
        if not self._is_client(counterparty):
            return _UNKNOWN_COUNTERPARTY
        return _SAME_PARTY if client == counterparty else 0

    def _turn_client(self, client: Number, suspended: int, already: int) -> Number:
        """Of a client's own words only: as good among early stages as anywhere."""
        if not self._is_client(client):
            return self._reject(0, client, u64(0), _UNKNOWN_CLIENT)
        if self.credit.suspended[client] == suspended:
            return self._reject(0, client, u64(0), already)
        self.credit.suspended[client] = suspended
        return 0

    def _trade(
        self, instrument: Number, client: Number, counterparty: Number, side: Number, price: Number, quantity: Number
    ) -> Number:
        """A trade that two clients have agreed on: within the gross limits of both and the lines between them. The lots."""
        reason = self._bad_parties(client, counterparty)
        if reason == 0:
            reason = self._closed(instrument, client)
        if reason == 0:
            reason = self._bad_trade(instrument, side, price, quantity)
        amount = i64(0)
        if reason == 0:
            amount = i64(price) * i64(quantity)
            reason = self._unaffordable(client, counterparty, amount)
        if reason != 0:
            return self._reject(instrument, client, u64(0), reason)
        lots = i64(quantity) if side == BUY else i64(-quantity)
        for party in (client, counterparty):
            self.credit.reserved[party] += amount
        self.lines.used[client * CLIENTS + counterparty] += amount
        self.lines.used[counterparty * CLIENTS + client] += amount
        self._book(instrument, client, lots, price, i64(0))
        self._book(instrument, counterparty, -lots, price, i64(0))
        self.agreed.emit(instrument, client, counterparty, side, price, quantity)
        return quantity

    def _bad_trade(self, instrument: Number, side: Number, price: Number, quantity: Number) -> int:
        if side != BUY and side != SELL:
            return _UNKNOWN_SIDE
        if price <= 0:
            return _PRICE_NOT_POSITIVE
        if price > self.ceilings[instrument]:
            return _ABOVE_CEILING
        if quantity <= 0:
            return _QUANTITY_NOT_POSITIVE
        return _QUANTITY_TOO_LARGE if quantity > QUANTITY_MAX else 0

    def _unaffordable(self, client: Number, counterparty: Number, amount: i64) -> int:
        if self.credit.suspended[client] != 0:
            return _CLIENT_SUSPENDED
        if self.credit.suspended[counterparty] != 0:
            return _COUNTERPARTY_SUSPENDED
        if amount > self.credit.limit[client] - self._used(client):
            return _NO_CREDIT
        if amount > self.credit.limit[counterparty] - self._used(counterparty):
            return _COUNTERPARTY_NO_CREDIT
        granted, taken = client * CLIENTS + counterparty, counterparty * CLIENTS + client
        if amount > self.lines.limit[granted] - self.lines.used[granted]:
            return _LINE_EXCEEDED
        return _COUNTERPARTY_LINE_EXCEEDED if amount > self.lines.limit[taken] - self.lines.used[taken] else 0

    def _pay(self, client: Number, counterparty: Number) -> Number:
        """The two have paid for what they agreed on: their lines are free again. What was used."""
        reason = self._bad_parties(client, counterparty)
        if reason != 0:
            return self._reject(0, client, u64(0), reason)
        amount = self.lines.used[client * CLIENTS + counterparty]
        if amount != 0:
            self.lines.used[client * CLIENTS + counterparty] = 0
            self.lines.used[counterparty * CLIENTS + client] = 0
        return amount

    def _settle(self, first: Number, count: Number) -> Number:
        """Pay for the fills of some clients: how many had any. Nothing may run beside it: `reserved` and `released` begin anew."""
        if count > SETTLED_AT_ONCE_MAX or first + count > CLIENTS:
            return self._reject(0, first, u64(0), _TOO_MANY_CLIENTS)
        settled = 0
        for client in range(first, first + count):
            if self.credit.reserved[client] == 0:
                continue
            released = i64(0)
            exposure = i64(0)
            cash = i64(0)
            for group in range(GROUPS):
                account = group * CLIENTS + client
                if self.ledger.released[account] != 0:
                    released += self.ledger.released[account]
                    self.ledger.released[account] = 0
                if self.ledger.unsettled[account] != 0:
                    exposure += self.ledger.unsettled[account]
                    self.ledger.unsettled[account] = 0
                if self.ledger.cash[account] != 0:
                    cash += self.ledger.cash[account]
                    self.ledger.cash[account] = 0
            self.credit.reserved[client] = self.credit.reserved[client] - released - exposure
            self.seen[client] = 0
            if exposure != 0:
                self.balances[client] += cash
                self.settled.emit(client, cash, exposure)
                settled += 1
        return settled

    def _free(self, client: Number) -> i64:
        """What the gross limit leaves; only where everything before is complete."""
        return i64(self.credit.limit[client] - self._used(client)) if self._is_client(client) else i64(-_UNKNOWN_CLIENT)

    def _position(self, instrument: Number, client: Number) -> i64:
        if instrument >= INSTRUMENTS or client >= CLIENTS:
            return i64(0)
        return i64(self.positions[instrument * CLIENTS + client])

    def _money(self, client: Number) -> i64:
        """Settled and unsettled cash, 0 of an unknown client; only where everything before is complete."""
        if not self._is_client(client):
            return i64(0)
        total = self.balances[client]
        for group in range(GROUPS):
            total += self.ledger.cash[group * CLIENTS + client]
        return i64(total)

    def _best(self, instrument: Number) -> i64:
        """Best bid × 2^32 + best offer, each 0 where there is none."""
        if not self._is_listed(instrument):
            return i64(0)
        ask: Number = self.books.best_ask[instrument]
        if ask == TICKS:
            ask = 0
        return i64(i64(self.books.best_bid[instrument]) << 32 | ask)
