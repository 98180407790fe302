"""What the exchange means: a client uses what its orders could cost at worst, as they rest, and what its fills cost until settled.

There is no counter of reservations and releases here: what is used follows from the books and from what they told.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, MutableMapping, Sequence
from typing import Any, NamedTuple

from apps.book.one_book import Content, Event, OneBook, Rejected
from apps.book.rules import INSTRUMENTS, QUANTITY_MAX, SWEEP_MAX, TICKS, Kind, Prevention, Reason, Side, Status
from apps.cells import Cells, Draft
from apps.exchange.rules import CLIENTS, LIMIT_MAX, RESERVED_MAX, SETTLED_AT_ONCE_MAX, Refusal


class Account(NamedTuple):
    """A client. `open`: what its resting orders could cost; `reserved`: all that it has reserved since its last settlement."""

    limit: int
    open: int = 0
    unsettled: int = 0
    cash: int = 0
    balance: int = 0
    reserved: int = 0
    suspended: bool = False

    @property
    def used(self) -> int:
        return self.open + self.unsettled


class Line(NamedTuple):
    """What one client grants another."""

    limit: int = 0
    used: int = 0


class ExchangeModel:
    """An exchange that changes; `events` are all that its commands have told, as (name, values).

    `cells` holds accounts by client, ("line", client, counterparty), ("lots", instrument, client), ("ceiling", instrument) and
    "halted"; books are apart, for they are objects.
    """

    def __init__(self, cells: MutableMapping[Any, Any] | None = None) -> None:
        self.cells: MutableMapping[Any, Any] = {} if cells is None else cells
        self.books: dict[int, OneBook] = {}
        self.events: list[Event] = []

    def apply(self, command: str, arguments: Sequence[Any]) -> Any:
        """Execute one call."""
        mark = len(self.events)
        try:
            reply = _COMMANDS[command](self, *arguments)
        except Rejected as rejection:
            self.events.append(("rejected", (*_named(command, arguments), int(rejection.reason))))
            return -int(rejection.reason)
        incoming = arguments[2] if command in ("limit", "market_order", "replace") else None
        for name, values in self.events[mark:]:
            if name == "filled":
                self._filled(*values)
            elif name == "cancelled" and values[2] != incoming:
                instrument, client, _, side, _, price, quantity = values
                self._change(client, open=-self._worst(instrument, side, price) * quantity)
        if incoming is not None or command == "reduce":
            self._count_resting(arguments[0], arguments[2], 1)
        return reply

    # Orders.

    def _limit(self, instrument: int, client: int, order: int, *rest: int) -> int:
        side, kind, prevention, price, quantity = rest
        if side in tuple(Side) and self._is_priced(instrument, client, price, quantity):
            self._reserve(client, self._worst(instrument, side, price) * quantity)
        book = self._trading(instrument, client)
        _check_order(side, kind, prevention, price, quantity)
        if price > self.cells["ceiling", instrument]:
            raise Rejected(Refusal.ABOVE_CEILING)
        return book.limit(client, order, side, kind, prevention, price, quantity)

    def _market_order(self, instrument: int, client: int, order: int, side: int, prevention: int, quantity: int) -> int:
        ceiling = self.cells.get(("ceiling", instrument), 0)
        if side in tuple(Side) and self._is_priced(instrument, client, ceiling, quantity):
            self._reserve(client, ceiling * quantity)
        book = self._trading(instrument, client)
        _check_order(side, Kind.IMMEDIATE, prevention, 1, quantity)
        if not book.sides[Side.SELL if side == Side.BUY else Side.BUY]:
            raise Rejected(Reason.NOTHING_TO_TRADE_WITH)
        price = ceiling if side == Side.BUY else 1
        return book.limit(client, order, side, Kind.IMMEDIATE, prevention, price, quantity)

    def _replace(self, instrument: int, client: int, order: int, price: int, quantity: int) -> int:
        if self._is_priced(instrument, client, price, quantity):
            self._reserve(client, self.cells["ceiling", instrument] * quantity)
        book = self._trading(instrument, client)
        if not self._is_priced(instrument, client, price, quantity):
            raise Rejected(Reason.REPLACE_BEYOND_LIMITS)
        old = book.find(order)
        filled = book.replace(client, order, price, quantity)
        assert old is not None
        self._change(client, open=-self._worst(instrument, old.side, old.price) * old.quantity)
        return filled

    def _reduce(self, instrument: int, client: int, order: int, quantity: int) -> int:
        book = self._trading(instrument, client)
        old = book.find(order)
        if old is None:
            raise Rejected(Reason.ORDER_NOT_RESTING)
        if old.client != client:
            raise Rejected(Reason.NOT_OWN_ORDER)
        if not 0 < quantity <= old.quantity:
            raise Rejected(Reason.REPLACE_BEYOND_LIMITS)
        self._count_resting(instrument, order, -1)
        return book.replace(client, order, old.price, quantity)

    def _mass_cancel_everywhere(self, client: int) -> int:
        self._check_client(client)
        cancelled = 0
        for instrument in sorted(self.books):
            cancelled += self.books[instrument].mass_cancel(client, SWEEP_MAX - cancelled)
        return cancelled

    def _is_priced(self, instrument: int, client: int, price: int, quantity: int) -> bool:
        """Whether an order has a worst cost at all."""
        ceiling = self.cells.get(("ceiling", instrument), 0)
        return client in self.cells and 0 < price <= ceiling and 0 < quantity <= QUANTITY_MAX

    def _reserve(self, client: int, amount: int) -> None:
        account = self.cells[client]
        if account.suspended:
            raise Rejected(Refusal.CLIENT_SUSPENDED)
        if account.reserved > RESERVED_MAX:
            raise Rejected(Refusal.CREDIT_TO_BE_SETTLED)
        if account.used + amount > account.limit:
            raise Rejected(Refusal.NO_CREDIT)
        self._change(client, reserved=amount)

    # What is booked.

    def _worst(self, instrument: int, side: int, price: int) -> int:
        return price if side == Side.BUY else int(self.cells["ceiling", instrument])

    def _change(self, client: int, **amounts: int) -> None:
        account = self.cells[client]
        self.cells[client] = account._replace(**{name: getattr(account, name) + more for name, more in amounts.items()})

    def _count_resting(self, instrument: int, order: int, sign: int) -> None:
        """Count what an order could cost, if it rests, as used; or, before it changes, no more."""
        resting = self.books[instrument].find(order)
        if resting is not None:
            self._change(
                resting.client, open=sign * self._worst(instrument, resting.side, resting.price) * resting.quantity
            )

    def _filled(
        self, instrument: int, side: int, price: int, lots: int, order: int, client: int, left: int, *against: int
    ) -> None:
        _, other, _ = against
        other_side = Side.SELL if side == Side.BUY else Side.BUY
        self._change(other, open=-self._worst(instrument, other_side, price) * lots)
        for party, is_buying in ((client, side == Side.BUY), (other, side == Side.SELL)):
            self._bought(instrument, party, lots if is_buying else -lots, price)

    def _bought(self, instrument: int, client: int, lots: int, price: int) -> None:
        self._change(client, unsettled=abs(lots) * price, cash=-lots * price)
        held = self.cells.get(("lots", instrument, client), 0) + lots
        if held:
            self.cells["lots", instrument, client] = held
        else:
            self.cells.pop(("lots", instrument, client), None)

    # Everything else.

    def _list_instrument(self, instrument: int, ceiling: int) -> int:
        if instrument >= INSTRUMENTS:
            raise Rejected(Reason.UNKNOWN_INSTRUMENT)
        if not 0 < ceiling < TICKS:
            raise Rejected(Refusal.CEILING_OUT_OF_RANGE)
        if instrument in self.books:
            raise Rejected(Reason.ALREADY_LISTED)
        self.books[instrument] = OneBook(instrument, self.events, Content(Status.TRADING))
        self.cells["ceiling", instrument] = ceiling
        self.events.append(("status", (instrument, int(Status.TRADING))))
        return 0

    def _turn(self, instrument: int, status: Status, already: Reason) -> int:
        book = self._book(instrument)
        if book.status == status:
            raise Rejected(already)
        book.status = status
        self.events.append(("status", (instrument, int(status))))
        return 0

    def _turn_market(self, is_halted: bool, already: Reason) -> int:
        if self.cells.get("halted", False) == is_halted:
            raise Rejected(already)
        self.cells["halted"] = is_halted
        self.events.append(("market_status", (int(Status.HALTED if is_halted else Status.TRADING),)))
        return 0

    def _set_gross(self, client: int, limit: int) -> int:
        _check_limit(limit)
        if client >= CLIENTS:
            raise Rejected(Refusal.CLIENT_OUT_OF_RANGE)
        account = self.cells.get(client, Account(0))
        if limit < account.used:
            raise Rejected(Refusal.LIMIT_BELOW_USED)
        self.cells[client] = account._replace(limit=limit)
        return 0

    def _turn_client(self, client: int, suspended: bool, already: Refusal) -> int:
        self._check_client(client)
        if self.cells[client].suspended == suspended:
            raise Rejected(already)
        self.cells[client] = self.cells[client]._replace(suspended=suspended)
        return 0

    def _set_line(self, client: int, counterparty: int, limit: int) -> int:
        _check_limit(limit)
        self._check_parties(client, counterparty)
        line = self.cells.get(("line", client, counterparty), Line())
        if limit < line.used:
            raise Rejected(Refusal.LIMIT_BELOW_USED)
        self.cells["line", client, counterparty] = line._replace(limit=limit)
        return 0

    def _trade(self, instrument: int, client: int, counterparty: int, side: int, price: int, quantity: int) -> int:
        self._check_parties(client, counterparty)
        self._trading(instrument, client)
        pairs = (client, counterparty), (counterparty, client)
        lines = [self.cells.get(("line", *pair), Line()) for pair in pairs]
        one, other, amount = self.cells[client], self.cells[counterparty], price * quantity
        rules = (
            (side in tuple(Side), Reason.UNKNOWN_SIDE),
            (price > 0, Reason.PRICE_NOT_POSITIVE),
            (price <= self.cells["ceiling", instrument], Refusal.ABOVE_CEILING),
            (quantity > 0, Reason.QUANTITY_NOT_POSITIVE),
            (quantity <= QUANTITY_MAX, Reason.QUANTITY_TOO_LARGE),
            (not one.suspended, Refusal.CLIENT_SUSPENDED),
            (not other.suspended, Refusal.COUNTERPARTY_SUSPENDED),
            (one.used + amount <= one.limit, Refusal.NO_CREDIT),
            (other.used + amount <= other.limit, Refusal.COUNTERPARTY_NO_CREDIT),
            (lines[0].used + amount <= lines[0].limit, Refusal.LINE_EXCEEDED),
            (lines[1].used + amount <= lines[1].limit, Refusal.COUNTERPARTY_LINE_EXCEEDED),
        )
        _raise_first(rules)
        for pair, line in zip(pairs, lines, strict=True):
            self.cells["line", *pair] = line._replace(used=line.used + amount)
            self._change(pair[0], reserved=amount)
        lots = quantity if side == Side.BUY else -quantity
        self._bought(instrument, client, lots, price)
        self._bought(instrument, counterparty, -lots, price)
        self.events.append(("agreed", (instrument, client, counterparty, side, price, quantity)))
        return quantity

    def _pay(self, client: int, counterparty: int) -> int:
        self._check_parties(client, counterparty)
        used = self.cells.get(("line", client, counterparty), Line()).used
        for pair in ((client, counterparty), (counterparty, client)) if used else ():
            self.cells["line", *pair] = self.cells["line", *pair]._replace(used=0)
        return int(used)

    def _settle(self, first: int, count: int) -> int:
        if count > SETTLED_AT_ONCE_MAX or first + count > CLIENTS:
            raise Rejected(Refusal.TOO_MANY_CLIENTS)
        settled = 0
        for client in range(first, first + count):
            account = self.cells.get(client)
            if account is None:
                continue
            if account.unsettled:
                self.events.append(("settled", (client, account.cash, account.unsettled)))
                settled += 1
            self.cells[client] = account._replace(
                reserved=account.open, unsettled=0, cash=0, balance=account.balance + account.cash
            )
        return settled

    def _available(self, client: int) -> int:
        account = self.cells.get(client)
        return -int(Reason.UNKNOWN_CLIENT) if account is None else account.limit - account.used

    def _cash(self, client: int) -> int:
        account = self.cells.get(client)
        return 0 if account is None else account.balance + account.cash

    def _best(self, instrument: int) -> int:
        book = self.books.get(instrument)
        if book is None:
            return 0
        bid, ask = (side[0].price if side else 0 for side in book.sides.values())
        return bid << 32 | ask

    def _book(self, instrument: int) -> OneBook:
        if instrument not in self.books:
            raise Rejected(Reason.UNKNOWN_INSTRUMENT)
        return self.books[instrument]

    def _with_book(self, instrument: int, client: int) -> OneBook:
        book = self._book(instrument)
        self._check_client(client)
        return book

    def _trading(self, instrument: int, client: int) -> OneBook:
        book = self._with_book(instrument, client)
        if self.cells.get("halted", False):
            raise Rejected(Reason.MARKET_HALTED)
        if book.status == Status.HALTED:
            raise Rejected(Reason.INSTRUMENT_HALTED)
        return book

    def _check_client(self, client: int) -> None:
        if client not in self.cells:
            raise Rejected(Reason.UNKNOWN_CLIENT)

    def _check_parties(self, client: int, counterparty: int) -> None:
        self._check_client(client)
        if counterparty not in self.cells:
            raise Rejected(Refusal.UNKNOWN_COUNTERPARTY)
        if client == counterparty:
            raise Rejected(Refusal.SAME_PARTY)

    def state(self) -> dict[str, Any]:
        """What of the service's state a reader of these rules can know."""
        books = [self.books.get(instrument) for instrument in range(INSTRUMENTS)]
        accounts = [self.cells.get(client) for client in range(CLIENTS)]
        bests = [divmod(self._best(instrument), 1 << 32) for instrument in range(INSTRUMENTS)]
        lines = {key: held for key, held in self.cells.items() if isinstance(key, tuple) and key[0] == "line"}
        return {
            "registered": [int(account is not None) for account in accounts],
            "credit": {name: [int(getattr(account, name, 0)) for account in accounts] for name in _CREDIT},
            "balances": [getattr(account, "balance", 0) for account in accounts],
            "ceilings": [self.cells.get(("ceiling", instrument), 0) for instrument in range(INSTRUMENTS)],
            "positions": {
                key[1] * CLIENTS + key[2]: lots
                for key, lots in self.cells.items()
                if isinstance(key, tuple) and key[0] == "lots"
            },
            "lines": {
                name: {
                    key[1] * CLIENTS + key[2]: value for key, held in lines.items() if (value := getattr(held, name))
                }
                for name in ("limit", "used")
            },
            "market": [int(self.cells.get("halted", False))],
            "books": {
                "best_bid": [bid for bid, _ in bests],
                "best_ask": [
                    ask or (0 if book is None else TICKS) for (_, ask), book in zip(bests, books, strict=True)
                ],
                "resting": [0 if book is None else len(book) for book in books],
                "status": [0 if book is None else int(book.status) for book in books],
            },
        }


