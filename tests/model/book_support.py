"""Running logs of book commands through engines and through the model, and random calls near every edge."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from execution_support import NOW_US, Batch, Call, decode, encode

from apps.book.model import BookModel
from apps.book.rules import QUANTITY_MAX, TICKS
from psmr.demo.told import ToldByBatch
from psmr.execution.engine import Engine
from psmr.workload import Told

BOOKS = (0, 1, 64, 65, 4095)
CLIENTS = 4
OPEN: Batch = [*(("list_instrument", (number,)) for number in BOOKS), ("register", (1, CLIENTS))]

Answer = tuple[Any, list[Told]]
"""A call's reply and events."""


def answers_of(engine: Engine, log: Sequence[Batch], first_sequence: int = 1) -> list[list[Answer]]:
    """What the engine answers to each call of each batch."""
    told = ToldByBatch(engine.service)
    replies: list[bytes] = []

    def collect() -> None:
        for executed in engine.collect():
            replies.append(executed.reply)
            told.take(0, 0, executed)

    for sequence, batch in enumerate(log, first_sequence):
        records, blob = encode(engine.layout, batch)
        while not engine.offer(7, sequence, engine.layout.stride, len(batch), records, blob, NOW_US + sequence):
            collect()
    while len(replies) < len(log):
        assert engine.settle(60.0), engine.dead()
        collect()
    found: list[list[Answer]] = []
    for sequence, (batch, reply) in enumerate(zip(log, replies, strict=True), first_sequence):
        events = told.of((7, sequence))
        found.append([(value, events.get(row, [])) for row, value in enumerate(decode(engine.layout, batch, reply))])
    return found


def expected_of(model: BookModel, log: Sequence[Batch]) -> list[list[Answer]]:
    """What the model answers."""
    return [[_expected(model, call) for call in batch] for batch in log]


def _expected(model: BookModel, call: Call) -> Answer:
    model.events.clear()
    reply = model.apply(*call)
    return reply, list(model.events)


def random_log(seed: int, batches: int) -> list[Batch]:
    """Batches of up to 200 calls: crowded books in every second, books with prices far apart in the others."""
    chosen = random.Random(seed)
    log = [OPEN]
    for number in range(batches):
        log.append([_call(chosen, number % 2 == 1) for _ in range(chosen.randrange(1, 200))])
    return log


_FAR = (1, 2, 63, 64, 65, 4095, 4096, 4097, TICKS - 2, TICKS - 1)
_BAD_PRICES = (0, -1, TICKS, 1 << 40, -(1 << 63), (1 << 63) - 1)
_BAD_QUANTITIES = (0, -5, QUANTITY_MAX, QUANTITY_MAX + 1, (1 << 63) - 1, -(1 << 63))


def _price(chosen: random.Random, is_wide: bool) -> int:
    if chosen.random() < 0.04:
        return chosen.choice(_BAD_PRICES)
    if is_wide:
        return chosen.choice([*_FAR, chosen.randrange(1, TICKS), chosen.randrange(90_000, 91_000)])
    return chosen.randrange(1000, 1012)


def _call(chosen: random.Random, is_wide: bool) -> Call:
    book = chosen.choice(BOOKS) if chosen.random() < 0.98 else chosen.choice([7, 4096, (1 << 32) - 1])
    order = chosen.randrange(1, 1500 if is_wide else 60)
    client = 1 + order % CLIENTS if chosen.random() < 0.97 else chosen.choice([1, 2, 9, 65_536])
    price = _price(chosen, is_wide)
    quantity = chosen.randrange(1, 20) if chosen.random() < 0.96 else chosen.choice(_BAD_QUANTITIES)
    side = chosen.choice([1, 2]) if chosen.random() < 0.98 else chosen.choice([0, 3, 255])
    share = chosen.random()
    if share < 0.5:
        kind = chosen.choice([0, 0, 0, 0, 1, 2, 3]) if chosen.random() < 0.99 else 4
        return "limit", (book, client, order, side, kind, chosen.choice([0, 0, 0, 1, 2, 3, 4]), price, quantity)
    if share < 0.55:
        return "market_order", (book, client, order, side, chosen.choice([0, 1, 2, 3, 4]), quantity)
    if share < 0.7:
        return "cancel", (book, client, order)
    if share < 0.93:
        return "replace", (book, client, order, price, quantity)
    rare: list[tuple[float, Call]] = [
        (20, ("mass_cancel", (book, client))),
        (3, ("mass_cancel_everywhere", (client,))),
        (3, ("list_instrument", (book,))),
        (3, ("register", (chosen.choice([0, 1, 2, 65_535, 65_536]), chosen.choice([0, 1, 2, 4, (1 << 32) - 1])))),
        (3, ("halt", (book,))),
        (12, ("resume", (book,))),
        (1, ("halt_market", ())),
        (8, ("resume_market", ())),
        (20, ("best", (book,))),
        (20, ("depth", (book, chosen.choice([0, 1, 2]), chosen.choice([0, max(price, 0) & 0xFFFFFFFF, 1005])))),
        (20, ("still_open", (book, order))),
    ]
    return chosen.choices([call for _, call in rare], [weight for weight, _ in rare])[0]
