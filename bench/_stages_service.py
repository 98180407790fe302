"""Orders in two stages, each of which works as long as it is told to."""

from __future__ import annotations

from psmr import WAIT, Array, Carried, StateMachine, early, i64, partially_dependent, u32, u64

CLIENTS = 4096
STOCKS = 64


class Trades(StateMachine):
    """A client may hold so many stocks at a time; who takes a stock over releases whoever held it."""

    clients = Array(u64, capacity=CLIENTS)
    taken = Array(i64, capacity=CLIENTS)
    released = Array(i64, capacity=STOCKS * CLIENTS)
    stocks = Array(u64, capacity=STOCKS)
    holder = Array(i64, capacity=STOCKS)

    @partially_dependent("stock")
    def trade(self, client: u32, stock: u32, limit: u32, work: u32, carried: Carried) -> u64:
        """Take a stock over, unless the client holds as many as it may."""
        if carried == WAIT:
            return u64(0)
        self.stocks[stock] = self._worked(self.stocks[stock] + u64(client), work)
        self.released[stock * CLIENTS + self.holder[stock]] += 1
        self.holder[stock] = i64(client)
        return self.stocks[stock]

    @early(trade, "client")
    def _reserve(self, client: u32, limit: u32, work: u32) -> i64:
        left = limit - self.taken[client]
        if left <= 0:
            for stock in range(STOCKS):
                left += self.released[stock * CLIENTS + client]
        if left <= 0:
            return WAIT
        self.clients[client] = self._worked(self.clients[client] + u64(1), work)
        self.taken[client] += 1
        return i64(0)

    def _worked(self, value: u64, work: u32) -> u64:
        for _ in range(work):
            value = (value ^ (value >> u64(31))) * u64(6364136223846793005)
        return value
