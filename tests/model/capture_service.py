"""Services whose state is captured: every kind of container and of write in one; one whose handler stops half-way."""

from __future__ import annotations

import multiprocessing
import random
from typing import Annotated, Any

from psmr import Array, Map, Max, Scratch, StateMachine, Table, dependent, i64, partially_dependent, u8, u16, u32, u64

ROWS = 1200
NUMBERS = 300
WORDS = [b"", b"a", b"b" * 9, *(b"key%d" % number for number in range(20))]
Word = Annotated[bytes, Max(12)]


class Kept(StateMachine):
    """Small, and changed all over."""

    cells = Array(u64, capacity=ROWS)
    table = Table(capacity=ROWS, price=i64, level=u8, note=Max(12))
    numbers = Map(u64, i64, capacity=4 * NUMBERS)
    words = Map[bytes, bytes](Max(12), Max(12), capacity=2000)
    built = Scratch(24)

    @partially_dependent("row")
    def write(self, row: u16, amount: i64, note: Word) -> i64:
        """Change a row in several steps, the same word twice; even amounts fail when all is done."""
        self.cells[row] = u64(77)
        self.cells[row] = self.cells[row] + u64(row)
        self.table.price[row] = self.table.price[row] + amount
        self.table.level[row] = amount
        self.built.begin()
        self.built.append(note)
        self.table.note[row] = self.built.value()
        if amount % 4 == 0:
            raise ValueError("an amount that is refused")
        return self.table.price[row]

    @partially_dependent("row")
    def wipe(self, row: u16, note: Word) -> None:
        """Zeros again."""
        self.cells[row] = 0
        self.table.price[row] = 0
        self.table.level[row] = 0

    @partially_dependent("source", "target", domain="row")
    def move(self, source: u16, target: u16, amount: i64) -> i64:
        """Change two rows, and fail for a target that is too rich."""
        self.table.price[source] = self.table.price[source] - amount
        self.table.price[target] = self.table.price[target] + amount
        if self.table.price[target] > 500:
            raise ValueError("too rich")
        return self.table.price[source]

    @partially_dependent("number")
    def put(self, number: u64, amount: i64) -> i64:
        """Set a number's value; what it was."""
        before = self.numbers.get(number, -1)
        self.numbers.put(number, amount)
        return before

    @partially_dependent("number")
    def remove(self, number: u64) -> bool:
        """Remove a number."""
        return self.numbers.remove(number)

    @partially_dependent("word")
    def name(self, word: Word, content: Word) -> bool:
        """Set a word's content, or remove the word by an empty one."""
        if len(content) == 0:
            return self.words.remove(word)
        self.words.put(word, content)
        if content == b"refused":
            raise ValueError("a content that is refused")
        return True

    @dependent
    def flood(self, times: u32) -> None:
        """Change one word that often."""
        for time in range(times):
            self.cells[0] = time

    @dependent
    def forget(self) -> None:
        """Remove all words."""
        self.words.clear()

    @dependent
    def reset(self, number: u64, fails: bool) -> i64:
        """Begin anew with one number, or not."""
        count = len(self.numbers)
        self.numbers.clear()
        self.numbers.put(number, count)
        if fails:
            raise ValueError("a reset that is refused")
        return count


def kept_call(chance: random.Random) -> tuple[str, tuple[Any, ...]]:
    """A call of `Kept`."""
    row = chance.choice((3, 700, chance.randrange(ROWS)))
    amount, content = (
        chance.randrange(100),
        chance.choice((b"", b"refused", b"twelve bytes", b"x" * chance.randrange(9))),
    )
    calls: dict[str, tuple[Any, ...]] = {
        "write": (row, amount, content),
        "wipe": (row, content),
        "move": (row, chance.randrange(ROWS), amount),
        "put": (chance.randrange(NUMBERS), amount),
        "remove": (chance.randrange(NUMBERS),),
        "name": (chance.choice(WORDS), content),
        "reset": (chance.randrange(NUMBERS), chance.random() < 0.7),
    }
    name = chance.choices(list(calls), (6, 2, 4, 9, 4, 4, 1))[0]
    return name, calls[name]


inside = multiprocessing.get_context("fork").Event()
go_on = multiprocessing.get_context("fork").Event()


class Halting(StateMachine):
    """For the interpreter only: a command that stops half-way until it is told to go on, and then fails."""

    cells = Array(u64, capacity=64)

    @partially_dependent("row")
    def write(self, row: u8, value: u64) -> None:
        """Set a cell."""
        self.cells[row] = value

    @partially_dependent("first", "second", domain="row")
    def tie(self, first: u8, second: u8) -> None:
        """Set two cells."""
        self.cells[first] = u64(31)
        self.cells[second] = u64(32)

    @partially_dependent("row")
    def halt(self, row: u8) -> None:
        """Set a cell, stop, fail."""
        self.cells[row] = u64(999)
        inside.set()
        go_on.wait(60)
        raise ValueError("refused")
