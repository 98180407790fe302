"""Random calls of the services in stages, and what engines and plain handlers make of them: replies, events, state."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from execution_support import NOW_US, Batch, Raised, encode
from plain_state import PlainEvent, PlainService
from staged_service import FAILS_EARLY, FAILS_LATE, Orders

from psmr.core.event_format import records
from psmr.execution.engine import Engine
from psmr.execution.outcome import Executed

SETTLE_S = 60.0
SIZES = (1, 2, 3, 10, 64, 65, 200)
AMOUNTS = (1, 3, 8, 20, 40, FAILS_EARLY, FAILS_LATE)
WEIGHTS = {
    "order": 60,
    "deposit": 6,
    "give_up": 10,
    "credit": 1,
    "order_both": 3,
    "compare": 1,
    "withdraw": 4,
    "transfer": 1,
    "history": 3,
    "inspect": 1,
    "audit": 0.3,
}


def draw_log(chance: random.Random, commands: Sequence[str], calls: int, deposits: Sequence[int]) -> list[Batch]:
    """Batches of many sizes. The larger the deposits, the less often credit runs out."""
    log: list[Batch] = []
    while calls > 0:
        size = min(calls, chance.choice(SIZES))
        log.append([_draw(chance, commands, deposits) for _ in range(size)])
        calls -= size
    return log


def _draw(chance: random.Random, commands: Sequence[str], deposits: Sequence[int]) -> tuple[str, tuple[Any, ...]]:
    name = chance.choices(commands, [WEIGHTS[command] for command in commands])[0]
    client, other, amount = chance.randrange(9), chance.randrange(9), chance.choice(AMOUNTS)
    stock, second = chance.randrange(16), chance.randrange(16)
    arguments: dict[str, tuple[Any, ...]] = {
        "order": (client, stock, amount),
        "deposit": (client, chance.choice(deposits)),
        "give_up": (stock,),
        "credit": (client,),
        "order_both": (stock, second, client, amount),
        "compare": (stock, second),
        "withdraw": (client, amount),
        "transfer": (client, other, amount),
        "history": (stock,),
        "inspect": (client, stock),
        "audit": (),
    }
    return name, arguments[name]


def execute_all(engine: Engine, log: Sequence[Batch]) -> list[Executed]:
    """What became of each batch; several are under way at a time."""
    executed: list[Executed] = []
    for sequence, batch in enumerate(log, 1):
        content, blob = encode(engine.layout, batch)
        while not engine.offer(7, sequence, engine.layout.stride, len(batch), content, blob, NOW_US + sequence):
            assert engine.settle(SETTLE_S), engine.dead()
            executed += engine.collect()
        executed += engine.collect()
    assert engine.settle(SETTLE_S), engine.dead()
    return executed + engine.collect()


@dataclass(frozen=True)
class Emitted:
    """An event's place and content."""

    row: int
    name: str
    fields: dict[str, Any]


def events_of(executed: Executed) -> list[Emitted]:
    """The events of a batch."""
    declared = [("taken", Orders.taken), ("reserving", Orders.reserving)]
    return [
        Emitted(row, declared[kind][0], declared[kind][1].layout.decode(executed.events, place))
        for kind, row, place in records(executed.events)
    ]


class Plain:
    """The services' handlers on plain state, early stage before main stage, one call after another; and what they emit."""

    def __init__(self, owner: type[Orders]) -> None:
        self.service = PlainService(owner)
        self._machine: Any = self.service._machine
        self._machine.taken, self._machine.reserving = _Recorder("taken"), _Recorder("reserving")

    def execute(self, batch: Batch) -> tuple[list[Any], list[Emitted]]:
        """The replies and the events of a batch."""
        replies: list[Any] = []
        events: list[Emitted] = []
        for row, (name, arguments) in enumerate(batch):
            try:
                value = self.service.apply(name, arguments)
                replies.append(value.item() if hasattr(value, "item") else value)
            except ValueError as error:
                replies.append(Raised(f"ValueError: {error}"))
            for recorder in (self._machine.reserving, self._machine.taken):
                events += [Emitted(row, recorder.name, recorder.fields(values)) for values in recorder.emitted]
                recorder.emitted.clear()
        return replies, events


class _Recorder(PlainEvent):
    """Keeps what is emitted; handlers are undone by putting a copy made before them in its place."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.emitted: list[tuple[Any, ...]] = []

    def emit(self, *values: Any) -> None:
        """Keep it."""
        self.emitted.append(values)

    def fields(self, values: tuple[Any, ...]) -> dict[str, Any]:
        """The values by name, as they are decoded."""
        names = getattr(Orders, self.name).fields
        return dict(zip(names, (int(value) for value in values), strict=True))
