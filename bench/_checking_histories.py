"""Histories drawn by seed, of clients that never pause: each operation takes effect at a moment between its call and its return."""

from __future__ import annotations

from random import Random
from typing import Any

from psmr.checking import Operation

LATE = 0.9
"""A wrong read is the first after this share of the history."""


def key_value(seed: int, operations: int, clients: int, keys: int) -> list[Operation]:
    """A third each of get, put and append of short strings, all different."""
    random = Random(seed)
    values: dict[int, str] = {}

    def act(number: int) -> tuple[str, tuple[Any, ...], Any]:
        key, kind = random.randrange(keys), random.choice(["get", "put", "append"])
        if kind == "get":
            return kind, (key,), values.get(key)
        values[key] = f"{number}." if kind == "put" else values.get(key, "") + f"{number}."
        return kind, (key, f"{number}."), None

    return _drawn(random, operations, clients, act)


def register(seed: int, operations: int, clients: int) -> list[Operation]:
    """Half reads, half writes of five values."""
    random = Random(seed)
    values: list[int | None] = [None]

    def act(_: int) -> tuple[str, tuple[Any, ...], Any]:
        if random.random() < 0.5:
            return "read", (), values[-1]
        values.append(random.randrange(5))
        return "write", (values[-1],), None

    return _drawn(random, operations, clients, act)


def with_a_late_wrong_read(history: list[Operation]) -> list[Operation]:
    """The same, but a late read of a key answers what one long before it did; of a register, what nobody wrote."""
    history = sorted(history, key=lambda operation: operation.invoked_us)
    reads = [place for place, operation in enumerate(history) if operation.command in ("get", "read")]
    for place in reads:
        if place < LATE * len(history):
            continue
        wrong = history[place]
        for other in reads:
            earlier = history[other]
            same_key = earlier.arguments == wrong.arguments
            if other < len(history) // 2 and same_key and earlier.reply not in (None, wrong.reply):
                if wrong.command == "read":
                    earlier = earlier._replace(reply=-1)
                history[place] = wrong._replace(reply=earlier.reply)
                return history
    raise AssertionError("a history without a late read")


def _drawn(random: Random, operations: int, clients: int, act: Any) -> list[Operation]:
    """Each client calls again soon after a return; an operation takes 100 to 1,000 us, and effect somewhere within."""
    free = [random.randrange(500) for _ in range(clients)]
    spans = []
    for number in range(operations):
        client = min(range(clients), key=free.__getitem__)
        called = free[client]
        returned = called + random.randrange(100, 1000)
        spans.append((random.randrange(called + 1, returned), client, called, returned, number))
        free[client] = returned + random.randrange(1, 20)
    return [Operation(client, called, returned, *act(number)) for _, client, called, returned, number in sorted(spans)]
