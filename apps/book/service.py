"""A market of limit order books: strict price-time priority, whole ticks and lots. What commands may say and answer: `rules`."""

from __future__ import annotations

from typing import Annotated

from apps.book.matching import BUY, HALTED, TRADING, UNLISTED, Matching
from apps.book.rules import CLIENTS, INSTRUMENTS, ORDERS, PAGE_LEVELS, SWEEP_MAX, TICKS, Number, Reason
from psmr import Array, Event, Max, Scratch, Size, StateMachine, dependent, i64, partially_dependent, u8, u32, u64

LEVEL_BYTES = 16
Page = Annotated[bytes, Max(PAGE_LEVELS * LEVEL_BYTES)]
Best = Annotated[bytes, Size(2 * LEVEL_BYTES)]

_UNKNOWN_INSTRUMENT = int(Reason.UNKNOWN_INSTRUMENT)
_UNKNOWN_CLIENT = int(Reason.UNKNOWN_CLIENT)
_ALREADY_LISTED = int(Reason.ALREADY_LISTED)
_ALREADY_REGISTERED = int(Reason.ALREADY_REGISTERED)
_ALREADY_HALTED = int(Reason.ALREADY_HALTED)
_NOT_HALTED = int(Reason.NOT_HALTED)


class Book(Matching, StateMachine):
    """Many instruments, each with its book. Replies below 0 are a `Reason` with a minus: nothing has changed then."""

    clients = Array(u8, capacity=CLIENTS)
    """1: registered. Only dependent commands write it."""
    page = Scratch(PAGE_LEVELS * LEVEL_BYTES)

    status = Event(instrument=u32, status=u8)
    market_status = Event(status=u8)

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
    ) -> i64:
        """An order at a price or better; what becomes of the rest says `kind`. The lots filled at once."""
        return i64(self._limit(instrument, client, order, side, kind, prevention, price, quantity))

    @partially_dependent("instrument")
    def market_order(self, instrument: u32, client: u32, order: u64, side: u8, prevention: u8, quantity: i64) -> i64:
        """An order at any price, of which nothing rests. The lots filled."""
        return i64(self._market(instrument, client, order, side, prevention, quantity))

    @partially_dependent("instrument")
    def cancel(self, instrument: u32, client: u32, order: u64) -> i64:
        """Take an own order out of its book. The lots that it still had."""
        return i64(self._cancel(instrument, client, order))

    @partially_dependent("instrument")
    def replace(self, instrument: u32, client: u32, order: u64, price: i64, quantity: i64) -> i64:
        """Another price, or another quantity still to be filled, for an own order. The lots filled at once.

        It keeps its place in the queue if the price stays and the quantity does not grow.
        """
        return i64(self._replace(instrument, client, order, price, quantity))

    @partially_dependent("instrument")
    def mass_cancel(self, instrument: u32, client: u32) -> i64:
        """Cancel a client's orders in one book, at most SWEEP_MAX of them. How many; fewer than that: there are no more."""
        if not self._is_listed(instrument):
            return i64(self._reject(instrument, client, u64(0), _UNKNOWN_INSTRUMENT))
        if not self._is_client(client):
            return i64(self._reject(instrument, client, u64(0), _UNKNOWN_CLIENT))
        return i64(self._mass_cancel(instrument, client, SWEEP_MAX))

    @dependent
    def mass_cancel_everywhere(self, client: u32) -> i64:
        """The same in all books, by instrument; at most SWEEP_MAX in all."""
        if not self._is_client(client):
            return i64(self._reject(0, client, u64(0), _UNKNOWN_CLIENT))
        cancelled = 0
        for instrument in range(INSTRUMENTS):
            if self.books.resting[instrument] != 0 and cancelled < SWEEP_MAX:
                cancelled += self._mass_cancel(instrument, client, SWEEP_MAX - cancelled)
        return i64(cancelled)

    @partially_dependent("instrument")
    def list_instrument(self, instrument: u32) -> i64:
        """Open a book, which trades at once. 0."""
        if instrument >= INSTRUMENTS:
            return i64(self._reject(instrument, 0, u64(0), _UNKNOWN_INSTRUMENT))
        if self.books.status[instrument] != UNLISTED:
            return i64(self._reject(instrument, 0, u64(0), _ALREADY_LISTED))
        self._open(instrument)
        self.status.emit(instrument, TRADING)
        return i64(0)

    @dependent
    def register(self, first: u32, count: u32) -> i64:
        """Make the clients first … first + count − 1 known. How many of them are new."""
        if first + count > CLIENTS or count == 0:
            return i64(self._reject(0, first, u64(0), _UNKNOWN_CLIENT))
        fresh = 0
        for client in range(first, first + count):
            if self.clients[client] == 0:
                self.clients[client] = 1
                fresh += 1
        if fresh == 0:
            return i64(self._reject(0, first, u64(0), _ALREADY_REGISTERED))
        return i64(fresh)

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

    @partially_dependent("instrument", access="read")
    def best(self, instrument: u32) -> Best:
        """The best bid and the best offer, each as on a page of levels; zeros where there is none."""
        self.page.begin()
        bid = 0
        ask = 0
        if self._is_listed(instrument):
            bid = self.books.best_bid[instrument]
            ask = self.books.best_ask[instrument]
        self._write_level(instrument, bid)
        self._write_level(instrument, ask if ask < TICKS else 0)
        return self.page.value()

    @partially_dependent("instrument", access="read")
    def depth(self, instrument: u32, side: u8, after: u32) -> Page:
        """The next levels of one side behind a price (0: from the best one on), up to PAGE_LEVELS; empty: no more.

        A level is price (u32), orders (u32) and lots (i64), little endian.
        """
        self.page.begin()
        if self._is_listed(instrument) and after < TICKS and 1 <= side <= 2:
            price = self._next_level(instrument, side, after)
            levels = 0
            while 0 < price < TICKS and levels < PAGE_LEVELS:
                self._write_level(instrument, price)
                price = self._next_level(instrument, side, price)
                levels += 1
        return self.page.value()

    @partially_dependent("instrument", access="read")
    def still_open(self, instrument: u32, order: u64) -> i64:
        """The lots that a resting order still has, or 0."""
        if not self._is_listed(instrument):
            return i64(0)
        row = self._row_of(instrument, order)
        return i64(0) if row == 0 else i64(self.rows.quantity[instrument * ORDERS + row - 1])

    def _is_client(self, client: Number) -> Number:
        return client < CLIENTS and self.clients[client] != 0

    def _next_level(self, instrument: Number, side: Number, after: Number) -> Number:
        """The price behind another on one side; 0 or TICKS: none."""
        if side == BUY:
            best = self.books.best_bid[instrument]
            return best if after == 0 or after > best else self._below(instrument, after)
        best = self.books.best_ask[instrument]
        return best if after < best else self._above(instrument, after)

    def _write_level(self, instrument: Number, price: Number) -> None:
        level = instrument * TICKS + price
        orders = 0
        quantity = i64(0)
        if price != 0:
            orders = self.levels.orders[level]
            quantity = self.levels.quantity[level]
        for shift in range(0, 32, 8):
            self.page.append_byte((price >> shift) & 255)
        for shift in range(0, 32, 8):
            self.page.append_byte((orders >> shift) & 255)
        for shift in range(0, 64, 8):
            self.page.append_byte((quantity >> shift) & 255)
