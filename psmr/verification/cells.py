"""What a command touches, cell by cell, and where in its source.

A cell is one variable of the state. Two commands conflict when they touch the same cell and at least one changes it (Marandi,
Bezerra, Pedone, ICDCS 2014): C-Dep has to order them.

    (container, VALUE, key)     the value of a key of a map, or of a row of an array or of a table's field
    (container, KEYS, None)     which keys a map holds: read by `len` and `next`; inserts and removals only add to it
    (container, GROUP, number)  the memory of a map that the keys of one group share: commands of that group run in log order
    (container, WORD, number)   eight bytes that hold several rows or fields: a command that raises puts back all of them
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

VALUE, KEYS, GROUP, WORD = "value", "keys", "group", "word"
MEMORY = (GROUP, WORD)
"""Kinds that are no variables: they count between calls that two workers may execute at once."""
READ, ADD, WRITE, WOULD = "read", "add", "write", "would"
"""How a cell is touched. Additions commute with each other, and with nothing else. What is removed that is not there would have
been a write: it conflicts as the read that it was, and says what the command is for."""

_HERE = str(Path(__file__).parent)


class Cell(NamedTuple):
    """One variable of the state; keys are integers or bytes."""

    container: str
    kind: str
    key: int | bytes | None


class Place(NamedTuple):
    """A line of a handler, or of what it calls."""

    path: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


Touched = Mapping[Cell, Mapping[str, Place]]
"""Each cell that a command touched: how, and where first."""


class Recorder:
    """Notes what the command under way touches and emits, and how to undo it."""

    def __init__(self) -> None:
        self.touched: dict[Cell, dict[str, Place]] = {}
        self.written: list[tuple[Cell, Any]] = []
        """Values written to cells that were there, in order; also by a command that raises."""
        self.events: list[tuple[str, tuple[bytes, ...]]] = []
        self.undo: list[Callable[[], object]] = []

    def begin(self) -> None:
        """A new command."""
        self.touched = {}
        self.written = []
        self.events = []

    def touch(self, cell: Cell, how: str) -> None:
        """Note that the cell is read, added to or written; the first place of each stays."""
        found = self.touched.get(cell)
        if found is None:
            self.touched[cell] = {how: place_in_service()}
        elif how not in found:
            found[how] = place_in_service()

    def rollback(self, mark: int) -> None:
        """Undo every change since `undo` had `mark` entries."""
        while len(self.undo) > mark:
            self.undo.pop()()


def place_in_service() -> Place:
    """Where the code that is not of this package stands."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    if frame is None:
        return Place("?", 0, "?")
    return Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def clash(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, str] | None:
    """How two commands that touch one cell conflict there, the strongest pair first; None if they do not."""
    for first in (WRITE, ADD, READ):
        for second in (WRITE, ADD, READ):
            conflicts = WRITE in (first, second) or {first, second} == {ADD, READ}
            if conflicts and first in one and second in other:
                return first, second
    return None


def cell_text(cell: Cell) -> str:
    """A cell as a reader of the handler would call it: `balances[7]`, `the keys of balances`."""
    if cell.kind == KEYS:
        return f"the keys of {cell.container}"
    if cell.kind == GROUP:
        return f"the memory of {cell.container} for group {cell.key!r}"
    if cell.kind == WORD:
        return f"eight bytes of {cell.container} that hold several values"
    return f"{cell.container}[{cell.key!r}]"
