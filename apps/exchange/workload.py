"""Calls for the exchange: popular clients trade popular instruments, in the shares of a real book, near their limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from apps.book.rules import INSTRUMENTS, TICKS, Kind, Prevention, Side
from apps.distributions import Distribution, Generator, Scrambled, Uniform, Weighted, scatter
from apps.exchange.file_flow import FileFlow
from apps.exchange.rules import CLIENTS, SETTLED_AT_ONCE_MAX
from apps.parameters import Parameters
from psmr.workload import Segment, Workload, WorkloadOptions

SHARES = {
    "rest": 475_000,
    "take": 43_000,
    "cancel": 440_000,
    "reduce": 5_000,
    "replace": 10_000,
    "market_order": 2_000,
    "best": 12_000,
    "position": 10_000,
    "available": 1_000,
    "suspend": 10,
    "reinstate": 600,
    "set_gross": 200,
    "mass_cancel": 300,
    "settle": 60,
}
"""Of a million calls, but for `trade`. Orders that rest or take, cancels, reductions: as in a LOBSTER file (AAPL, 2012-06-21)."""
MILLION = 1_000_000
BLOCK = 16_384
CEILING = 20_000
MIDDLE = 10_000
LOTS_MAX = 200
_COST = CEILING * LOTS_MAX // 2
_LEAST_ROOM = 4
_NUMBER_BITS = 40

Numbers = np.ndarray[Any, Any]
_OF_AN_ORDER = ("instrument", "client", "order")
_PARAMETERS = {
    "limit": (*_OF_AN_ORDER, "side", "kind", "prevention", "price", "quantity"),
    "market_order": (*_OF_AN_ORDER, "side", "prevention", "quantity"),
    "cancel": _OF_AN_ORDER,
    "reduce": (*_OF_AN_ORDER, "quantity"),
    "replace": (*_OF_AN_ORDER, "price", "quantity"),
    "mass_cancel": ("instrument", "client"),
    "position": ("instrument", "client"),
    "best": ("instrument",),
    "available": ("client",),
    "suspend": ("client",),
    "reinstate": ("client",),
    "set_gross": ("client", "limit"),
    "settle": ("first", "count"),
    "trade": ("instrument", "client", "counterparty", "side", "price", "quantity"),
}
_KINDS = (*SHARES, "trade")
REST, TAKE, CANCEL, REDUCE, REPLACE, MARKET = range(6)
_COMMANDS = tuple("limit" if kind in ("rest", "take") else kind for kind in _KINDS)
_KNOWN = ("instruments", "clients", "distribution", "exponent", "room", "live", "trades", "wrong")


def workload(options: WorkloadOptions) -> Workload:
    """Generated calls, or those of `options.input_file`, a LOBSTER message file.

    Generated: `instruments` (default 1,000), `clients` (10,000), both by `distribution`=zipfian or uniform, with `exponent` in
    hundredths (100); `live` orders (30,000) are what clients keep in mind to cancel, about as many as rest; `room`, credit in
    percent of what a client's share of them costs (100; 20 is near exhaustion); `trades` in a million calls are agreed between
    two clients (100), `wrong` ones name what there is not or what no order may have (2,000).
    """
    if options.input_file is not None:
        return FileFlow(options)
    return GeneratedFlow(options, Parameters(options.parameters, _KNOWN))


class GeneratedFlow:
    """Each driving client sends for instruments and trading clients of its own, and its orders have numbers of its own.

    So what two of them send at once commutes, and a history can be checked: of two orders for one book nothing tells which came
    first until much later. With one driving client all instruments and all trading clients are its own.
    """

    def __init__(self, options: WorkloadOptions, parameters: Parameters) -> None:
        self._options = options
        self._instruments = parameters.number("instruments", 1_000, 1, INSTRUMENTS)
        self._clients = parameters.number("clients", 10_000, 2, CLIENTS)
        is_zipfian = parameters.choice("distribution", "zipfian", ("zipfian", "uniform")) == "zipfian"
        exponent = parameters.number("exponent", 100, 1, 400) / 100
        self._exponent = exponent if is_zipfian else 0.0
        self._drivers = min(options.clients, self._instruments, self._clients // 2)
        self._live = parameters.number("live", 30_000, 1, MILLION)
        self._limits = self._gross_limits(parameters.number("room", 100, 1, MILLION))
        trades = parameters.number("trades", 100, 0, MILLION // 2)
        self._wrong = parameters.number("wrong", 2_000, 0, MILLION) / MILLION
        shares = np.array([*SHARES.values(), trades], float)
        self._shares = shares / shares.sum()

    def preload(self) -> Iterator[Sequence[Segment]]:
        """Books and limits; lines between neighbours."""
        instruments, clients = np.arange(self._instruments), np.arange(self._clients)
        yield from self._cut("list_instrument", instrument=instruments, ceiling=np.full(len(instruments), CEILING))
        yield from self._cut("set_gross", client=clients, limit=self._limits)
        following = np.concatenate(
            [
                _Segment(driver, self._drivers, self._instruments, self._clients, 0.0).neighbours(part)
                for driver, part in enumerate(self._parts(clients))
            ]
        )
        for one, other in ((clients, following), (following, clients)):
            yield from self._cut("set_line", client=one, counterparty=other, limit=np.full(len(one), 20 * _COST))

    def _parts(self, clients: Numbers) -> list[Numbers]:
        bounds = [self._clients * part // self._drivers for part in range(1, self._drivers)]
        return np.split(clients, bounds)

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """Endless."""
        generator = np.random.Generator(np.random.PCG64([self._options.seed, client]))
        segment = _Segment(client % self._drivers, self._drivers, self._instruments, self._clients, self._exponent)
        live = _LiveOrders(self._live // self._options.clients, generator)
        number = client + 1 << _NUMBER_BITS
        size = self._options.batch
        while True:
            count = max(1, BLOCK // size) * size
            kinds = generator.choice(len(_KINDS), count, p=self._shares)
            columns = self._columns(generator, segment, kinds, number)
            number += count
            live.assign(kinds, columns)
            self._spoil(generator, columns)
            for begin in range(0, count, size):
                yield _segments(kinds[begin : begin + size].tolist(), columns, begin)

    def _columns(self, generator: Generator, segment: _Segment, kinds: Numbers, number: int) -> dict[str, Numbers]:
        count = len(kinds)
        side = generator.integers(Side.BUY, Side.SELL + 1, count)
        takes = kinds == TAKE
        # Resting orders lie on their own side of the middle, most of them close to it; an order that takes reaches across.
        away = np.minimum(generator.geometric(0.08, count), MIDDLE // 4)
        away[takes] = -generator.integers(1, 20, int(takes.sum()))
        client = segment.draw_clients(generator, count)
        first = segment.first + (client - segment.first) // SETTLED_AT_ONCE_MAX * SETTLED_AT_ONCE_MAX
        return {
            "instrument": segment.draw_instruments(generator, count),
            "client": client,
            "counterparty": segment.neighbours(client),
            "order": number + np.arange(count),
            "side": side,
            "kind": np.where(takes, int(Kind.IMMEDIATE), int(Kind.DAY)),
            "prevention": np.full(count, int(Prevention.CANCEL_RESTING)),
            "price": np.where(side == Side.BUY, MIDDLE - away, MIDDLE + away),
            "quantity": generator.integers(1, LOTS_MAX + 1, count),
            "limit": self._limits[client],
            "first": first,
            "count": np.minimum(segment.end - first, SETTLED_AT_ONCE_MAX),
        }

    def _spoil(self, generator: Generator, columns: dict[str, Numbers]) -> None:
        """Make some arguments wrong, each in a way of its own."""
        is_wrong = generator.random(len(columns["client"])) < self._wrong
        way = generator.integers(0, 6, len(is_wrong))
        spoilt = (
            ("instrument", INSTRUMENTS - 1),
            ("client", CLIENTS - 1),
            ("quantity", 0),
            ("quantity", -7),
            ("price", TICKS + 5),
            ("price", CEILING + 1),
        )
        for number, (name, value) in enumerate(spoilt):
            columns[name][is_wrong & (way == number)] = value

    def _gross_limits(self, room: int) -> Numbers:
        """By client: what its share of the orders that rest costs, times the room."""
        expected = np.zeros(self._clients)
        for driver in range(self._drivers):
            first, end = (self._clients * part // self._drivers for part in (driver, driver + 1))
            weights = 1.0 / np.arange(1, end - first + 1) ** self._exponent
            share = weights / weights.sum() * self._live / self._drivers
            np.add.at(expected, first + _scattered(end - first, self._exponent), share)
        orders = np.maximum(expected * room / 100, _LEAST_ROOM * room / 100)
        limits: Numbers = np.maximum(orders * _COST, 2 * LOTS_MAX).astype(np.int64)
        return limits

    def _cut(self, command: str, **columns: Numbers) -> Iterator[Sequence[Segment]]:
        size = self._options.batch
        count = len(next(iter(columns.values())))
        for begin in range(0, count, size):
            part = {name: column[begin : begin + size] for name, column in columns.items()}
            yield [Segment(command, part, min(size, count - begin))]


class _Segment:
    """The instruments and the trading clients that one driving client sends for: none that another sends for."""

    def __init__(self, driver: int, drivers: int, instruments: int, clients: int, exponent: float) -> None:
        self._driver, self._drivers = driver, drivers
        self.first, self.end = (clients * part // drivers for part in (driver, driver + 1))
        self._instrument = _distribution(len(range(driver, instruments, drivers)), exponent)
        self._client = _distribution(self.end - self.first, exponent)

    def draw_instruments(self, generator: Generator, count: int) -> Numbers:
        """Instruments, popular ones more often."""
        return self._driver + self._drivers * self._instrument.draw(generator, count)

    def draw_clients(self, generator: Generator, count: int) -> Numbers:
        """Trading clients, popular ones more often."""
        return self.first + self._client.draw(generator, count)

    def neighbours(self, clients: Numbers) -> Numbers:
        """For each client another one."""
        return self.first + (clients - self.first + 1) % (self.end - self.first)


class _LiveOrders:
    """What one driving client has submitted and not yet cancelled, as far as it knows: fills are not heard of."""

    def __init__(self, most: int, generator: Generator) -> None:
        self._most = max(most, 64)
        self._generator = generator
        self._orders: list[tuple[int, int, int, int]] = []

    def assign(self, kinds: Numbers, columns: dict[str, Numbers]) -> None:
        """Let cancels, reductions and replaces name orders that were submitted before them, each cancel another one."""
        chosen = self._generator.random(len(kinds))
        names = ("instrument", "client", "order", "price")
        for place in np.flatnonzero(
            (kinds == REST) | (kinds == CANCEL) | (kinds == REDUCE) | (kinds == REPLACE)
        ).tolist():
            kind = kinds[place]
            if kind == REST:
                self._orders.append(tuple(int(columns[name][place]) for name in names))  # type: ignore[arg-type]
                continue
            if not self._orders:
                continue
            recent = min(len(self._orders), self._most)
            at = len(self._orders) - 1 - int(chosen[place] * recent)
            instrument, client, order, price = self._orders[at]
            columns["instrument"][place], columns["client"][place], columns["order"][place] = instrument, client, order
            if kind == REPLACE:
                # Away from the middle: it keeps to its own side.
                columns["price"][place] = price - 1 if price < MIDDLE else price + 1
            elif kind == REDUCE:
                columns["quantity"][place] = 1
            else:
                self._orders[at] = self._orders[-1]
                self._orders.pop()


def _distribution(items: int, exponent: float) -> Distribution:
    if exponent == 0.0:
        return Uniform(items)
    return Scrambled(Weighted(items, exponent))


def _scattered(items: int, exponent: float) -> Numbers:
    """Which client has each rank of popularity."""
    ranks = np.arange(items)
    return ranks if exponent == 0.0 else scatter(ranks, items)


def _segments(kinds: list[int], columns: dict[str, Numbers], first: int) -> list[Segment]:
    segments, place = [], first
    for command, group in groupby(_COMMANDS[kind] for kind in kinds):
        count = sum(1 for _ in group)
        part = {name: columns[name][place : place + count] for name in _PARAMETERS[command]}
        segments.append(Segment(command, part, count))
        place += count
    return segments