_COMMANDS: dict[str, Callable[..., Any]] = {
    "limit": ExchangeModel._limit,
    "market_order": ExchangeModel._market_order,
    "replace": ExchangeModel._replace,
    "reduce": ExchangeModel._reduce,
    "cancel": lambda model, instrument, client, order: model._with_book(instrument, client).cancel(client, order),
    "mass_cancel": lambda model, *named: model._with_book(*named).mass_cancel(named[1], SWEEP_MAX),
    "mass_cancel_everywhere": ExchangeModel._mass_cancel_everywhere,
    "list_instrument": ExchangeModel._list_instrument,
    "halt": lambda model, instrument: model._turn(instrument, Status.HALTED, Reason.ALREADY_HALTED),
    "resume": lambda model, instrument: model._turn(instrument, Status.TRADING, Reason.NOT_HALTED),
    "halt_market": lambda model: model._turn_market(True, Reason.ALREADY_HALTED),
    "resume_market": lambda model: model._turn_market(False, Reason.NOT_HALTED),
    "set_gross": ExchangeModel._set_gross,
    "suspend": lambda model, client: model._turn_client(client, True, Refusal.ALREADY_SUSPENDED),
    "reinstate": lambda model, client: model._turn_client(client, False, Refusal.NOT_SUSPENDED),
    "set_line": ExchangeModel._set_line,
    "trade": ExchangeModel._trade,
    "pay": ExchangeModel._pay,
    "settle": ExchangeModel._settle,
    "available": ExchangeModel._available,
    "cash": ExchangeModel._cash,
    "position": lambda model, instrument, client: model.cells.get(("lots", instrument, client), 0),
    "best": ExchangeModel._best,
}
_CREDIT = ("limit", "reserved", "suspended")
_OF_AN_ORDER = ("limit", "market_order", "replace", "reduce", "cancel")
_OF_AN_INSTRUMENT = ("list_instrument", "halt", "resume")


