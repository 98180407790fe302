"""A LOBSTER file as calls of a book, and what a correct engine must make of them.

Submissions are day orders of one client under the file's own numbers, deletions cancels, partial cancels replaces by what is
left. A visible execution becomes an immediate order of another client, at its price and size, for the other side: which resting
order it meets is the engine's to find, and the file says which it was. Messages about orders that the file did not submit, and
trades of no order in the book, call nothing.

A few executions of a real file leave price-time priority: by its own account an earlier order of that price, or one at a better
price, rests. No engine with strict priority can meet the file's order there. Such an execution is counted as different and not
sent; the lots are taken from the file's order by a replace or a cancel, so that the book goes on as the file's and each later
execution is judged for itself. With `departures=sent` it is sent like the others, and what it takes from the wrong orders makes
later ones differ too.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from apps.book.lobster import Message, Type
from apps.book.rules import Kind, Prevention, Side

INSTRUMENT = 0
RESTING_CLIENT = 1
TAKING_CLIENT = 2
TAKING_ORDERS = 1 << 62
"""The order that stands for the execution of line n has the number TAKING_ORDERS + n."""

Made = tuple[str, tuple[int, ...]]
"""A command and its arguments."""


class Call(NamedTuple):
    """One call, and the line that it comes from."""

    command: str
    arguments: tuple[int, ...]
    line: int


class Execution(NamedTuple):
    """What the file says of a visible execution: the resting order, and why it was not sent; "" for one that was."""

    order: int
    unsent: str


class _Queues:
    """The open orders of one side by the file's own account, each price's in the order of their submission."""

    def __init__(self, side: Side) -> None:
        self._sign = -1 if side is Side.BUY else 1
        self._by_price: dict[int, deque[int]] = {}
        self._prices: list[int] = []

    def append(self, price: int, order: int) -> None:
        """An order comes."""
        queue = self._by_price.get(price)
        if queue is None:
            queue = self._by_price[price] = deque()
            heappush(self._prices, self._sign * price)
        queue.append(order)

    def first(self, is_open: dict[int, int]) -> int | None:
        """The order that would trade next, of those that are open."""
        while self._prices:
            price = self._sign * self._prices[0]
            queue = self._by_price[price]
            while queue and queue[0] not in is_open:
                queue.popleft()
            if queue:
                return queue[0]
            heappop(self._prices)
            del self._by_price[price]
        return None


class FileReplay:
    """Turns messages into calls; `executions` are those met so far, by line."""

    def __init__(self, *, departures: str = "taken") -> None:
        self._sends_departures = departures == "sent"
        self._open: dict[int, int] = {}
        self._queues = {side: _Queues(side) for side in Side}
        self._is_halted = False
        self.executions: dict[int, Execution] = {}
        self.uncalled: Counter[str] = Counter()
        """Messages that called nothing, by what they were."""

    def calls(self, messages: Iterable[Message]) -> Iterator[Call]:
        """The calls of the messages, in their order."""
        for message in messages:
            made = self._made(message)
            if made is None:
                self.uncalled[message.type.name.lower()] += 1
            else:
                yield Call(*made, message.line)

    def _made(self, message: Message) -> Made | None:
        if message.type is Type.HALT:
            return self._turn(message.price)
        if message.type in (Type.HIDDEN_EXECUTION, Type.CROSS):
            return None
        if message.type is Type.SUBMISSION:
            return self._submit(message)
        if message.type is Type.EXECUTION:
            return self._execute(message)
        left = self._open.get(message.order, 0)
        return self._shorten(message, left, left if message.type is Type.DELETION else message.size)

    def _submit(self, message: Message) -> Made:
        if message.order not in self._open:
            self._open[message.order] = message.size
            self._queues[message.side].append(message.price, message.order)
        rest = (message.side, Kind.DAY, Prevention.NONE, message.price, message.size)
        return "limit", (INSTRUMENT, RESTING_CLIENT, message.order, *map(int, rest))

    def _execute(self, message: Message) -> Made | None:
        left = self._open.get(message.order, 0)
        unsent = ""
        if left < message.size:
            unsent = "unknown_order"
        elif self._queues[message.side].first(self._open) != message.order:
            unsent = "out_of_priority"
        self.executions[message.line] = Execution(message.order, unsent)
        taken = self._shorten(message, left, message.size)
        if unsent and not (self._sends_departures and left):
            return taken
        side = Side.SELL if message.side is Side.BUY else Side.BUY
        rest = (side, Kind.IMMEDIATE, Prevention.NONE, message.price, message.size)
        return "limit", (INSTRUMENT, TAKING_CLIENT, TAKING_ORDERS + message.line, *map(int, rest))

    def _shorten(self, message: Message, left: int, lots: int) -> Made | None:
        """Take lots from an order, as its client would."""
        if left == 0:
            return None
        own = (INSTRUMENT, RESTING_CLIENT, message.order)
        if lots < left:
            self._open[message.order] = left - lots
            return "replace", (*own, message.price, left - lots)
        del self._open[message.order]
        return "cancel", own

    def _turn(self, price: int) -> Made | None:
        halts = price == -1
        if price == 0 or halts == self._is_halted:
            return None
        self._is_halted = halts
        return ("halt" if halts else "resume"), (INSTRUMENT,)
