"""What a market of order books means, in plain sequential Python: replies and events."""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from apps.book.one_book import Content, Event, OneBook, Rejected
from apps.book.rules import (
    CLIENTS,
    INSTRUMENTS,
    PAGE_LEVELS,
    QUANTITY_MAX,
    SWEEP_MAX,
    TICKS,
    Kind,
    Prevention,
    Reason,
    Side,
    Status,
)

_LEVEL = struct.Struct("<IIq")


class BookModel:
    """A market that changes; `events` are all that its commands have told, as (name, values)."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.books: dict[int, OneBook] = {}
        self.clients: set[int] = set()
        self.is_halted = False
        self._commands: dict[str, Callable[..., Any]] = {
            "limit": self._limit,
            "market_order": self._market_order,
            "cancel": self._cancel,
            "replace": self._replace,
            "mass_cancel": self._mass_cancel,
            "mass_cancel_everywhere": self._mass_cancel_everywhere,
            "list_instrument": self._list_instrument,
            "register": self._register,
            "halt": lambda instrument: self._turn(instrument, Status.HALTED, Reason.ALREADY_HALTED),
            "resume": lambda instrument: self._turn(instrument, Status.TRADING, Reason.NOT_HALTED),
            "halt_market": lambda: self._turn_market(True, Reason.ALREADY_HALTED),
            "resume_market": lambda: self._turn_market(False, Reason.NOT_HALTED),
            "best": self._best,
            "depth": self._depth,
            "still_open": self._still_open,
        }

    def apply(self, command: str, arguments: Sequence[Any]) -> Any:
        """Execute one call."""
        try:
            return self._commands[command](*arguments)
        except Rejected as rejection:
            instrument, client, order = _named(command, arguments)
            self.events.append(("rejected", (instrument, client, order, int(rejection.reason))))
            return -int(rejection.reason)

    def state(self) -> dict[str, Any]:
        """What of the service's state says something without the rest: who is registered, and what rests at best."""
        books = [self.books.get(instrument) for instrument in range(INSTRUMENTS)]
        bests = [(_best_price(book, Side.BUY), _best_price(book, Side.SELL)) for book in books]
        return {
            "clients": [int(client in self.clients) for client in range(CLIENTS)],
            "market": [int(self.is_halted)],
            "books": {
                "best_bid": [bid for bid, _ in bests],
                "best_ask": [ask for _, ask in bests],
                "resting": [0 if book is None else len(book) for book in books],
                "status": [0 if book is None else int(book.status) for book in books],
            },
        }

    def _book(self, instrument: int) -> OneBook:
        if instrument not in self.books:
            raise Rejected(Reason.UNKNOWN_INSTRUMENT)
        return self.books[instrument]

    def _check_client(self, client: int) -> None:
        if client not in self.clients:
            raise Rejected(Reason.UNKNOWN_CLIENT)

    def _trading(self, instrument: int, client: int) -> OneBook:
        book = self._book(instrument)
        self._check_client(client)
        if self.is_halted:
            raise Rejected(Reason.MARKET_HALTED)
        if book.status == Status.HALTED:
            raise Rejected(Reason.INSTRUMENT_HALTED)
        return book

    def _limit(self, instrument: int, client: int, order: int, *rest: int) -> int:
        book = self._trading(instrument, client)
        _check_order(*rest)
        return book.limit(client, order, *rest)

    def _market_order(self, instrument: int, client: int, order: int, side: int, prevention: int, quantity: int) -> int:
        book = self._trading(instrument, client)
        _check_order(side, Kind.IMMEDIATE, prevention, 1, quantity)
        if not book.sides[Side.SELL if side == Side.BUY else Side.BUY]:
            raise Rejected(Reason.NOTHING_TO_TRADE_WITH)
        price = TICKS - 1 if side == Side.BUY else 1
        return book.limit(client, order, side, Kind.IMMEDIATE, prevention, price, quantity)

    def _cancel(self, instrument: int, client: int, order: int) -> int:
        book = self._book(instrument)
        self._check_client(client)
        return book.cancel(client, order)

    def _replace(self, instrument: int, client: int, order: int, price: int, quantity: int) -> int:
        return self._trading(instrument, client).replace(client, order, price, quantity)

    def _mass_cancel(self, instrument: int, client: int) -> int:
        book = self._book(instrument)
        self._check_client(client)
        return book.mass_cancel(client, SWEEP_MAX)

    def _mass_cancel_everywhere(self, client: int) -> int:
        self._check_client(client)
        cancelled = 0
        for instrument in sorted(self.books):
            cancelled += self.books[instrument].mass_cancel(client, SWEEP_MAX - cancelled)
        return cancelled

    def _list_instrument(self, instrument: int) -> int:
        if instrument >= INSTRUMENTS:
            raise Rejected(Reason.UNKNOWN_INSTRUMENT)
        if instrument in self.books:
            raise Rejected(Reason.ALREADY_LISTED)
        self.books[instrument] = OneBook(instrument, self.events, Content(Status.TRADING))
        self.events.append(("status", (instrument, int(Status.TRADING))))
        return 0

    def _register(self, first: int, count: int) -> int:
        if count == 0 or first + count > CLIENTS:
            raise Rejected(Reason.UNKNOWN_CLIENT)
        fresh = set(range(first, first + count)) - self.clients
        if not fresh:
            raise Rejected(Reason.ALREADY_REGISTERED)
        self.clients |= fresh
        return len(fresh)

    def _turn(self, instrument: int, status: Status, already: Reason) -> int:
        book = self._book(instrument)
        if book.status == status:
            raise Rejected(already)
        book.status = status
        self.events.append(("status", (instrument, int(status))))
        return 0

    def _turn_market(self, is_halted: bool, already: Reason) -> int:
        if self.is_halted == is_halted:
            raise Rejected(already)
        self.is_halted = is_halted
        self.events.append(("market_status", (int(Status.HALTED if is_halted else Status.TRADING),)))
        return 0

    def _best(self, instrument: int) -> bytes:
        book = self.books.get(instrument)
        sides = ([], []) if book is None else (list(book.levels(side)) for side in Side)
        return b"".join(_LEVEL.pack(*(levels[0] if levels else (0, 0, 0))) for levels in sides)

    def _depth(self, instrument: int, side: int, after: int) -> bytes:
        book = self.books.get(instrument)
        if book is None or side not in tuple(Side) or after >= TICKS:
            return b""
        levels = [
            level
            for level in book.levels(side)
            if after == 0 or (level[0] < after if side == Side.BUY else level[0] > after)
        ]
        return b"".join(_LEVEL.pack(*level) for level in levels[:PAGE_LEVELS])

    def _still_open(self, instrument: int, order: int) -> int:
        book = self.books.get(instrument)
        resting = None if book is None else book.find(order)
        return 0 if resting is None else resting.quantity


