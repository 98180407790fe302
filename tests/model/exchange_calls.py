"""Random calls of the exchange: few clients on few instruments, credit near exhaustion, and every wrong argument now and then."""

from __future__ import annotations

import random
from typing import Any

from execution_support import Batch

from apps.exchange.rules import CLIENTS, SETTLED_AT_ONCE_MAX

CEILING = 40
Call = tuple[str, tuple[Any, ...]]

_SHARES = {
    "limit": 440,
    "market_order": 40,
    "cancel": 170,
    "replace": 60,
    "reduce": 40,
    "mass_cancel": 12,
    "mass_cancel_everywhere": 4,
    "halt": 3,
    "resume": 10,
    "halt_market": 1,
    "resume_market": 8,
    "list_instrument": 3,
    "set_gross": 12,
    "suspend": 5,
    "reinstate": 25,
    "set_line": 12,
    "trade": 20,
    "pay": 8,
    "settle": 10,
    "available": 15,
    "cash": 8,
    "position": 10,
    "best": 10,
}


class Calls:
    """A stream of calls for `clients` clients on `instruments` instruments; each may use about `room` orders' worth of credit."""

    def __init__(self, seed: int, *, clients: int = 6, instruments: int = 5, room: int = 3) -> None:
        self._chosen = random.Random(seed)
        self._clients, self._instruments, self._room = clients, instruments, room
        self._orders: list[tuple[int, int, int]] = []
        self._number = 0

    def opening(self) -> Batch:
        """Instruments, limits and lines to begin with."""
        calls: Batch = [("list_instrument", (instrument, CEILING)) for instrument in range(self._instruments)]
        calls += [("set_gross", (client, self._limit())) for client in range(self._clients)]
        pairs = [(one, other) for one in range(self._clients) for other in range(self._clients)]
        return calls + [("set_line", (*pair, self._limit())) for pair in pairs]

    def batch(self, count: int) -> Batch:
        """The next calls."""
        return [self._call() for _ in range(count)]

    def _limit(self) -> int:
        return self._chosen.randrange(1, 2 * self._room) * CEILING * 10

    def _call(self) -> Call:
        chosen = self._chosen
        name = chosen.choices(list(_SHARES), list(_SHARES.values()))[0]
        instrument, client = chosen.randrange(self._instruments), chosen.randrange(self._clients)
        if chosen.random() < 0.01:
            instrument = chosen.choice([self._instruments, 4095, 4096, (1 << 32) - 1])
        if chosen.random() < 0.01:
            client = chosen.choice([self._clients, CLIENTS - 1, CLIENTS, (1 << 32) - 1])
        other = (client + chosen.randrange(0 if chosen.random() < 0.05 else 1, self._clients)) % self._clients
        side, kind, prevention = chosen.choice([1, 2]), chosen.choice([0, 0, 0, 1, 2, 3]), chosen.randrange(4)
        if chosen.random() < 0.01:
            side, kind, prevention = chosen.choice([0, 3, 255]), chosen.choice([4, 255]), chosen.choice([4, 255])
        price = min(max(round(chosen.gauss(20, 3)), 1), CEILING)
        quantity = chosen.randrange(1, 20)
        if chosen.random() < 0.02:
            price = chosen.choice([0, -1, CEILING + 1, 262_143, 262_144, -(1 << 63), (1 << 63) - 1])
        if chosen.random() < 0.02:
            quantity = chosen.choice([0, -1, 1_000_000_000, 1_000_000_001, -(1 << 63), (1 << 63) - 1])
        limit = self._limit() if chosen.random() < 0.97 else chosen.choice([-1, 0, 1 << 53, (1 << 63) - 1])
        if name in ("limit", "market_order"):
            self._number += 1
            number = self._number if chosen.random() < 0.98 else max(self._number - 3, 0)
            self._orders.append((instrument, client, number))
            if name == "limit":
                return name, (instrument, client, number, side, kind, prevention, price, quantity)
            return name, (instrument, client, number, side, prevention, quantity)
        if name in ("cancel", "replace", "reduce"):
            recent = self._orders[-40:] or [(instrument, client, 0)]
            where, who, number = chosen.choice(recent)
            if chosen.random() < 0.03:
                where, who = instrument, client
            more: dict[str, tuple[int, ...]] = {"cancel": (), "replace": (price, quantity), "reduce": (quantity // 2,)}
            return name, (where, who, number, *more[name])
        first = chosen.choice([0, 0, 0, client, CLIENTS - 1])
        count = chosen.choice([self._clients, CLIENTS, SETTLED_AT_ONCE_MAX, 1, 0])
        arguments: dict[str, tuple[Any, ...]] = {
            "mass_cancel": (instrument, client),
            "mass_cancel_everywhere": (client,),
            "halt": (instrument,),
            "resume": (instrument,),
            "halt_market": (),
            "resume_market": (),
            "list_instrument": (instrument, chosen.choice([CEILING, 0, -5, 262_144])),
            "set_gross": (client, limit),
            "suspend": (client,),
            "reinstate": (client,),
            "set_line": (client, other, limit),
            "trade": (instrument, client, other, side, price, quantity),
            "pay": (client, other),
            "settle": (first, count),
            "available": (client,),
            "cash": (client,),
            "position": (instrument, client),
            "best": (instrument,),
        }
        return name, arguments[name]
