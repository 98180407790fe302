"""What the credit matrix means: dictionaries of clients and of lines, and rules in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, MutableMapping, Sequence
from typing import Any, NamedTuple

from apps.cells import Cells, Draft
from apps.credit.codes import AMOUNT_MAX, CLIENTS, SETTLED_MAX, Answer, Change

Book = MutableMapping[Any, Any]
"""Under a number its `Client`, under a pair of numbers the `Line` that the first grants the second."""


class Client(NamedTuple):
    """A client that has a gross limit."""

    limit: int
    used: int = 0
    settled: int = 0
    suspended: bool = False

    @property
    def free(self) -> int:
        return self.limit - self.used


class Line(NamedTuple):
    """What one client grants another; without one it grants 0."""

    limit: int = 0
    used: int = 0

    @property
    def free(self) -> int:
        return self.limit - self.used


def apply(book: Book, command: str, arguments: Sequence[Any]) -> Any:
    """Execute one call in place; its reply."""
    return _COMMANDS[command](book, *arguments)


def _bad_amount(amount: int) -> Answer | None:
    if amount == 0:
        return Answer.ZERO_AMOUNT
    if amount < 0:
        return Answer.NEGATIVE_AMOUNT
    return Answer.AMOUNT_TOO_LARGE if amount > AMOUNT_MAX else None


def _bad_limit(limit: int) -> Answer | None:
    if limit < 0:
        return Answer.NEGATIVE_LIMIT
    return Answer.LIMIT_TOO_LARGE if limit > AMOUNT_MAX else None


def _bad_parties(book: Book, one: int, other: int) -> Answer | None:
    if one not in book:
        return Answer.UNKNOWN_CLIENT
    if other not in book:
        return Answer.UNKNOWN_COUNTERPARTY
    return Answer.SAME_PARTY if one == other else None


def _reserve(book: Book, one: int, other: int, amount: int) -> Answer:
    bad = _bad_amount(amount) or _bad_parties(book, one, other)
    if bad:
        return bad
    lines = book.get((one, other), Line()), book.get((other, one), Line())
    rules = (
        (book[one].suspended, Answer.CLIENT_SUSPENDED),
        (book[other].suspended, Answer.COUNTERPARTY_SUSPENDED),
        (book[one].free < amount, Answer.CLIENT_GROSS_EXCEEDED),
        (book[other].free < amount, Answer.COUNTERPARTY_GROSS_EXCEEDED),
        (lines[0].free < amount, Answer.CLIENT_LINE_EXCEEDED),
        (lines[1].free < amount, Answer.COUNTERPARTY_LINE_EXCEEDED),
    )
    broken = [answer for is_broken, answer in rules if is_broken]
    return broken[0] if broken else _moved(book, one, other, amount)


def _moved(book: Book, one: int, other: int, amount: int, settled: int = 0) -> Answer:
    for party, pair in ((one, (one, other)), (other, (other, one))):
        client, line = book[party], book.get(pair, Line())
        book[party] = client._replace(used=client.used + amount, settled=client.settled + settled)
        book[pair] = line._replace(used=line.used + amount)
    return Answer.DONE


def _release(book: Book, one: int, other: int, amount: int) -> Answer:
    bad = _bad_amount(amount) or _bad_parties(book, one, other)
    if bad:
        return bad
    if book.get((one, other), Line()).used < amount:
        return Answer.MORE_THAN_USED
    return _moved(book, one, other, -amount)


def _settle(book: Book, one: int, other: int, amount: int) -> Answer:
    bad = _bad_amount(amount) or _bad_parties(book, one, other)
    if bad:
        return bad
    if book.get((one, other), Line()).used < amount:
        return Answer.MORE_THAN_USED
    if max(book[one].settled, book[other].settled) + amount > SETTLED_MAX:
        return Answer.SETTLED_TOO_LARGE
    return _moved(book, one, other, -amount, amount)


def _set_gross(book: Book, one: int, limit: int) -> Answer:
    bad = _bad_limit(limit)
    if bad:
        return bad
    if one >= CLIENTS:
        return Answer.CLIENT_OUT_OF_RANGE
    client = book.get(one, Client(0))
    if limit < client.used:
        return Answer.LIMIT_BELOW_USED
    book[one] = client._replace(limit=limit)
    return Answer.DONE


def _set_line(book: Book, one: int, other: int, limit: int) -> Answer:
    bad = _bad_limit(limit) or _bad_parties(book, one, other)
    if bad:
        return bad
    line = book.get((one, other), Line())
    if limit < line.used:
        return Answer.LIMIT_BELOW_USED
    book[one, other] = line._replace(limit=limit)
    return Answer.DONE


def _suspend(book: Book, one: int) -> Answer:
    if one not in book:
        return Answer.UNKNOWN_CLIENT
    if book[one].suspended:
        return Answer.ALREADY_SUSPENDED
    book[one] = book[one]._replace(suspended=True)
    return Answer.DONE


def _reinstate(book: Book, one: int) -> Answer:
    if one not in book:
        return Answer.UNKNOWN_CLIENT
    if not book[one].suspended:
        return Answer.NOT_SUSPENDED
    book[one] = book[one]._replace(suspended=False)
    return Answer.DONE


def _available_between(book: Book, one: int, other: int) -> Any:
    if _bad_parties(book, one, other):
        return None
    if book[one].suspended or book[other].suspended:
        return 0
    pairs = (one, other), (other, one)
    return min(book[one].free, book[other].free, *(book.get(pair, Line()).free for pair in pairs))


_COMMANDS: dict[str, Callable[..., Any]] = {
    "reserve": _reserve,
    "release": _release,
    "settle": _settle,
    "set_gross": _set_gross,
    "set_line": _set_line,
    "suspend": _suspend,
    "reinstate": _reinstate,
    "available": lambda book, one: book[one].free if one in book else None,
    "used": lambda book, one: book[one].used if one in book else None,
    "settled": lambda book, one: book[one].settled if one in book else None,
    "available_between": _available_between,
    "total_used": lambda book: sum(book[one].used for one in list(book) if isinstance(one, int)),
}


_CHANGES = dict(
    zip(("reserve", "release", "settle", "set_gross", "set_line", "suspend", "reinstate"), Change, strict=True)
)


class CreditModel:
    """The credit matrix in plain sequential Python."""

    def __init__(self) -> None:
        self.book: dict[Any, Any] = {}
        self.events: list[tuple[str, tuple[Any, ...]]] = []

    def apply(self, command: str, arguments: Sequence[Any]) -> Any:
        """Execute one call; what it tells is added to `events`."""
        answer = apply(self.book, command, arguments)
        if isinstance(answer, Answer):
            client, *more = arguments
            amount = 0 if command in ("suspend", "reinstate") else more[-1]
            told = client, more[0] if len(more) == 2 else client, amount, int(_CHANGES[command])
            self.events.append(("rejected", (*told, int(answer))) if answer else ("changed", told))
        return answer

    def state(self) -> dict[str, Any]:
        """Every row of every table."""
        status, clients = [0] * CLIENTS, {name: [0] * CLIENTS for name in ("limit", "used", "settled")}
        lines = {name: [0] * (CLIENTS * CLIENTS) for name in ("limit", "used")}
        for key, held in self.book.items():
            if isinstance(key, int):
                status[key] = 2 if held.suspended else 1
                table, row = clients, key
            else:
                table, row = lines, key[0] * CLIENTS + key[1]
            for name, column in table.items():
                column[row] = getattr(held, name)
        return {"status": status, "clients": clients, "lines": lines}


class CreditMeaning:
    """The same for `psmr.checking`. A reservation concerns two clients, so a history cannot be cut by client."""

    initial = Cells()
    read_only = frozenset({"available", "used", "settled", "available_between", "total_used"})

    def step(self, state: Cells, command: str, arguments: tuple[Any, ...], /) -> tuple[Cells, Any]:
        """The state after a call, and its reply."""
        draft = Draft(state)
        reply = apply(draft, command, arguments)
        return draft.outcome(), reply

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable | None:
        """One part."""
        return 0
