"""Events of a batch: the same bytes whatever executes it, in the order of its rows, and none of commands that fail."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from event_services import Emitting, Rearranged, Silent
from execution_support import NOW_US, RING_BYTES, Batch, Call, Raised, decode, encode, engines

from cdep import StateMachine, service_of
from proxies.server_text import server_text
from psmr.core.batch import MalformedBatch
from psmr.core.event_format import COMMAND_BYTES, EVENT_ROWS_MAX, EventLayout, records
from psmr.execution import layout as at
from psmr.execution.engine import Engine
from psmr.execution.outcome import Executed
from psmr.state.compiled_machine import containers_of
from psmr.state.event import Event

WORKERS = (1, 2, 3)
GUARD_S = 60.0
MOST = COMMAND_BYTES // 8
"""How often a command may ring."""


def offer(engine: Engine, sequence: int, batch: Batch, *, is_read: bool = False) -> bool:
    encoded, blob = encode(engine.layout, batch)
    stride = engine.layout.stride
    return engine.offer(7, sequence, stride, len(batch), encoded, blob, NOW_US + sequence, is_read=is_read)


def run(engine: Engine, log: Sequence[Batch], chance: random.Random | None = None, often: float = 1) -> list[Executed]:
    """What the batches gave; those that are executed are collected `often` after one is offered, as chance has it."""
    executed: list[Executed] = []
    for sequence, batch in enumerate(log, 1):
        while not offer(engine, sequence, batch):
            executed += engine.collect()
        if chance is None or chance.random() < often:
            executed += engine.collect()
    deadline = time.monotonic() + GUARD_S
    while len(executed) < len(log):
        engine.settle(0.001)
        executed += engine.collect()
        assert not engine.dead()
        assert time.monotonic() < deadline
    return executed


def events_of(owner: type[StateMachine], executed: Executed) -> list[tuple[int, str, dict[str, Any]]]:
    """The events of a batch as (row, name, fields)."""
    declared = [(name, field) for name, field in containers_of(owner).items() if isinstance(field, Event)]
    return [
        (row, declared[kind][0], declared[kind][1].layout.decode(executed.events, place))
        for kind, row, place in records(executed.events)
    ]


def a_call(chance: random.Random) -> Call:
    kind = chance.random()
    one, other = chance.randrange(64), chance.randrange(64)
    if kind < 0.5:
        return "change", (one, chance.randrange(-50, 50))
    if kind < 0.7:
        return "move", (one, other, chance.randrange(-50, 50))
    if kind < 0.85:
        real = chance.choice([1.5, float("nan"), -0.0])
        return "note", (chance.randrange(-(2**63), 2**63), chance.choice([b"short", b"sixsix", b"toolong"]), real)
    return ("watched", (one,)) if kind < 0.97 else ("ring", (chance.choice([0, 3, MOST, MOST + 1]),))


def a_log(seed: int, batches: int) -> list[Batch]:
    chance = random.Random(seed)
    return [[a_call(chance) for _ in range(chance.randrange(1, 60))] for _ in range(batches)]


@pytest.fixture(scope="module")
def made() -> Iterator[dict[str, Engine]]:
    with engines(Emitting, WORKERS) as engines_by_name:
        yield engines_by_name


@pytest.fixture(scope="module")
def alone(made: dict[str, Engine]) -> Engine:
    return made["compiled, 1 workers"]


@pytest.mark.parametrize("seed", [1, 2])
def test_all_that_executes_a_log_gives_the_same_events(made: dict[str, Engine], seed: int) -> None:
    log = a_log(seed, 12)
    chance = random.Random(seed)
    for engine in made.values():
        engine._choose = lambda synchronous, count: chance.choice([1, 16])
    found = {name: run(engine, log) for name, engine in made.items()}
    first = found["interpreted, 1 workers"]
    for name, executed in found.items():
        for number, (one, other) in enumerate(zip(executed, first, strict=True)):
            assert (one.events, one.event_count, one.reply) == (other.events, other.event_count, other.reply), (
                f"{name}, batch {number}"
            )
    assert len({engine.digest() for engine in made.values()}) == 1
    assert all(batch.event_count == len(list(records(batch.events))) for batch in first)
    assert sum(batch.event_count for batch in first) > 500


def test_events_come_in_the_order_of_rows_and_of_calls(made: dict[str, Engine]) -> None:
    log: list[Batch] = [[("ring", (1,)), ("move", (3, 4, 2)), ("ring", (0,)), ("note", (-1, b"\0\1\2\3\0\0", 0.5))]]
    for engine in made.values():
        (executed,) = run(engine, log)
        *others, (row, name, fields) = events_of(Emitting, executed)
        assert others == [
            (0, "rang", {}),
            (1, "moved", {"source": 3, "target": 4, "amount": 0}),
            (1, "moved", {"source": 3, "target": 4, "amount": 1}),
        ]
        assert (row, name) == (3, "noted")
        assert fields == {
            "tiny": -1,
            "code": b"\0\1\2\3\0\0",
            "flag": True,
            "real": 0.5,
            "small": 65535,
            "wide": 2**64 - 1,
            "signed": -1,
            "byte": 255,
            "short": -1,
        }
        assert list(fields) == list(containers_of(Emitting)["noted"].fields)  # type: ignore[attr-defined]


def test_a_command_that_fails_has_emitted_nothing(made: dict[str, Engine]) -> None:
    for engine in made.values():
        log: list[Batch] = [[("change", (9, 3)), ("ring", (1,)), ("note", (1, b"short", 0.5)), ("ring", (MOST + 1,))]]
        (executed,) = run(engine, log)
        assert [(row, name) for row, name, _ in events_of(Emitting, executed)] == [(1, "rang")]
        replies = decode(engine.layout, log[0], executed.reply)
        assert replies[0] == Raised("ValueError: an amount that is refused")
        assert replies[2] == Raised("ValueError: a byte value has not the 6 bytes declared for it")
        assert replies[3] == Raised("CommandTooLarge: a command may emit at most 64 KiB of events; split it")


def test_a_read_beside_the_log_may_not_emit(made: dict[str, Engine]) -> None:
    refused = Raised("ValueError: a read beside the log may not emit events; emit in commands that are ordered")
    for engine in made.values():
        assert offer(engine, 0, [("watched", (5,))], is_read=True)
        assert offer(engine, 1, [("watched", (5,))])
        assert engine.settle(GUARD_S)
        read, ordered = engine.collect()
        assert decode(engine.layout, [("watched", (5,))], read.reply) == [refused]
        assert (read.events, read.event_count) == (b"", 0)
        assert [name for _, name, _ in events_of(Emitting, ordered)] == ["rang"]


def test_where_execution_is_in_another_order_rows_are_those_of_the_batch() -> None:
    batch: Batch = [("tell_both", (1, 2)), ("tell", (3,)), ("tell_both", (4, 5)), ("tell", (6,))]
    with engines(Rearranged, (1, 2), forms=(False,)) as made:
        for engine in made.values():
            (executed,) = run(engine, [batch])
            found = [(row, fields["account"]) for row, _, fields in events_of(Rearranged, executed)]
            assert found == [(0, 1), (0, 2), (1, 3), (2, 4), (2, 5), (3, 6)]


@pytest.mark.parametrize("name", ["compiled, 1 workers", "compiled, 3 workers"])
@pytest.mark.parametrize("often", [0.2, 0])
def test_events_that_are_not_yet_collected_are_not_overwritten(
    made: dict[str, Engine], name: str, often: float
) -> None:
    chance = random.Random(3)
    log: list[Batch] = [
        [("change", (chance.randrange(64), 2 * number)), *[("ring", (MOST,))] * chance.choice([0, 1, 2, 12])]
        for number in range(400)
    ]
    engine = made[name]
    engine._choose = lambda synchronous, count: chance.choice([1, 3])
    for batch, executed in zip(log, run(engine, log, chance, often), strict=True):
        events = np.frombuffer(executed.events, np.uint8)
        rings = len(batch) - 1
        assert executed.event_count >= rings * MOST
        rang = events[len(events) - rings * COMMAND_BYTES :].reshape(rings, MOST, 8)
        assert (rang == rang[:, :1]).all()
        assert [bytes(ring[0, 4:]) for ring in rang] == [(row + 1).to_bytes(4, "little") for row in range(rings)]


def test_memory_of_very_many_events_is_given_back(alone: Engine) -> None:
    memory = alone.memory
    rows = at.EVENT_START_BYTES // COMMAND_BYTES + 50
    (executed,) = run(alone, [[("ring", (MOST,))] * rows])
    assert executed.event_count == rows * MOST
    kept = memory.event_areas[0] + at.EVENT_START_BYTES
    assert not [*memory.region.allocated(kept, at.EVENT_AREA_BYTES - at.EVENT_START_BYTES)]
    assert run(alone, [[("ring", (2,))]])[0].event_count == 2


def test_a_batch_of_too_many_commands_is_refused(alone: Engine) -> None:
    count = EVENT_ROWS_MAX + 1
    with pytest.raises(MalformedBatch, match="expected at most 65536 commands of a service with events, found 65537"):
        alone.offer(7, 1, 8, count, bytes(8 * count), b"", NOW_US)


def test_a_service_without_events_pays_nothing() -> None:
    text = server_text(service_of(Silent))
    assert "begin_events" not in text
    assert "begin_events(frame, row)" in server_text(service_of(Emitting))
    engine = Engine(Silent, 1, ring_bytes=RING_BYTES)
    try:
        assert not engine.memory.has_events
        assert engine.memory.region.size_bytes < at.EVENT_AREA_BYTES
    finally:
        engine.close()


def test_events_are_part_of_the_fingerprint() -> None:
    declared = dict(service_of(Emitting).state)
    assert declared["moved"] == "Event(source=u32, target=u32, amount=i64)"
    assert declared["rang"] == "Event()"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": "Max(8)"}, r"text: expected a field of fixed size, found Max\(8\); use Size\(n\)"),
        ({f"part{n}": "Size(4096)" for n in range(8)}, "expected an event of at most 32768 bytes, found 32776"),
    ],
)
def test_what_cannot_be_an_event_is_refused(fields: dict[str, str], message: str) -> None:
    from psmr import Max, Size

    kinds = {"Max(8)": Max(8), "Size(4096)": Size(4096)}
    with pytest.raises(TypeError, match=message):
        Event(**{name: kinds[kind] for name, kind in fields.items()})


def test_fields_lie_widest_first() -> None:
    layout: EventLayout = containers_of(Emitting)["noted"].layout  # type: ignore[attr-defined]
    offsets = {field.name: field.offset for field in layout.fields}
    assert offsets == {
        "real": 8,
        "wide": 16,
        "signed": 24,
        "small": 28,
        "short": 30,
        "tiny": 32,
        "flag": 33,
        "byte": 34,
        "code": 35,
    }
    assert (layout.used_bytes, layout.size_bytes) == (41, 48)
