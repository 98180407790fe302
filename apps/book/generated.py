"""A flow of orders with the shares of a real one, over many instruments: what one connection sends for many clients.

Instruments are numbered by popularity, as a market may number them: neighbours lie in different groups, so the most popular
ones are not all one worker's. Shares and distances are those that `python -m apps.book.shares` finds in a LOBSTER file of an hour
of one stock (91,997 messages).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.book.rules import Kind, Prevention, Side
from apps.distributions import Distribution, Generator, Uniform, Weighted

BLOCK = 4_096
MILLION = 1_000_000
LIFE = 64
"""Orders of one instrument that a connection remembers at most: what it wants to cancel is among them."""

Arguments = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Mix:
    """Calls of a million; what is left over are new orders. By default a file's shares, and some of every other command."""

    cancel: int = 440_000
    reduce: int = 5_000
    take: int = 44_000
    move: int = 10_000
    special: int = 10_000
    best: int = 10_000
    depth: int = 2_000
    market: int = 2_000
    mass_cancel: int = 200
    mass_cancel_everywhere: int = 10
    turn: int = 20

    def shares(self) -> list[int]:
        """In the order of the fields."""
        return [getattr(self, name) for name in self.__slots__]


FILE_SHARES = Mix(457_060, 5_228, 45_330, 0, 0, 0, 0, 0, 0, 0, 0)
"""Of the messages that call something: 44,256 submissions, 40,932 deletions, 469 partial cancels, 4,055 executions."""

_DISTANCES = np.array([0, 1, 2, 6, 21, 101, 400])
_DISTANCE_SHARES = np.array([0.282, 0.053, 0.112, 0.275, 0.211, 0.067])
_LOTS = np.array([100, 50, 10, 1, 200, 500])
_LOTS_SHARES = np.array([0.53, 0.28, 0.05, 0.02, 0.08, 0.04])
_MIDDLES = 2_000
_KINDS = np.array([Kind.DAY, Kind.IMMEDIATE, Kind.FILL_OR_KILL, Kind.POST_ONLY])
_NONE = int(Prevention.NONE)


def middle(instrument: int) -> int:
    """The price around which an instrument is traded."""
    return _MIDDLES + 97 * (instrument % 1_000)


class GeneratedFlow:
    """One connection's calls. Its orders are numbered first_order, first_order + order_step, ….

    Its instruments are first_instrument, first_instrument + instrument_step, …, below `instruments`, the popular ones first.
    """

    def __init__(
        self,
        generator: Generator,
        *,
        first_order: int,
        order_step: int,
        first_instrument: int = 0,
        instrument_step: int = 1,
        instruments: int,
        traders: int,
        is_zipfian: bool,
        mix: Mix,
    ) -> None:
        self._generator = generator
        self._next_order = first_order
        self._order_step = order_step
        self._traders = traders
        own = len(range(first_instrument, instruments, instrument_step))
        self._ranks: Distribution = Weighted(own, 1.0) if is_zipfian else Uniform(own)
        self._first_instrument = first_instrument
        self._instrument_step = instrument_step
        self._bounds = np.cumsum(mix.shares())
        self._open: dict[int, list[tuple[int, int, int, int]]] = {}

    def calls(self) -> Iterator[tuple[str, Arguments]]:
        """Endless, in order."""
        while True:
            actions = np.searchsorted(self._bounds, self._generator.integers(0, MILLION, BLOCK), side="right")
            rows = zip(actions.tolist(), *self._columns(), strict=True)
            for action, *row in rows:
                yield self._call(action, *row)

    def _columns(self) -> list[list[int]]:
        """Of each call: instrument, client, side, ticks behind the middle, lots, a number below a million."""
        generator = self._generator
        classes = generator.choice(len(_DISTANCE_SHARES), BLOCK, p=_DISTANCE_SHARES)
        low, high = _DISTANCES[classes], _DISTANCES[classes + 1]
        columns: list[Any] = [
            self._first_instrument + self._instrument_step * self._ranks.draw(generator, BLOCK),
            generator.integers(0, self._traders, BLOCK),
            generator.integers(1, 3, BLOCK),
            low + (generator.random(BLOCK) * (high - low)).astype(np.int64) + 1,
            generator.choice(_LOTS, BLOCK, p=_LOTS_SHARES),
            generator.integers(0, MILLION, BLOCK),
        ]
        return [column.tolist() for column in columns]

    def _call(
        self, action: int, instrument: int, client: int, side: int, behind: int, lots: int, chance: int
    ) -> tuple[str, Arguments]:
        if action in (_CANCEL, _REDUCE, _MOVE) and self._open.get(instrument):
            return self._change(action, instrument, chance)
        if action == _TAKE:
            price = middle(instrument) + (10 if side == Side.BUY else -10)
            return self._limit(instrument, client, side, Kind.IMMEDIATE, chance % 4, price, lots)
        if action == _MARKET:
            return "market_order", (instrument, client, self._number(), side, _NONE, lots)
        if action == _BEST:
            return "best", (instrument,)
        if action == _DEPTH:
            return "depth", (instrument, side, 0)
        if action == _MASS_CANCEL:
            return "mass_cancel", (instrument, client)
        if action == _EVERYWHERE:
            return "mass_cancel_everywhere", (client,)
        if action == _TURN:
            return ("halt" if chance % 2 else "resume"), (instrument,)
        price = middle(instrument) + (-behind if side == Side.BUY else behind)
        kind = int(_KINDS[chance % 4]) if action == _SPECIAL else Kind.DAY
        return self._limit(instrument, client, side, kind, chance % 4 if action == _SPECIAL else _NONE, price, lots)

    def _limit(
        self, instrument: int, client: int, side: int, kind: int, prevention: int, price: int, lots: int
    ) -> tuple[str, Arguments]:
        order = self._number()
        if kind in (Kind.DAY, Kind.POST_ONLY):
            remembered = self._open.setdefault(instrument, [])
            remembered.append((order, client, price, lots))
            if len(remembered) > LIFE:
                del remembered[0]
        return "limit", (instrument, client, order, side, int(kind), prevention, price, lots)

    def _change(self, action: int, instrument: int, chance: int) -> tuple[str, Arguments]:
        """Cancel or change one of the orders remembered; it may be filled by now."""
        remembered = self._open[instrument]
        place = chance % len(remembered)
        order, client, price, lots = remembered[place]
        if action == _CANCEL:
            remembered[place] = remembered[-1]
            remembered.pop()
            return "cancel", (instrument, client, order)
        if action == _REDUCE:
            lots = max(1, lots - 1)
        else:
            price += 1 if chance % 3 else -1
        remembered[place] = (order, client, price, lots)
        return "replace", (instrument, client, order, price, lots)

    def _number(self) -> int:
        order = self._next_order
        self._next_order += self._order_step
        return order


(_CANCEL, _REDUCE, _TAKE, _MOVE, _SPECIAL, _BEST, _DEPTH, _MARKET, _MASS_CANCEL, _EVERYWHERE, _TURN) = range(
    len(Mix.__slots__)
)