def _named(command: str, arguments: Sequence[Any]) -> tuple[int, int, int]:
    """The instrument, client and order that a rejection names; 0 for what the command has not."""
    if command in _OF_AN_ORDER:
        return arguments[0], arguments[1], arguments[2]
    if command in ("mass_cancel", "trade"):
        return arguments[0], arguments[1], 0
    if command in _OF_AN_INSTRUMENT:
        return arguments[0], 0, 0
    return 0, (arguments[0] if arguments else 0), 0


def _raise_first(rules: Sequence[tuple[bool, Any]]) -> None:
    for holds, reason in rules:
        if not holds:
            raise Rejected(reason)


def _check_limit(limit: int) -> None:
    _raise_first(((limit >= 0, Refusal.NEGATIVE_LIMIT), (limit <= LIMIT_MAX, Refusal.LIMIT_TOO_LARGE)))


def _check_order(side: int, kind: int, prevention: int, price: int, quantity: int) -> None:
    """Raise Rejected for what no order can be."""
    _raise_first(
        (
            (side in tuple(Side), Reason.UNKNOWN_SIDE),
            (kind in tuple(Kind), Reason.UNKNOWN_KIND),
            (prevention in tuple(Prevention), Reason.UNKNOWN_PREVENTION),
            (price > 0, Reason.PRICE_NOT_POSITIVE),
            (price < TICKS, Reason.PRICE_TOO_HIGH),
            (quantity > 0, Reason.QUANTITY_NOT_POSITIVE),
            (quantity <= QUANTITY_MAX, Reason.QUANTITY_TOO_LARGE),
        )
    )


