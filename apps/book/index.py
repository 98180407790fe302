"""Which row of a book has the order of a number: a hash table in rows that belong to the instrument.

Open addressing with linear probing; a slot is the upper 16 bits of the number's hash, then row + 1 (0: an empty slot), so the
home of a slot is known without looking at its order. Removing moves later slots of the run back (Knuth 6.4, algorithm R): no
tombstones. The table doubles into room of its own that was never written:

    slots of one instrument | 64 slots | 128 slots | … | 32,768 slots |
"""

from __future__ import annotations

from apps.book.rules import INSTRUMENTS, ORDERS, Number
from psmr import Array, Table, i64, u8, u16, u32, u64

FIRST_BITS = 6
SLOTS = 1 << 16
"""Room for every size of the table, one behind the other; the last has 2 × ORDERS slots."""
_LAST_BITS = 15
_HASH_BITS = 16
_PRIME = u64(0x9E3779B97F4A7C15)
_SHIFT = u64(64 - _HASH_BITS)


class OrderIndex:
    """The rows of resting orders, and how to find one by the number that its client gave it."""

    books = Table(
        capacity=INSTRUMENTS,
        tops=i64,
        best_bid=u32,
        best_ask=u32,
        resting=u32,
        used=u16,
        free=u16,
        bits=u8,
        status=u8,
    )
    """`best_bid` 0 and `best_ask` TICKS: there is none. `used`, `free`: rows ever used; the one freed last + 1, or 0."""
    rows = Table(
        capacity=INSTRUMENTS * ORDERS,
        block=ORDERS,
        order=u64,
        quantity=u32,
        price=u32,
        client=u32,
        next=u16,
        previous=u16,
        side=u8,
        kind=u8,
        prevention=u8,
    )
    """Resting orders. `next`, `previous`: of the same price, + 1, or 0; of a free row `next` is the next free one."""
    slots = Array(u32, capacity=INSTRUMENTS * SLOTS, block=SLOTS)

    def _slot_of(self, instrument: Number, order: u64) -> Number:
        """The slot that leads to an order, or the empty one where it would be put."""
        bits = self.books.bits[instrument]
        last = (1 << bits) - 1
        first = instrument * SLOTS + last + 1 - (1 << FIRST_BITS)
        hashed = i64((order * _PRIME) >> _SHIFT)
        place = hashed >> (_HASH_BITS - bits)
        while True:
            slot = self.slots[first + place]
            if slot == 0:
                return first + place
            if slot >> 16 == hashed and self.rows.order[instrument * ORDERS + (slot & 0xFFFF) - 1] == order:
                return first + place
            place = (place + 1) & last

    def _row_of(self, instrument: Number, order: u64) -> Number:
        """The row of a resting order in its book, + 1; 0 if there is no such order."""
        return self.slots[self._slot_of(instrument, order)] & 0xFFFF

    def _enter(self, instrument: Number, order: u64, row: Number) -> None:
        """Have an order that is not there lead to a row."""
        bits = self.books.bits[instrument]
        if 8 * (self.books.resting[instrument] + 1) > 5 << bits and bits < _LAST_BITS:
            self._double(instrument, bits)
        hashed = i64((order * _PRIME) >> _SHIFT)
        self.slots[self._slot_of(instrument, order)] = hashed << 16 | (row + 1)

    def _double(self, instrument: Number, bits: Number) -> None:
        """Put every slot into a table of twice the size."""
        size = 1 << bits
        old = instrument * SLOTS + size - (1 << FIRST_BITS)
        new = old + size
        for place in range(size):
            slot = self.slots[old + place]
            if slot != 0:
                to = slot >> 16 >> (_HASH_BITS - 1 - bits)
                while self.slots[new + to] != 0:
                    to = (to + 1) & (2 * size - 1)
                self.slots[new + to] = slot
        self.books.bits[instrument] = bits + 1

    def _forget(self, instrument: Number, order: u64) -> None:
        """Have an order that is there lead nowhere."""
        bits = self.books.bits[instrument]
        last = (1 << bits) - 1
        first = instrument * SLOTS + last + 1 - (1 << FIRST_BITS)
        gap = self._slot_of(instrument, order) - first
        place = gap
        while True:
            place = (place + 1) & last
            slot = self.slots[first + place]
            if slot == 0:
                break
            home = slot >> 16 >> (_HASH_BITS - bits)
            if ((place - home) & last) >= ((place - gap) & last):
                self.slots[first + gap] = slot
                gap = place
        self.slots[first + gap] = 0

    def _new_row(self, instrument: Number) -> Number:
        """A row for an order; there is one while fewer than ORDERS rest."""
        free = self.books.free[instrument]
        if free != 0:
            self.books.free[instrument] = self.rows.next[instrument * ORDERS + free - 1]
            return free - 1
        used = self.books.used[instrument]
        self.books.used[instrument] = used + 1
        return used

    def _free_row(self, instrument: Number, row: Number) -> None:
        """Give a row back; the next order gets it."""
        self.rows.next[instrument * ORDERS + row] = self.books.free[instrument]
        self.books.free[instrument] = row + 1
