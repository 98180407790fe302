"""LOBSTER message files: every event of one stock's book as `time,type,order id,size,price,direction`.

Huang, Polak, *LOBSTER: Limit Order Book Reconstruction System*, 2011. Times are seconds after midnight, prices dollars × 10,000,
directions 1 (buy) and −1 (sell), of the resting order also where it is executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from apps.book.rules import QUANTITY_MAX, TICKS, Side

TICK = 100
"""A cent, in the file's prices."""
NUMBER_MAX = (1 << 63) - 1


class Type(IntEnum):
    """What happened."""

    SUBMISSION = 1
    PARTIAL_CANCEL = 2
    DELETION = 3
    EXECUTION = 4
    HIDDEN_EXECUTION = 5
    """Of an order that was never shown: none that the file submits."""
    CROSS = 6
    """An auction's trade, of no order in the book."""
    HALT = 7
    """The price says which: −1 trading halts, 0 quoting resumes, 1 trading resumes."""


class Message(NamedTuple):
    """One line; `price` in ticks, except of a halt, of a hidden execution and of a cross, where it is the file's."""

    line: int
    type: Type
    order: int
    size: int
    price: int
    side: Side


class MalformedMessageError(ValueError):
    """A line that is no message; says the file, the line, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A malformed line that was left out, and why."""

    line: int
    problem: str


class Messages:
    """A file's messages in order. Malformed lines raise MalformedMessageError, or are left out and kept in `skipped`."""

    def __init__(self, path: Path, *, skip_malformed: bool = False) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: expected a LOBSTER message file (.csv), found no file")
        self._path = path
        self._skip = skip_malformed
        self.skipped: list[Skipped] = []

    def __iter__(self) -> Iterator[Message]:
        self.skipped = []
        with self._path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield parse(number, line)
                except ValueError as error:
                    if not self._skip:
                        raise MalformedMessageError(f"{self._path}: line {number}: {error}") from error
                    self.skipped.append(Skipped(number, str(error)))


def parse(number: int, line: str) -> Message:
    """A line as a message. Raises ValueError, which says what was expected and what was found."""
    fields = line.strip().split(",")
    if len(fields) != 6:
        raise ValueError(f"expected time,type,order id,size,price,direction, found {line.strip()[:80]!r}")
    _check_time(fields[0])
    kind, order, size, price, direction = (
        _number(name, text)
        for name, text in zip(("type", "order id", "size", "price", "direction"), fields[1:], strict=True)
    )
    if kind not in tuple(Type):
        raise ValueError(f"type: expected 1 to 7, found {kind}")
    if direction not in (1, -1):
        raise ValueError(f"direction: expected 1 (buy) or -1 (sell), found {direction}")
    side = Side.BUY if direction == 1 else Side.SELL
    if kind == Type.HALT:
        if price not in (-1, 0, 1):
            raise ValueError(f"price: expected -1, 0 or 1 in a halt message, found {price}")
        return Message(number, Type.HALT, order, size, price, side)
    if not 1 <= size <= QUANTITY_MAX:
        raise ValueError(f"size: expected 1 to {QUANTITY_MAX}, found {size}")
    if kind in (Type.HIDDEN_EXECUTION, Type.CROSS):
        return Message(number, Type(kind), order, size, price, side)
    if order <= 0:
        raise ValueError(f"order id: expected a positive number, found {order}")
    if price % TICK or not 1 <= price // TICK < TICKS:
        raise ValueError(f"price: expected a multiple of {TICK} from {TICK} to {(TICKS - 1) * TICK}, found {price}")
    return Message(number, Type(kind), order, size, price // TICK, side)


def _number(name: str, text: str) -> int:
    digits = text.strip().removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 19 or int(digits) > NUMBER_MAX:
        raise ValueError(f"{name}: expected a whole number of 64 bits, found {text[:40]!r}")
    return int(text)


def _check_time(text: str) -> None:
    seconds, _, fraction = text.partition(".")
    if not (
        seconds.isascii() and seconds.isdecimal() and (not fraction or (fraction.isascii() and fraction.isdecimal()))
    ):
        raise ValueError(f"time: expected seconds after midnight, found {text[:40]!r}")
