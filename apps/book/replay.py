"""A LOBSTER file as calls of a book, and what a correct engine must make of them.

Submissions are day orders of one client under the file's own numbers, deletions cancels, partial cancels replaces by what is left. A
visible execution becomes an immediate order of another client, at its price and size, for the other side: which resting order it
meets is the engine's to find, and the file says which it was. Messages about orders that the file did not submit, and trades of
no order in the book, call nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from apps.book.lobster import Message, Type
from apps.book.rules import Kind, Prevention, Side

INSTRUMENT = 0
RESTING_CLIENT = 1
TAKING_CLIENT = 2
TAKING_ORDERS = 1 << 62
"""The order that stands for the execution of line n has the number TAKING_ORDERS + n."""


class Call(NamedTuple):
    """One call, and the line that it comes from."""

    command: str
    arguments: tuple[int, ...]
    line: int


class Execution(NamedTuple):
    """What the file says of a visible execution."""

    order: int
    size: int
    is_known: bool
    """Whether the file submitted that order, and it was still open by the file's own account."""


class FileReplay:
    """Turns messages into calls. `executions` are those met so far, by line."""

    def __init__(self) -> None:
        self._open: dict[int, int] = {}
        self._is_halted = False
        self.executions: dict[int, Execution] = {}
        self.uncalled: Counter[str] = Counter()
        """Messages that called nothing, by what they were."""

    def calls(self, messages: Iterable[Message]) -> Iterator[Call]:
        """The calls of the messages, in their order."""
        for message in messages:
            call = self._call(message)
            if call is None:
                self.uncalled[message.type.name.lower()] += 1
            else:
                yield Call(*call, message.line)

    def _call(self, message: Message) -> tuple[str, tuple[int, ...]] | None:
        if message.type is Type.HALT:
            return self._turn(message.price)
        if message.type in (Type.HIDDEN_EXECUTION, Type.CROSS):
            return None
        if message.type is Type.SUBMISSION:
            self._open[message.order] = message.size
            order = (message.side, Kind.DAY, Prevention.NONE, message.price, message.size)
            return "limit", (INSTRUMENT, RESTING_CLIENT, message.order, *map(int, order))
        left = self._open.get(message.order, 0)
        if message.type is Type.EXECUTION:
            self.executions[message.line] = Execution(message.order, message.size, message.size <= left)
        if left == 0:
            return None
        gone = left if message.type is Type.DELETION else min(left, message.size)
        self._open[message.order] = left - gone
        if left == gone:
            del self._open[message.order]
        own = (INSTRUMENT, RESTING_CLIENT, message.order)
        if message.type is Type.EXECUTION:
            side = Side.SELL if message.side is Side.BUY else Side.BUY
            order = (side, Kind.IMMEDIATE, Prevention.NONE, message.price, message.size)
            return "limit", (INSTRUMENT, TAKING_CLIENT, TAKING_ORDERS + message.line, *map(int, order))
        if left == gone:
            return "cancel", own
        return "replace", (*own, message.price, left - gone)

    def _turn(self, price: int) -> tuple[str, tuple[int, ...]] | None:
        halts = price == -1
        if price == 0 or halts == self._is_halted:
            return None
        self._is_halted = halts
        return ("halt" if halts else "resume"), (INSTRUMENT,)
