"""Services with early stages, one of which is wrong: what may pass it, what it reads and writes, what it grants too early."""

from __future__ import annotations

from corpus_support import right, wrong

from psmr import (
    WAIT,
    Array,
    Carried,
    Map,
    StateMachine,
    Table,
    dependent,
    early,
    i64,
    partially_dependent,
    u8,
    u32,
    u64,
)

CLIENTS = 8
STOCKS = 8
LIMIT = 12


class Credit:
    """What they all begin with, and nothing is wrong with it: who holds a stock, of how much of a limit."""

    limits = Array(i64, capacity=CLIENTS)
    reserved = Array(i64, capacity=CLIENTS)
    released = Array(i64, capacity=STOCKS * CLIENTS)
    holder = Array(i64, capacity=STOCKS)
    held = Array(i64, capacity=STOCKS)

    @partially_dependent("client", stage="early")
    def deposit(self, client: u32, amount: u32) -> i64:
        """Raise a limit."""
        self.limits[client] += amount
        return self.limits[client]

    @partially_dependent("stock")
    def give_up(self, stock: u32) -> i64:
        """Release whoever holds a stock."""
        amount = self.held[stock]
        self._release(stock)
        return amount

    def _free(self, client: int) -> i64:
        return LIMIT + self.limits[client] - self.reserved[client] + self._given_back(client)

    def _given_back(self, client: int) -> i64:
        total = i64(0)
        for stock in range(STOCKS):
            total += self.released[stock * CLIENTS + client]
        return total

    def _take(self, client: int, amount: int) -> i64:
        if amount > self._free(client):
            return WAIT
        self.reserved[client] += amount
        return i64(amount)

    def _release(self, stock: int) -> None:
        self.released[stock * CLIENTS + self.holder[stock]] += self.held[stock]
        self.held[stock] = 0

    def _take_over(self, stock: int, client: int, amount: int) -> None:
        self._release(stock)
        self.holder[stock] = client
        self.held[stock] = amount


class Ordering(Credit):
    """And the command in stages: reserve, then take over."""

    @partially_dependent("stock")
    def order(self, client: u32, stock: u32, amount: u32, carried: Carried) -> bool:
        """Take a stock over for an amount of credit."""
        if carried < 0:
            return False
        self._take_over(stock, client, amount)
        return True

    @early(order, "client")
    def _reserve(self, client: u32, amount: u32) -> i64:
        return self._take(client, amount)


@right
class Reserving(Ordering, StateMachine):
    @partially_dependent("client", access="read", stage="exact")
    def credit(self, client: u32) -> i64:
        return self._free(client)


@right
class RaisingInTime(Ordering, StateMachine):
    """Its main stage raises before it writes what early stages read."""

    def _take_over(self, stock: int, client: int, amount: int) -> None:
        if self.held[stock] > 5:
            raise ValueError("held")
        Ordering._take_over(self, stock, client, amount)

    def _take(self, client: int, amount: int) -> i64:
        if amount == 0:
            raise ValueError("nothing")
        return Ordering._take(self, client, amount)

    @dependent
    def forgive(self) -> None:
        for client in range(CLIENTS):
            self.reserved[client] = 0
            for stock in range(STOCKS):
                self.released[stock * CLIENTS + client] = 0


@wrong("an early stage that refuses where it should wait", "order", "give_up", stages="passing")
class RefusesAtOnce(Ordering, StateMachine):
    def _take(self, client: int, amount: int) -> i64:
        found = Ordering._take(self, client, amount)
        return i64(-1) if found == WAIT else found


@wrong("a reservation that succeeds only while a release is missing", "order", "give_up", stages="passing")
class GrantsTooEarly(Ordering, StateMachine):
    def _take(self, client: int, amount: int) -> i64:
        if self._given_back(client) > 8:
            return WAIT  # whoever has been given back much is to wait
        return Ordering._take(self, client, amount)


@wrong("an early stage that carries what it has seen of releases", "order", "give_up", stages="passing")
class CarriesTheSum(Credit, StateMachine):
    @partially_dependent("stock")
    def order(self, client: u32, stock: u32, amount: u32, carried: Carried) -> i64:
        if carried != WAIT:
            self._take_over(stock, client, amount)
        return carried

    @early(order, "client")
    def _reserve(self, client: u32, amount: u32) -> i64:
        if self._take(client, amount) == WAIT:
            return WAIT
        return self._free(client)