class _Value:
    """A book in a checker's state: equal by all of it, hashed by a little: to hash each order anew would take most of the time."""

    __slots__ = ("_hash", "content")

    def __init__(self, content: Content) -> None:
        self.content = content
        sides = content.bids, content.asks
        self._hash = hash((content.status, *(len(side) for side in sides), *(side[:2] + side[-2:] for side in sides)))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Value) and self._hash == other._hash and self.content == other.content


class ExchangeMeaning:
    """The same for `psmr.checking`. Credit joins a client's instruments, and a fill two clients: a history is checked whole."""

    initial = Cells()
    read_only = frozenset({"available", "cash", "position", "best"})

    def step(self, state: Cells, command: str, arguments: tuple[Any, ...], /) -> tuple[Cells, Any]:
        """The state after a call, and its reply."""
        draft = Draft(state)
        model = ExchangeModel(draft)
        everywhere = command == "mass_cancel_everywhere"
        for key in (key for key, _ in state.items()) if everywhere else [("book", arguments[0] if arguments else 0)]:
            if isinstance(key, tuple) and key[0] == "book" and key in draft:
                model.books[key[1]] = OneBook(key[1], model.events, draft[key].content)
        reply = model.apply(command, arguments)
        for instrument, book in model.books.items():
            draft["book", instrument] = _Value(book.content())
        return draft.outcome(), reply

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable | None:
        """One part."""
        return 0
