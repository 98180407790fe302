"""A service that uses all there is to use: every kind of state, key, value, parameter, reply and command."""

from __future__ import annotations

from typing import Annotated

from psmr import (
    Array,
    Map,
    Max,
    Scratch,
    Size,
    StateMachine,
    Table,
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

ROWS = 150
Owner = Annotated[bytes, Size(10)]
Note = Annotated[bytes, Max(11)]
Text = Annotated[bytes, Max(24)]
Short = Annotated[bytes, Max(16)]
Code = Annotated[bytes, Size(6)]
Tag = Annotated[bytes, Size(8)]
Built = Annotated[bytes, Max(64)]


class Everything(StateMachine, spread_reads=("item",)):
    """Rows, maps and a scratch; many of its commands fail, early or late."""

    counts = Array(u64, capacity=ROWS)
    small = Array(i8, capacity=ROWS)
    flags = Array(bool, capacity=ROWS)
    reals = Array(f64, capacity=ROWS)
    tags = Array[bytes](Size(10), capacity=ROWS)
    notes = Array[bytes](Max(11), capacity=ROWS)
    table = Table(
        capacity=ROWS, price=i64, quantity=u32, level=i16, open=bool, weight=f64, owner=Size(10), note=Max(11)
    )
    by_number = Map(u64, i64, capacity=64)
    by_signed = Map[i16, bytes](i16, Max(16), capacity=1000)
    by_flag = Map(bool, f64, capacity=100)
    by_code = Map[bytes, bool](Size(6), bool, capacity=1000)
    by_text = Map[bytes, bytes](Max(24), Size(8), capacity=1000)
    items = Map(u32, u16, capacity=1000)
    built = Scratch(46)

    @partially_dependent("row")
    def write_row(self, row: u16, amount: i64, is_open: bool, weight: f64, owner: Owner, note: Note) -> i64:
        """Change every field of a row, in part by what was there; fails for some amounts, with half of it done."""
        self.counts[row] = self.counts[row] * u64(3) + u64(1)
        self.small[row] = self.small[row] + amount
        self.flags[row] = is_open != self.flags[row]
        self.reals[row] = self.reals[row] * 0.5 + weight
        self.tags[row] = owner
        self.table.price[row] = self.table.price[row] + amount
        self.table.quantity[row] = amount
        if amount < 0 and amount % 5 == 0:
            raise ValueError("an amount that is refused")
        self.table.level[row] = amount >> 3
        self.table.open[row] = is_open
        self.table.weight[row] = self.reals[row] - self.table.weight[row]
        self.table.owner[row] = self.tags[row]
        self.table.note[row] = self.notes[row]
        self.notes[row] = note
        if note == b"late":
            raise KeyError("a note that is refused")
        return self.table.price[row] // 7 + self.table.price[row] % 7

    @partially_dependent("row", access="read")
    def row_text(self, row: u16) -> Built:
        """A row's bytes, put together; two long notes are too long."""
        self.built.begin()
        self.built.append(self.tags[row])
        self.built.append(self.table.owner[row][2:-2])
        self.built.append(self.notes[row])
        self.built.append(self.table.note[row])
        self.built.append_byte(self.table.level[row] & 255)
        self._append_number(self.counts[row])
        return self.built.value()

    @partially_dependent("row", access="read")
    def row_weight(self, row: u16) -> f64:
        """A row's weight."""
        return self.table.weight[row]

    @partially_dependent("row", access="read")
    def row_small(self, row: u16) -> i8 | None:
        """A row's small number, None if the row is open."""
        if self.table.open[row]:
            return None
        return self.small[row]

    @partially_dependent("source", "target", domain="row")
    def move(self, source: u16, target: u16, amount: u8) -> bool:
        """Move an amount between two rows."""
        self.table.price[source] = self.table.price[source] - amount
        self.table.price[target] = self.table.price[target] + amount
        return self.table.price[source] < self.table.price[target]

    @partially_dependent("number")
    def note_number(self, number: u64, amount: i64) -> i64 | None:
        """Add to a number's account; what it was. Its map is small and fills up."""
        found = self.by_number.get(number)
        self.by_number.put(number, self.by_number.get(number, -3) * 5 + amount)
        return found

    @partially_dependent("number")
    def forget_number(self, number: u64) -> bool:
        """Close a number's account."""
        return self.by_number.remove(number)

    @partially_dependent("key", domain="signed")
    def put_signed(self, key: i16, value: Short) -> u16:
        """Set a value, or remove it by an empty one; the length of the one before."""
        before = self.by_signed.get(key, value[:0])
        if len(value) == 0:
            self.by_signed.remove(key)
        else:
            self.by_signed.put(key, value)
        return len(before)

    @partially_dependent("key", domain="signed", access="read")
    def get_signed(self, key: i8) -> Short | None:
        """The same key in fewer bits."""
        return self.by_signed.get(key)

    @partially_dependent("flag", "code")
    def put_flag(self, flag: bool, code: Code, weight: f64) -> f64:
        """Two keys of two domains: the flag's weights add up, the code keeps the flag."""
        self.by_flag.put(flag, self.by_flag.get(flag, 0) + weight)
        self.by_code.put(code, flag)
        return self.by_flag.get(flag, 0)

    @partially_dependent("code")
    def take_code(self, code: Code) -> bool | None:
        """Remove a code; the flag it had."""
        found = self.by_code.get(code)
        if found is not None:
            self.by_code.remove(code)
        return found

    @partially_dependent("text")
    def put_text(self, text: Text, tag: Tag, least: Text) -> bool:
        """Set a text's tag if the text is above `least`; fails late for texts that begin with x."""
        fresh = text not in self.by_text
        if text > least or text == b"":
            self.by_text.put(text, tag)
        if len(text) > 0 and text[0] == 120:
            raise ValueError("a text that is refused")
        return fresh

    @partially_dependent("text")
    def swap_tag(self, text: Text, tag: Tag) -> Tag | None:
        """Set a text's tag; what it was, which stays what it was."""
        found = self.by_text.get(text)
        if found is None:
            return None
        self.by_text.put(text, tag)
        return found

    @partially_dependent("item")
    def write_item(self, item: u32, value: u16) -> u16:
        """Set an item."""
        self.items.put(item, value)
        return self.items.get(item, 0)

    @partially_dependent("item", access="read")
    def read_item(self, item: u32) -> u16 | None:
        """An item; executed by whatever worker is next."""
        return self.items.get(item)

    @independent
    def divide(self, dividend: i64, divisor: i32) -> i64:
        """A quotient; fails for 0."""
        return dividend // divisor

    @independent
    def now(self) -> i64:
        """The leader's stamp."""
        return self.now_us

    @independent
    def echo(self, text: Short) -> Short:
        """The text in parts; fails for an empty one, for which nothing is begun."""
        if len(text) > 0:
            self.built.begin()
            self.built.append(text[:3])
        half = self.built.value()
        self.built.append(text[3:])
        return self.built.value() if self.built.value() != half else half

    @independent
    def nothing(self) -> None:
        """No reply."""

    @dependent(access="read")
    def summary(self) -> u64:
        """Something of everything, whatever the order."""
        total = u64(len(self.by_text)) + u64(len(self.by_code)) * u64(1000)
        cursor = self.by_number.next(-1)
        while cursor >= 0:
            total = total + self.by_number.key_at(cursor) * u64(self.by_number.value_at(cursor) & 1023)
            cursor = self.by_number.next(cursor)
        cursor = self.by_signed.next(-1)
        while cursor >= 0:
            total = total + u64(self.by_signed.key_at(cursor) & 255) + u64(len(self.by_signed.value_at(cursor)))
            cursor = self.by_signed.next(cursor)
        for row in range(ROWS):
            total = total + self.counts[row]
        return total

    @dependent
    def reset(self, fails: bool) -> u8:
        """Empty the maps, begin anew, and perhaps fail: then nothing is to have happened."""
        gone = len(self.by_number) + len(self.items)
        self.by_number.clear()
        self.by_signed.clear()
        self.by_text.clear()
        self.by_code.clear()
        self.items.clear()
        for number in range(40):
            self.by_signed.put(number, self.notes[number])
        for number in range(0, 32 * 64, 2):
            # Sixteen keys a group and more: the cleared map grows again before the command fails.
            self.items.put(number, number)
        if fails:
            raise RuntimeError("a reset that is refused")
        return gone & 255

    def _append_number(self, number: u64) -> None:
        for _ in range(8):
            self.built.append_byte(number & u64(255))
            number = number >> u64(8)