@wrong("a main stage that writes what early stages write", "order", stages="passing")
class ReleasesIntoReserved(Ordering, StateMachine):
    def _take_over(self, stock: int, client: int, amount: int) -> None:
        self.reserved[client] -= amount // 2
        Ordering._take_over(self, stock, client, amount)


@wrong("a main stage that reads what early stages write", "order", "deposit", stages="passing")
class LooksAtTheLimit(Credit, StateMachine):
    @partially_dependent("stock")
    def order(self, client: u32, stock: u32, amount: u32, carried: Carried) -> i64:
        if carried == WAIT:
            return i64(-1)
        self._take_over(stock, client, amount)
        return self.limits[client]

    @early(order, "client")
    def _reserve(self, client: u32, amount: u32) -> i64:
        return self._take(client, amount)


@wrong("a main stage that raises after it has written what early stages read", "order", "give_up", stages="passing")
class RaisesTooLate(Ordering, StateMachine):
    def _take_over(self, stock: int, client: int, amount: int) -> None:
        Ordering._take_over(self, stock, client, amount)
        if amount % 2 == 1:
            raise ValueError("odd, and noticed too late")


@wrong(
    "a main stage that gives back more than is due, and takes the rest back a word later",
    "give_up",
    "order",
    "swap",
    stages="passing",
)
class OvershootsAWhile(Ordering, StateMachine):
    @partially_dependent("stock")
    def swap(self, stock: u32) -> None:
        account = stock * CLIENTS + self.holder[stock]
        self.released[account] += 64
        self.released[account] -= 64 - self.held[stock]
        self.held[stock] = 0


@wrong("a missing key of an early stage: the one who pays too", "order", "deposit", stages="early")
class TwoReserve(Credit, StateMachine):
    @partially_dependent("stock")
    def order(self, client: u32, payer: u32, stock: u32, amount: u32, carried: Carried) -> bool:
        if carried == WAIT:
            return False
        self._take_over(stock, client, amount)
        return True

    @early(order, "client")
    def _reserve(self, client: u32, payer: u32, amount: u32) -> i64:
        self.reserved[payer] += 1
        return self._take(client, amount)


@wrong("a missing key of a main stage: the stock that is given in return", "order", "give_up", stages="main")
class GivesAnother(Credit, StateMachine):
    @partially_dependent("stock")
    def order(self, client: u32, stock: u32, other: u32, amount: u32, carried: Carried) -> bool:
        if carried == WAIT:
            return False
        self._take_over(stock, client, amount)
        self._release(other)
        return True

    @early(order, "client")
    def _reserve(self, client: u32, amount: u32) -> i64:
        return self._take(client, amount)


@wrong(
    "a whole command among early stages that asks what main stages have done",
    "free",
    "give_up",
    "order",
    stages="passing",
)
class ReadsAmongTheEarly(Ordering, StateMachine):
    @partially_dependent("client", access="read", stage="early")
    def free(self, client: u32) -> i64:
        return self._free(client)


@wrong(
    "a command decided as a whole that another client's early stage may pass",
    "pledge",
    "order",
    "deposit",
    stages="passing",
)
class ExactForOneOnly(Ordering, StateMachine):
    @partially_dependent("client", stage="exact")
    def pledge(self, client: u32, friend: u32, amount: u32) -> i64:
        if amount > self._free(client):
            return i64(-1)
        self.limits[client] -= amount
        self.limits[friend] += amount
        return self._free(friend)


@wrong("fields of early and main stages in one machine word", "order", stages="passing")
class MarksSideBySide(StateMachine):
    marks = Table(capacity=16, asked=u8, taken=u8)

    @partially_dependent("stock")
    def order(self, client: u32, stock: u32, carried: Carried) -> None:
        self.marks.taken[stock] = 1

    @early(order, "client")
    def _mark(self, client: u32) -> i64:
        self.marks.asked[client] = 1
        return i64(0)


@wrong("an early stage that looks into a map which main stages insert into", "order", stages="passing")
class LooksIntoAMap(StateMachine):
    orders = Map(u64, u64, capacity=1000)
    clients = Array(u64, capacity=CLIENTS)

    @partially_dependent("number")
    def order(self, client: u32, number: u64, carried: Carried) -> None:
        self.orders.put(number, u64(client))

    @early(order, "client")
    def _look(self, client: u32, number: u64) -> i64:
        self.clients[client] += u64(1)
        return i64(1) if number in self.orders else WAIT