def _best_price(book: OneBook | None, side: Side) -> int:
    """As the service keeps it: 0 and TICKS are the best bid and the best offer of an empty book."""
    if book is None:
        return 0
    if book.sides[side]:
        return book.sides[side][0].price
    return 0 if side == Side.BUY else TICKS


def _check_order(side: int, kind: int, prevention: int, price: int, quantity: int) -> None:
    """Raise Rejected for what no order can be."""
    checks = (
        (side in tuple(Side), Reason.UNKNOWN_SIDE),
        (kind in tuple(Kind), Reason.UNKNOWN_KIND),
        (prevention in tuple(Prevention), Reason.UNKNOWN_PREVENTION),
        (price > 0, Reason.PRICE_NOT_POSITIVE),
        (price < TICKS, Reason.PRICE_TOO_HIGH),
        (quantity > 0, Reason.QUANTITY_NOT_POSITIVE),
        (quantity <= QUANTITY_MAX, Reason.QUANTITY_TOO_LARGE),
    )
    for holds, reason in checks:
        if not holds:
            raise Rejected(reason)


_NAMES_CLIENT_ONLY = ("register", "mass_cancel_everywhere")


def _named(command: str, arguments: Sequence[Any]) -> tuple[int, int, int]:
    """The instrument, client and order that a rejection names; 0 for what the command has not."""
    if command in _NAMES_CLIENT_ONLY:
        return 0, arguments[0], 0
    if command in ("limit", "market_order", "cancel", "replace"):
        return arguments[0], arguments[1], arguments[2]
    if command == "mass_cancel":
        return arguments[0], arguments[1], 0
    return (arguments[0] if arguments else 0), 0, 0


class State(NamedTuple):
    """A market with one book, as a value."""

    clients: frozenset[int] = frozenset()
    is_halted: bool = False
    book: Content | None = None


class BookMeaning:
    """The same for `psmr.checking`, instrument by instrument.

    A cancel in all books is taken to find at most SWEEP_MAX orders: which books came first would be a matter of all of them.
    """

    initial = State()
    read_only = frozenset({"best", "depth", "still_open"})

    def step(self, state: State, command: str, arguments: tuple[Any, ...], /) -> tuple[State, Any]:
        """The state after a call, and its reply."""
        model = BookModel()
        model.is_halted = state.is_halted
        model.clients = set(state.clients) if command == "register" else state.clients  # type: ignore[assignment]
        key = self.key(command, arguments)
        instrument = int(key) if isinstance(key, int) else 0
        if state.book is not None:
            model.books[instrument] = OneBook(instrument, model.events, state.book)
        reply = model.apply(command, arguments)
        if command in self.read_only:
            return state, reply
        book = model.books.get(instrument)
        clients = frozenset(model.clients) if command == "register" else state.clients
        return State(clients, model.is_halted, None if book is None else book.content()), reply

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable | None:
        """The instrument; what concerns the whole market has none."""
        return None if command in _NAMES_CLIENT_ONLY or not arguments else int(arguments[0])
