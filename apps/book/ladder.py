"""The price levels of a book: found by price, and from one to the next by bitmaps of 64-bit words, three deep.

    top       64 bits of one word: which branches have any level
    branches  64 words: which leaves of each
    leaves    4,096 words: which of 64 prices each have orders

A level holds buyers or sellers, never both, for a book is never crossed; so both sides share one ladder: everything below the best
offer bids. Orders of a level are a list in the order of their arrival.
"""

from __future__ import annotations

from apps.book.index import OrderIndex
from apps.book.rules import INSTRUMENTS, ORDERS, TICKS, Number
from psmr import Array, Table, highest_bit, i64, lowest_bit, u16, u32

LEAVES = TICKS >> 6
BRANCHES = LEAVES >> 6
BUY = 1


class Ladder(OrderIndex):
    """Levels: joining and leaving them, and going from price to price."""

    levels = Table(capacity=INSTRUMENTS * TICKS, block=TICKS, quantity=i64, first=u16, last=u16, orders=u32)
    """`first`, `last`: rows + 1."""
    leaves = Array(i64, capacity=INSTRUMENTS * LEAVES, block=LEAVES)
    branches = Array(i64, capacity=INSTRUMENTS * BRANCHES, block=BRANCHES)

    def _mark(self, instrument: Number, price: Number) -> None:
        """There are orders at a price."""
        leaf = instrument * LEAVES + (price >> 6)
        word = self.leaves[leaf]
        self.leaves[leaf] = word | (1 << (price & 63))
        if word == 0:
            branch = instrument * BRANCHES + (price >> 12)
            above = self.branches[branch]
            self.branches[branch] = above | (1 << (price >> 6 & 63))
            if above == 0:
                self.books.tops[instrument] = self.books.tops[instrument] | (1 << (price >> 12))

    def _unmark(self, instrument: Number, price: Number) -> None:
        """There are no orders at a price any more."""
        leaf = instrument * LEAVES + (price >> 6)
        word = self.leaves[leaf] & ~(1 << (price & 63))
        self.leaves[leaf] = word
        if word == 0:
            branch = instrument * BRANCHES + (price >> 12)
            above = self.branches[branch] & ~(1 << (price >> 6 & 63))
            self.branches[branch] = above
            if above == 0:
                self.books.tops[instrument] = self.books.tops[instrument] & ~(1 << (price >> 12))

    def _above(self, instrument: Number, price: Number) -> Number:
        """The lowest price with orders above a price, or TICKS."""
        word = self.leaves[instrument * LEAVES + (price >> 6)] & (-2 << (price & 63))
        if word != 0:
            return (price & ~63) + lowest_bit(word)
        word = self.branches[instrument * BRANCHES + (price >> 12)] & (-2 << (price >> 6 & 63))
        if word != 0:
            leaf = (price >> 12 << 6) + lowest_bit(word)
        else:
            word = self.books.tops[instrument] & (-2 << (price >> 12))
            if word == 0:
                return TICKS
            branch = lowest_bit(word)
            leaf = (branch << 6) + lowest_bit(self.branches[instrument * BRANCHES + branch])
        return (leaf << 6) + lowest_bit(self.leaves[instrument * LEAVES + leaf])

    def _below(self, instrument: Number, price: Number) -> Number:
        """The highest price with orders below a price, or 0."""
        word = self.leaves[instrument * LEAVES + (price >> 6)] & ((1 << (price & 63)) - 1)
        if word != 0:
            return (price & ~63) + highest_bit(word)
        word = self.branches[instrument * BRANCHES + (price >> 12)] & ((1 << (price >> 6 & 63)) - 1)
        if word != 0:
            leaf = (price >> 12 << 6) + highest_bit(word)
        else:
            word = self.books.tops[instrument] & ((1 << (price >> 12)) - 1)
            if word == 0:
                return 0
            branch = highest_bit(word)
            leaf = (branch << 6) + highest_bit(self.branches[instrument * BRANCHES + branch])
        return (leaf << 6) + highest_bit(self.leaves[instrument * LEAVES + leaf])

    def _join(self, instrument: Number, side: Number, price: Number, row: Number, quantity: Number) -> None:
        """Put an order at the end of its price's queue."""
        level = instrument * TICKS + price
        orders = self.levels.orders[level]
        if orders == 0:
            self.levels.first[level] = row + 1
            self.rows.previous[instrument * ORDERS + row] = 0
            self._mark(instrument, price)
            if side == BUY:
                if price > self.books.best_bid[instrument]:
                    self.books.best_bid[instrument] = price
            elif price < self.books.best_ask[instrument]:
                self.books.best_ask[instrument] = price
        else:
            last = self.levels.last[level]
            self.rows.next[instrument * ORDERS + last - 1] = row + 1
            self.rows.previous[instrument * ORDERS + row] = last
        self.rows.next[instrument * ORDERS + row] = 0
        self.levels.last[level] = row + 1
        self.levels.orders[level] = orders + 1
        self.levels.quantity[level] = self.levels.quantity[level] + quantity

    def _leave(self, instrument: Number, side: Number, price: Number, row: Number, quantity: Number) -> None:
        """Take an order out of its price's queue."""
        level = instrument * TICKS + price
        orders = self.levels.orders[level] - 1
        self.levels.orders[level] = orders
        self.levels.quantity[level] = self.levels.quantity[level] - quantity
        if orders == 0:
            self.levels.first[level] = 0
            self.levels.last[level] = 0
            self._close(instrument, side, price)
            return
        before = self.rows.previous[instrument * ORDERS + row]
        after = self.rows.next[instrument * ORDERS + row]
        if before == 0:
            self.levels.first[level] = after
        else:
            self.rows.next[instrument * ORDERS + before - 1] = after
        if after == 0:
            self.levels.last[level] = before
        else:
            self.rows.previous[instrument * ORDERS + after - 1] = before

    def _close(self, instrument: Number, side: Number, price: Number) -> None:
        """A price has no orders any more: the best price of its side may be another one."""
        self._unmark(instrument, price)
        if side == BUY:
            if price == self.books.best_bid[instrument]:
                self.books.best_bid[instrument] = self._below(instrument, price)
        elif price == self.books.best_ask[instrument]:
            self.books.best_ask[instrument] = self._above(instrument, price)
