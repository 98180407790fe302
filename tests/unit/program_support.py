"""Programs made by hand for the tests of the prediction: a service with every kind of dependency, and random calls of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdep import Call, StateMachine, dependent, group_of, independent, partially_dependent, service_of, u32
from cdep.program import Program, places_of, touches_of


class Desk(StateMachine):
    """Commands on one key, on two, on everything and on nothing; none of them is ever executed."""

    @partially_dependent("item", access="read")
    def look(self, item: u32) -> None: ...

    @partially_dependent("item")
    def change(self, item: u32) -> None: ...

    @partially_dependent("source", "target", domain="item")
    def move(self, source: u32, target: u32) -> None: ...

    @dependent(access="read")
    def count(self) -> None: ...

    @dependent
    def close(self, item: u32) -> None: ...

    @independent
    def ping(self) -> None: ...


DESK = service_of(Desk)


def random_calls(random: np.random.Generator, count: int, items: int) -> list[Call]:
    """Calls of every command, on few items."""
    names = random.choice(
        ["look", "change", "move", "count", "close", "ping"], count, p=[0.3, 0.3, 0.2, 0.05, 0.05, 0.1]
    )
    calls = []
    for name in names.tolist():
        command = DESK.command(name)
        calls.append(Call(name, {p.name: int(random.integers(0, items)) for p in command.parameters}))
    return calls


def program(calls: Sequence[Call], costs: Sequence[float], batch: int) -> Program:
    """The program that the calls are, in batches of `batch`."""
    keys = np.full((len(calls), places_of(DESK)), -1, np.int64)
    groups = np.zeros_like(keys)
    names: dict[tuple[str, int], int] = {}
    for row, call in enumerate(calls):
        for place, key in enumerate(touches_of(DESK, DESK.command(call.command))):
            value = call.arguments[key.parameter]
            keys[row, place] = names.setdefault((key.domain, value), len(names))
            groups[row, place] = group_of(value)
    starts = np.array([*range(0, len(calls), batch), len(calls)], np.int64)
    op = np.array([DESK.command(call.command).op for call in calls], np.int64)
    texts = [(domain, str(value)) for domain, value in names]
    return Program(DESK, op, keys, groups, starts, texts, np.array(costs, np.float64))
