"""Matching by strict price-time priority: what a command does to one book, whoever counts the money.

A service mixes this in and declares the commands (`apps.book.service`). It says which clients there are (`_is_client`), and may
want to know of every fill, and of every quantity that leaves a book or never comes to rest in it (`_on_fill`, `_on_release`).
"""

from __future__ import annotations

from apps.book.index import FIRST_BITS
from apps.book.ladder import Ladder
from apps.book.rules import (
    INSTRUMENTS,
    ORDERS,
    QUANTITY_MAX,
    SWEEP_MAX,
    TICKS,
    Kind,
    Number,
    Prevention,
    Reason,
    Side,
    Status,
    Why,
)
from psmr import Array, Event, i64, u8, u32, u64

# Plain numbers, as compiled handlers want them.
BUY, SELL = (int(side) for side in Side)
DAY, IMMEDIATE, FILL_OR_KILL, POST_ONLY = (int(kind) for kind in Kind)
NO_PREVENTION, CANCEL_RESTING, CANCEL_INCOMING, CANCEL_BOTH = (int(prevention) for prevention in Prevention)
UNLISTED, TRADING, HALTED = (int(status) for status in Status)
ASKED, MASS, NOT_TO_REST, SELF_MATCH, SWEEP = (int(why) for why in Why)
_BOOK_FULL = int(Reason.BOOK_FULL)
_DUPLICATE_ORDER = int(Reason.DUPLICATE_ORDER)
_INSTRUMENT_HALTED = int(Reason.INSTRUMENT_HALTED)
_MARKET_HALTED = int(Reason.MARKET_HALTED)
_NOTHING_TO_TRADE_WITH = int(Reason.NOTHING_TO_TRADE_WITH)
_NOT_FILLABLE = int(Reason.NOT_FILLABLE)
_NOT_OWN_ORDER = int(Reason.NOT_OWN_ORDER)
_ORDER_NOT_RESTING = int(Reason.ORDER_NOT_RESTING)
_PRICE_NOT_POSITIVE = int(Reason.PRICE_NOT_POSITIVE)
_PRICE_TOO_HIGH = int(Reason.PRICE_TOO_HIGH)
_QUANTITY_NOT_POSITIVE = int(Reason.QUANTITY_NOT_POSITIVE)
_QUANTITY_TOO_LARGE = int(Reason.QUANTITY_TOO_LARGE)
_REPLACE_BEYOND_LIMITS = int(Reason.REPLACE_BEYOND_LIMITS)
_UNKNOWN_CLIENT = int(Reason.UNKNOWN_CLIENT)
_UNKNOWN_INSTRUMENT = int(Reason.UNKNOWN_INSTRUMENT)
_UNKNOWN_KIND = int(Reason.UNKNOWN_KIND)
_UNKNOWN_PREVENTION = int(Reason.UNKNOWN_PREVENTION)
_UNKNOWN_SIDE = int(Reason.UNKNOWN_SIDE)
_WOULD_TRADE = int(Reason.WOULD_TRADE)


