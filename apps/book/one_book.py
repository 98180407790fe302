"""One instrument's book in plain sequential Python: two lists of orders, each in the order in which they would trade."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

from apps.book.rules import ORDERS, QUANTITY_MAX, SWEEP_MAX, TICKS, Kind, Prevention, Reason, Side, Status, Why

Event = tuple[str, tuple[Any, ...]]


class Resting(NamedTuple):
    """An order in a book; `quantity` is what is left of it."""

    order: int
    client: int
    side: int
    kind: int
    prevention: int
    price: int
    quantity: int


def urgency(resting: Resting) -> int:
    """Less for a price that trades earlier."""
    return -resting.price if resting.side == Side.BUY else resting.price


class Rejected(Exception):
    """A command that changes nothing."""

    def __init__(self, reason: IntEnum) -> None:
        super().__init__(reason.name)
        self.reason = reason


class Content(NamedTuple):
    """A book as a value."""

    status: Status = Status.UNLISTED
    bids: tuple[Resting, ...] = ()
    asks: tuple[Resting, ...] = ()


EMPTY = Content()


class OneBook:
    """A book that changes. What its commands tell is appended to `events`; they raise Rejected before anything changes."""

    def __init__(self, instrument: int, events: list[Event], content: Content = EMPTY) -> None:
        self.instrument = instrument
        self.status = content.status
        self.sides: dict[int, list[Resting]] = {Side.BUY: list(content.bids), Side.SELL: list(content.asks)}
        self._by_number = {resting.order: resting for side in self.sides.values() for resting in side}
        self._events = events

    def content(self) -> Content:
        """What it is now."""
        return Content(self.status, tuple(self.sides[Side.BUY]), tuple(self.sides[Side.SELL]))

    def __len__(self) -> int:
        return len(self._by_number)

    def limit(self, client: int, order: int, side: int, kind: int, prevention: int, price: int, quantity: int) -> int:
        """The lots filled at once."""
        new = Resting(order, client, side, kind, prevention, price, quantity)
        if order in self._by_number:
            raise Rejected(Reason.DUPLICATE_ORDER)
        if kind == Kind.POST_ONLY and self._opposite(new):
            raise Rejected(Reason.WOULD_TRADE)
        if kind == Kind.FILL_OR_KILL and not self._can_fill(new):
            raise Rejected(Reason.NOT_FILLABLE)
        if kind in (Kind.DAY, Kind.POST_ONLY) and len(self) >= ORDERS:
            raise Rejected(Reason.BOOK_FULL)
        self._tell("accepted", client, order, side, kind, price, quantity)
        return self._arrive(new)

    def cancel(self, client: int, order: int) -> int:
        """The lots that it still had."""
        resting = self._own(client, order)
        self._cancel(resting, Why.ASKED)
        self._tell_level(resting.side, resting.price)
        return resting.quantity

    def replace(self, client: int, order: int, price: int, quantity: int) -> int:
        """The lots filled at once."""
        if not (0 < price < TICKS and 0 < quantity <= QUANTITY_MAX):
            raise Rejected(Reason.REPLACE_BEYOND_LIMITS)
        old = self._own(client, order)
        new = old._replace(price=price, quantity=quantity)
        if old.kind == Kind.POST_ONLY and self._opposite(new):
            raise Rejected(Reason.WOULD_TRADE)
        self._tell("replaced", client, order, price, quantity)
        if price == old.price and quantity <= old.quantity:
            self._exchange(old, new)
            self._tell_level(old.side, price)
            return 0
        self._take_out(old)
        if price != old.price:
            self._tell_level(old.side, old.price)
        return self._arrive(new)

    def mass_cancel(self, client: int, most: int) -> int:
        """How many orders were cancelled."""
        doomed = [resting for side in Side for resting in self.sides[side] if resting.client == client][:most]
        for place, resting in enumerate(doomed):
            self._cancel(resting, Why.MASS)
            level = resting.side, resting.price
            if place + 1 == len(doomed) or level != (doomed[place + 1].side, doomed[place + 1].price):
                self._tell_level(*level)
        return len(doomed)

    def levels(self, side: int) -> Iterator[tuple[int, int, int]]:
        """(price, orders, lots) of one side, the best first."""
        prices = dict.fromkeys(resting.price for resting in self.sides[side])
        return ((price, *self._level(side, price)) for price in prices)

    def find(self, order: int) -> Resting | None:
        """A resting order by its number."""
        return self._by_number.get(order)

    def _tell(self, name: str, *values: int) -> None:
        self._events.append((name, (self.instrument, *(int(value) for value in values))))

    def _tell_level(self, side: int, price: int) -> None:
        self._tell("changed", side, price, *self._level(side, price))

    def _level(self, side: int, price: int) -> tuple[int, int]:
        orders = self.sides[side]
        at = -price if side == Side.BUY else price
        begin = bisect_left(orders, at, key=urgency)
        end = bisect_right(orders, at, lo=begin, key=urgency)
        return end - begin, sum(resting.quantity for resting in orders[begin:end])

    def _own(self, client: int, order: int) -> Resting:
        resting = self._by_number.get(order)
        if resting is None:
            raise Rejected(Reason.ORDER_NOT_RESTING)
        if resting.client != client:
            raise Rejected(Reason.NOT_OWN_ORDER)
        return resting

    def _opposite(self, new: Resting) -> list[Resting]:
        """The orders that a new one could trade with, in their order."""
        others = self.sides[Side.SELL if new.side == Side.BUY else Side.BUY]
        limit = new.price if new.side == Side.BUY else -new.price
        return others[: bisect_right(others, limit, key=urgency)]

    def _can_fill(self, new: Resting) -> bool:
        found = 0
        for resting in self._opposite(new)[:SWEEP_MAX]:
            if new.prevention == Prevention.NONE or resting.client != new.client:
                found += resting.quantity
            elif new.prevention != Prevention.CANCEL_RESTING:
                return False
            if found >= new.quantity:
                return True
        return False

    def _arrive(self, new: Resting) -> int:
        left, why = self._trade(new)
        if left and (why or new.kind in (Kind.IMMEDIATE, Kind.FILL_OR_KILL)):
            why = why or Why.IMMEDIATE
            self._tell("cancelled", new.client, new.order, new.side, why, new.price, left)
        elif left:
            self._put(new._replace(quantity=left))
            self._tell_level(new.side, new.price)
        return new.quantity - left

    def _trade(self, new: Resting) -> tuple[int, Why | None]:
        """The lots left, and why no more may be traded, if not for want of orders."""
        left = new.quantity
        why: Why | None = None
        touched: tuple[int, int] | None = None
        for step, resting in enumerate(self._opposite(new)):
            if left == 0 or why is not None:
                break
            if step == SWEEP_MAX:
                why = Why.SWEEP
                break
            if touched is not None and touched[1] != resting.price:
                self._tell_level(*touched)
                touched = None
            if new.prevention != Prevention.NONE and resting.client == new.client:
                if new.prevention != Prevention.CANCEL_RESTING:
                    why = Why.SELF_MATCH
                if new.prevention == Prevention.CANCEL_INCOMING:
                    break
                self._cancel(resting, Why.SELF_MATCH)
            else:
                lots = min(left, resting.quantity)
                left -= lots
                self._fill(new, resting, lots, left)
            touched = resting.side, resting.price
        if touched is not None:
            self._tell_level(*touched)
        return left, why

    def _fill(self, new: Resting, resting: Resting, lots: int, left: int) -> None:
        remains = resting.quantity - lots
        self._tell(
            "filled", new.side, resting.price, lots, new.order, new.client, left, resting.order, resting.client, remains
        )
        if remains:
            self._exchange(resting, resting._replace(quantity=remains))
        else:
            self._take_out(resting)

    def _cancel(self, resting: Resting, why: Why) -> None:
        self._take_out(resting)
        self._tell("cancelled", resting.client, resting.order, resting.side, why, resting.price, resting.quantity)

    def _put(self, resting: Resting) -> None:
        side = self.sides[resting.side]
        side.insert(bisect_right(side, urgency(resting), key=urgency), resting)
        self._by_number[resting.order] = resting

    def _take_out(self, resting: Resting) -> None:
        del self.sides[resting.side][self._place(resting)]
        del self._by_number[resting.order]

    def _place(self, resting: Resting) -> int:
        side = self.sides[resting.side]
        return side.index(resting, bisect_left(side, urgency(resting), key=urgency))

    def _exchange(self, old: Resting, new: Resting) -> None:
        self.sides[old.side][self._place(old)] = new
        self._by_number[old.order] = new
