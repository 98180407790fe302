"""A service in stages that shows every mistake in their order: limits near exhaustion, and a history of every client and stock.

An order reserves of its client's limit (early), then takes its stock over from whoever held it (main), whose reservation is
released: a client known only there. So an order is granted or refused by what orders of other clients before it have released.
"""

from __future__ import annotations

from psmr import (
    WAIT,
    Array,
    Carried,
    Event,
    StateMachine,
    dependent,
    early,
    i64,
    independent,
    partially_dependent,
    u32,
    u64,
)

CLIENTS = 64
STOCKS = 64
FAILS_EARLY = 13
FAILS_LATE = 17


class Orders(StateMachine):
    """Who holds what, of how much credit: the least that shows it."""

    taken = Event(stock=u32, client=u32, credit=i64)
    reserving = Event(client=u32, history=u64)

    limits = Array(i64, capacity=CLIENTS)
    reserved = Array(i64, capacity=CLIENTS)
    released = Array(i64, capacity=STOCKS * CLIENTS)
    client_history = Array(u64, capacity=CLIENTS)
    stock_history = Array(u64, capacity=STOCKS)
    holder = Array(i64, capacity=STOCKS)
    held = Array(i64, capacity=STOCKS)

    @partially_dependent("stock")
    def order(self, client: u32, stock: u32, amount: u32, carried: Carried) -> u64:
        """Take a stock over for an amount of credit."""
        if carried == WAIT:
            return self._note_stock(stock, u64(amount))
        self.taken.emit(stock, client, carried)
        history = self._note_stock(stock, u64(carried))
        if amount == FAILS_LATE:
            # After it has written, but before it releases: an early stage may have seen that, and it would be taken back.
            raise ValueError("fails after its main stage has written")
        self._take_over(stock, client, amount)
        return history

    @early(order, "client")
    def _reserve(self, client: u32, amount: u32) -> i64:
        history = self._note_client(client, u64(amount))
        self.reserving.emit(client, history)
        if amount > self._credit(client):
            return WAIT
        self.reserved[client] += amount
        if amount == FAILS_EARLY:
            raise ValueError("fails after its early stage has written")
        return i64(history >> u64(1))

    @partially_dependent("client", stage="early")
    def deposit(self, client: u32, amount: u32) -> u64:
        """Raise a limit."""
        self.limits[client] += amount
        if amount == FAILS_EARLY:
            raise ValueError("fails after it has written")
        return self._note_client(client, u64(amount))

    @partially_dependent("client", access="read", stage="exact")
    def credit(self, client: u32) -> i64:
        """What is left of a client's limit."""
        return self._credit(client)

    @partially_dependent("stock")
    def give_up(self, stock: u32) -> i64:
        """Release whoever holds a stock."""
        amount = self.held[stock]
        self._release(stock)
        self._note_stock(stock, u64(7))
        return amount

    def _credit(self, client: int) -> i64:
        left = self.limits[client] - self.reserved[client]
        for stock in range(STOCKS):
            left += self.released[stock * CLIENTS + client]
        return left

    def _take_over(self, stock: int, client: int, amount: int) -> None:
        self._release(stock)
        self.holder[stock] = client
        self.held[stock] = amount

    def _release(self, stock: int) -> None:
        self.released[stock * CLIENTS + self.holder[stock]] += self.held[stock]
        self.held[stock] = 0

    def _note_client(self, client: int, mark: u64) -> u64:
        value = (self.client_history[client] ^ mark) * u64(6364136223846793005) + u64(1442695040888963407)
        self.client_history[client] = value
        return value

    def _note_stock(self, stock: int, mark: u64) -> u64:
        value = (self.stock_history[stock] ^ mark) * u64(6364136223846793005) + u64(1442695040888963407)
        self.stock_history[stock] = value
        return value


class Holdings(Orders):
    """And everything else that a command can be."""

    @partially_dependent("first", "second", domain="stock")
    def order_both(self, first: u32, second: u32, client: u32, amount: u32, carried: Carried) -> u64:
        """Take two stocks over, each for half of the amount."""
        if carried == WAIT:
            return u64(0)
        half = i64(amount) // 2
        self._take_over(first, client, half)
        self._take_over(second, client, half)
        return self._note_stock(first, u64(carried)) ^ self._note_stock(second, u64(1))

    @early(order_both, "client")
    def _reserve_both(self, client: u32, amount: u32) -> i64:
        half = i64(amount) // 2
        if 2 * half > self._credit(client):
            return WAIT
        self.reserved[client] += 2 * half
        return i64(self._note_client(client, u64(amount)) >> u64(1))

    @partially_dependent("first", "second", domain="stock")
    def compare(self, first: u32, second: u32) -> u64:
        """Note two stocks with each other: no early stage, and perhaps two owners of the main one."""
        before = self.stock_history[first]
        return self._note_stock(first, self.stock_history[second]) ^ self._note_stock(second, before)

    @independent
    def withdraw(self, client: u32, amount: u32, carried: Carried) -> bool:
        """Lower a limit, if the credit is there."""
        return carried != WAIT

    @early(withdraw, "client")
    def _withdraw(self, client: u32, amount: u32) -> i64:
        if amount > self._credit(client):
            return WAIT
        self.limits[client] -= amount
        return 0

    @partially_dependent("giver", "taker", domain="client", stage="exact")
    def transfer(self, giver: u32, taker: u32, amount: u32) -> i64:
        """Move credit."""
        left = self._credit(giver) - amount
        if left < 0:
            raise ValueError("no credit")
        self.limits[giver] -= amount
        self.limits[taker] += amount
        return left

    @partially_dependent("stock", access="read")
    def history(self, stock: u32) -> u64:
        """All that happened to a stock, as a number."""
        return self.stock_history[stock]

    @partially_dependent("client", "stock")
    def inspect(self, client: u32, stock: u32) -> u64:
        """Note a client's credit with a stock."""
        return self._note_stock(stock, u64(self._credit(client)) ^ self.client_history[client])

    @dependent
    def audit(self) -> u64:
        """Note everything with everything."""
        value = u64(1)
        for client in range(CLIENTS):
            value = self._note_client(client, value ^ u64(self._credit(client)))
        for stock in range(STOCKS):
            value = self._note_stock(stock, value)
        return value