class Matching(Ladder):
    """Orders come, trade, change and go. A method that a command calls answers lots, or a `Reason` with a minus."""

    market = Array(u8, capacity=1)
    """1: the whole market is halted. Only dependent commands write it."""

    accepted = Event(instrument=u32, client=u32, order=u64, side=u8, kind=u8, price=u32, quantity=u32)
    rejected = Event(instrument=u32, client=u32, order=u64, reason=u8)
    filled = Event(
        instrument=u32,
        side=u8,
        price=u32,
        quantity=u32,
        order=u64,
        client=u32,
        left=u32,
        against=u64,
        against_client=u32,
        against_left=u32,
    )
    """`order`, `client`, `left`, `side`: of the incoming order; `against…`: of the resting one, which had this price."""
    cancelled = Event(instrument=u32, client=u32, order=u64, side=u8, why=u8, price=u32, quantity=u32)
    replaced = Event(instrument=u32, client=u32, order=u64, price=u32, quantity=u32)
    changed = Event(instrument=u32, side=u8, price=u32, orders=u32, quantity=i64)
    """A level of a book as it is now."""
    status: Event
    """`instrument=u32, status=u8`. Declared, as the next is, by the service, among its own."""
    market_status: Event
    """`status=u8`."""

    def _is_client(self, client: Number) -> Number:
        """Whether there is such a client."""
        return True

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
        """An incoming order of `client`, with this limit, has traded with a resting one of `against`, whose limit is the price."""

    def _on_release(self, instrument: Number, side: Number, client: Number, price: Number, quantity: Number) -> None:
        """Of an accepted order with this limit `quantity` lots will not trade any more.

        A replace gives back all that rested, at the old price, before the new price and quantity count.
        """

    def _is_listed(self, instrument: Number) -> Number:
        return instrument < INSTRUMENTS and self.books.status[instrument] != UNLISTED

    def _open(self, instrument: Number) -> None:
        """Begin an empty book."""
        self.books.status[instrument] = TRADING
        self.books.best_ask[instrument] = TICKS
        self.books.bits[instrument] = FIRST_BITS

    def _turn(self, instrument: Number, status: Number, already: Number) -> Number:
        """Halt one book, or resume it; `already` is the reason where it is so already."""
        if not self._is_listed(instrument):
            return self._reject(instrument, 0, u64(0), _UNKNOWN_INSTRUMENT)
        if self.books.status[instrument] == status:
            return self._reject(instrument, 0, u64(0), already)
        self.books.status[instrument] = status
        self.status.emit(instrument, status)
        return 0

    def _turn_market(self, halted: Number, status: Number, already: Number) -> Number:
        """The same for all books."""
        if self.market[0] == halted:
            return self._reject(0, 0, u64(0), already)
        self.market[0] = halted
        self.market_status.emit(status)
        return 0

    def _reject(self, instrument: Number, client: Number, order: u64, reason: Number) -> Number:
        self.rejected.emit(instrument, client, order, reason)
        return -reason

    def _closed(self, instrument: Number, client: Number) -> Number:
        """The reason why this client cannot trade this instrument now, or 0."""
        if not self._is_listed(instrument):
            return _UNKNOWN_INSTRUMENT
        if not self._is_client(client):
            return _UNKNOWN_CLIENT
        if self.market[0] != 0:
            return _MARKET_HALTED
        if self.books.status[instrument] != TRADING:
            return _INSTRUMENT_HALTED
        return 0

    def _wrong(self, side: Number, kind: Number, prevention: Number, price: Number, quantity: Number) -> Number:
        """The reason why no order can be like that, or 0."""
        if side != BUY and side != SELL:
            return _UNKNOWN_SIDE
        if kind > POST_ONLY:
            return _UNKNOWN_KIND
        if prevention > CANCEL_BOTH:
            return _UNKNOWN_PREVENTION
        if price <= 0:
            return _PRICE_NOT_POSITIVE
        if price >= TICKS:
            return _PRICE_TOO_HIGH
        if quantity <= 0:
            return _QUANTITY_NOT_POSITIVE
        if quantity > QUANTITY_MAX:
            return _QUANTITY_TOO_LARGE
        return 0

    def _limit(
        self,
        instrument: Number,
        client: Number,
        order: u64,
        side: Number,
        kind: Number,
        prevention: Number,
        price: Number,
        quantity: Number,
    ) -> Number:
        """A new order: the lots filled at once."""
        reason = self._closed(instrument, client)
        if reason == 0:
            reason = self._wrong(side, kind, prevention, price, quantity)
        if reason == 0:
            reason = self._unacceptable(instrument, client, order, side, kind, prevention, price, quantity)
        if reason != 0:
            return self._reject(instrument, client, order, reason)
        self.accepted.emit(instrument, client, order, side, kind, price, quantity)
        return quantity - self._place(instrument, client, order, side, kind, prevention, price, quantity)

    def _market(
        self, instrument: Number, client: Number, order: u64, side: Number, prevention: Number, quantity: Number
    ) -> Number:
        """An order at whatever price, of which nothing rests: the lots filled."""
        limit = TICKS - 1 if side == BUY else 1
        is_fine = (
            self._closed(instrument, client) == 0 and self._wrong(side, IMMEDIATE, prevention, limit, quantity) == 0
        )
        if is_fine and not self._crosses(instrument, side, limit):
            return self._reject(instrument, client, order, _NOTHING_TO_TRADE_WITH)
        return self._limit(instrument, client, order, side, IMMEDIATE, prevention, limit, quantity)

    def _is_passing(self, kind: Number) -> Number:
        """Whether nothing of such an order rests."""
        return IMMEDIATE <= kind <= FILL_OR_KILL

    def _crosses(self, instrument: Number, side: Number, price: Number) -> Number:
        """Whether an order would trade at once."""
        if side == BUY:
            return price >= self.books.best_ask[instrument]
        return price <= self.books.best_bid[instrument]

    def _unacceptable(
        self,
        instrument: Number,
        client: Number,
        order: u64,
        side: Number,
        kind: Number,
        prevention: Number,
        price: Number,
        quantity: Number,
    ) -> Number:
        """The reason why this book cannot take a well-formed order, or 0."""
        if self._row_of(instrument, order) != 0:
            return _DUPLICATE_ORDER
        if kind == POST_ONLY and self._crosses(instrument, side, price):
            return _WOULD_TRADE
        if kind == FILL_OR_KILL and not self._is_fillable(instrument, client, side, prevention, price, quantity):
            return _NOT_FILLABLE
        if not self._is_passing(kind) and self.books.resting[instrument] >= ORDERS:
            return _BOOK_FULL
        return 0

    def _is_fillable(
        self, instrument: Number, client: Number, side: Number, prevention: Number, price: Number, quantity: Number
    ) -> Number:
        """Whether an order would be filled completely, by orders that one command may reach."""
        at = self.books.best_ask[instrument] if side == BUY else self.books.best_bid[instrument]
        left = quantity
        steps = 0
        while (at <= price) if side == BUY else (at >= price):
            row = self.levels.first[instrument * TICKS + at]
            while row != 0:
                place = instrument * ORDERS + row - 1
                if steps == SWEEP_MAX:
                    return False
                steps += 1
                if prevention == NO_PREVENTION or self.rows.client[place] != client:
                    left -= self.rows.quantity[place]
                elif prevention != CANCEL_RESTING:
                    return False
                if left <= 0:
                    return True
                row = self.rows.next[place]
            at = self._above(instrument, at) if side == BUY else self._below(instrument, at)
        return False

    def _place(
        self,
        instrument: Number,
        client: Number,
        order: u64,
        side: Number,
        kind: Number,
        prevention: Number,
        price: Number,
        quantity: Number,
    ) -> Number:
        """Trade, then rest or be cancelled: the lots that were not filled."""
        left = quantity
        why = NOT_TO_REST
        if self._crosses(instrument, side, price):
            left, why = self._take(instrument, client, order, side, prevention, price, quantity)
        if left == 0:
            return 0
        if why != NOT_TO_REST or self._is_passing(kind):
            self.cancelled.emit(instrument, client, order, side, why, price, left)
            self._on_release(instrument, side, client, price, left)
            return left
        row = self._new_row(instrument)
        place = instrument * ORDERS + row
        self.rows.order[place] = order
        self.rows.quantity[place] = left
        self.rows.price[place] = price
        self.rows.client[place] = client
        self.rows.side[place] = side
        self.rows.kind[place] = kind
        self.rows.prevention[place] = prevention
        self._enter(instrument, order, row)
        self.books.resting[instrument] = self.books.resting[instrument] + 1
        self._join(instrument, side, price, row, left)
        self._say_level(instrument, side, price)
        return left

    def _take(
        self,
        instrument: Number,
        client: Number,
        order: u64,
        side: Number,
        prevention: Number,
        limit: Number,
        quantity: Number,
    ) -> tuple[Number, Number]:
        """Trade with the other side, best price first: the lots left, and why they are.

        NOT_TO_REST: there were no more orders at its price.
        """
        other = SELL if side == BUY else BUY
        left = quantity
        steps = 0
        why = NOT_TO_REST
        while left > 0 and why == NOT_TO_REST and self._crosses(instrument, side, limit):
            price = self.books.best_ask[instrument] if side == BUY else self.books.best_bid[instrument]
            level = instrument * TICKS + price
            row = self.levels.first[level] - 1
            count = 0
            gone = 0
            while left > 0 and row >= 0:
                if steps == SWEEP_MAX:
                    why = SWEEP
                    break
                steps += 1
                place = instrument * ORDERS + row
                against = self.rows.order[place]
                against_client = self.rows.client[place]
                there = self.rows.quantity[place]
                traded = 0
                if prevention == NO_PREVENTION or against_client != client:
                    traded = min(left, there)
                    left -= traded
                    self.filled.emit(
                        instrument, side, price, traded, order, client, left, against, against_client, there - traded
                    )
                    self._on_fill(instrument, side, client, against_client, price, traded, limit)
                    gone += traded
                    if traded < there:
                        self.rows.quantity[place] = there - traded
                        break
                else:
                    if prevention != CANCEL_RESTING:
                        why = SELF_MATCH
                        if prevention == CANCEL_INCOMING:
                            break
                    self.cancelled.emit(instrument, against_client, against, other, SELF_MATCH, price, there)
                    self._on_release(instrument, other, against_client, price, there)
                    gone += there
                after = self.rows.next[place] - 1
                self._forget(instrument, against)
                self._free_row(instrument, row)
                count += 1
                row = after
                if why != NOT_TO_REST:
                    break
            self._shorten(instrument, other, price, row, count, gone)
        return left, why

    def _shorten(
        self, instrument: Number, side: Number, price: Number, row: Number, count: Number, gone: Number
    ) -> None:
        """A level has lost its first `count` orders and `gone` lots; its first order is in `row` now, or there is none (−1)."""
        if gone == 0:
            return
        level = instrument * TICKS + price
        self.levels.quantity[level] = self.levels.quantity[level] - gone
        if count != 0:
            self.levels.orders[level] = self.levels.orders[level] - count
            self.levels.first[level] = row + 1
            self.books.resting[instrument] = self.books.resting[instrument] - count
            if row < 0:
                self.levels.last[level] = 0
                self._close(instrument, side, price)
            else:
                self.rows.previous[instrument * ORDERS + row] = 0
        self._say_level(instrument, side, price)

    def _say_level(self, instrument: Number, side: Number, price: Number) -> None:
        level = instrument * TICKS + price
        self.changed.emit(instrument, side, price, self.levels.orders[level], self.levels.quantity[level])

    def _own_row(self, instrument: Number, client: Number, order: u64) -> Number:
        """The row of the client's own resting order, or a Reason with a minus."""
        if not self._is_listed(instrument):
            return -_UNKNOWN_INSTRUMENT
        if not self._is_client(client):
            return -_UNKNOWN_CLIENT
        row = self._row_of(instrument, order) - 1
        if row < 0:
            return -_ORDER_NOT_RESTING
        if self.rows.client[instrument * ORDERS + row] != client:
            return -_NOT_OWN_ORDER
        return row

    def _cancel(self, instrument: Number, client: Number, order: u64) -> Number:
        """Take an order out of its book, halted or not: the lots that it still had."""
        row = self._own_row(instrument, client, order)
        if row < 0:
            return self._reject(instrument, client, order, -row)
        place = instrument * ORDERS + row
        side = self.rows.side[place]
        price = self.rows.price[place]
        quantity = self._remove(instrument, row, ASKED)
        self._say_level(instrument, side, price)
        return quantity

    def _remove(self, instrument: Number, row: Number, why: Number) -> Number:
        """Cancel a resting order: the lots that it still had."""
        place = instrument * ORDERS + row
        side = self.rows.side[place]
        price = self.rows.price[place]
        client = self.rows.client[place]
        quantity = self.rows.quantity[place]
        order = self.rows.order[place]
        self._leave(instrument, side, price, row, quantity)
        self._forget(instrument, order)
        self._free_row(instrument, row)
        self.books.resting[instrument] = self.books.resting[instrument] - 1
        self.cancelled.emit(instrument, client, order, side, why, price, quantity)
        self._on_release(instrument, side, client, price, quantity)
        return quantity

    def _replace(self, instrument: Number, client: Number, order: u64, price: Number, quantity: Number) -> Number:
        """Give an order another price, or another quantity that is still to be filled: the lots filled at once.

        It keeps its place in the queue if the price stays and the quantity does not grow; else it is the last at its price.
        """
        reason = self._closed(instrument, client)
        if reason == 0 and self._wrong(BUY, DAY, NO_PREVENTION, price, quantity) != 0:
            reason = _REPLACE_BEYOND_LIMITS
        row = -reason if reason != 0 else self._own_row(instrument, client, order)
        if row < 0:
            return self._reject(instrument, client, order, -row)
        place = instrument * ORDERS + row
        side = self.rows.side[place]
        kind = self.rows.kind[place]
        prevention = self.rows.prevention[place]
        old_price = self.rows.price[place]
        old_quantity = self.rows.quantity[place]
        if kind == POST_ONLY and self._crosses(instrument, side, price):
            return self._reject(instrument, client, order, _WOULD_TRADE)
        self.replaced.emit(instrument, client, order, price, quantity)
        self._on_release(instrument, side, client, old_price, old_quantity)
        level = instrument * TICKS + old_price
        if price == old_price and quantity <= old_quantity:
            self.rows.quantity[place] = quantity
            self.levels.quantity[level] = self.levels.quantity[level] - (old_quantity - quantity)
            self._say_level(instrument, side, price)
            return 0
        self._leave(instrument, side, old_price, row, old_quantity)
        self._forget(instrument, order)
        self._free_row(instrument, row)
        self.books.resting[instrument] = self.books.resting[instrument] - 1
        if price != old_price:
            self._say_level(instrument, side, old_price)
        return quantity - self._place(instrument, client, order, side, kind, prevention, price, quantity)

    def _mass_cancel(self, instrument: Number, client: Number, most: Number) -> Number:
        """Cancel a client's orders in one book, at most `most`, buying ones first, each side from its best price on: how many."""
        cancelled = 0
        for side in range(BUY, SELL + 1):
            price = self.books.best_bid[instrument] if side == BUY else self.books.best_ask[instrument]
            while 0 < price < TICKS and cancelled < most:
                before = cancelled
                row = self.levels.first[instrument * TICKS + price] - 1
                while row >= 0 and cancelled < most:
                    after = self.rows.next[instrument * ORDERS + row] - 1
                    if self.rows.client[instrument * ORDERS + row] == client:
                        self._remove(instrument, row, MASS)
                        cancelled += 1
                    row = after
                if cancelled != before:
                    self._say_level(instrument, side, price)
                price = self._below(instrument, price) if side == BUY else self._above(instrument, price)
        return cancelled
