"""Traced state is the real state: the same calls on an engine's interpreted worker give the same replies, keys and values."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from digest_services import Everything
from execution_support import NOW_US, Batch, Raised, decode, engines, execute, state_of
from random_calls import Draw, byte_store_call, everything_call, nameserver_call, random_log

from apps.kv import KV
from apps.nameserver import Nameserver
from cdep import StateMachine, group_of
from psmr.verification.cells import VALUE, Cell
from psmr.verification.machine import Call, TracedMachine
from psmr.verification.traced_map import TracedMap

CASES = [(KV, byte_store_call, 1500), (Nameserver, nameserver_call, 700), (Everything, everything_call, 2500)]


def cells_of(state: dict[str, Any]) -> dict[Cell, Any]:
    """An engine's state as cells that hold something."""
    found: dict[Cell, Any] = {}
    for name, content in state.items():
        if isinstance(content, dict) and all(isinstance(rows, list) for rows in content.values()) and content:
            columns = {f"{name}.{field}": rows for field, rows in content.items()}
        else:
            columns = {name: content}
        for column, held in columns.items():
            items = held.items() if isinstance(held, dict) else enumerate(held)
            for key, value in items:
                plain = struct.pack("<d", value) if isinstance(value, float) else value
                is_zero = not isinstance(held, dict) and (not any(plain) if isinstance(plain, bytes) else not plain)
                if not is_zero:
                    found[Cell(column, VALUE, key)] = plain
    return found


def places_used_again() -> Batch:
    """A full group, three keys of it removed, four others put in: where each of them lies shows in the order of iteration."""
    crowd = [number for number in range(2000) if group_of(number) == 9][:14]
    filled: Batch = [("note_number", (number, 1)) for number in crowd[:10]]
    removed: Batch = [("forget_number", (crowd[place],)) for place in (2, 6, 4)]
    return [*filled, *removed, *(("note_number", (number, 2)) for number in crowd[10:])]


@pytest.mark.parametrize(("owner", "draw", "calls"), CASES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_replies_and_state_are_those_of_an_engine(owner: type[StateMachine], draw: Draw, calls: int) -> None:
    log = random_log(draw, seed=3, calls=calls)
    if owner is Everything:
        log.append(places_used_again())
    with engines(owner, [1], forms=(False,)) as made:
        engine = next(iter(made.values()))
        replies = [decode(engine.layout, batch, reply) for batch, reply in zip(log, execute(engine, log), strict=True)]
        state = state_of(engine)
    machine = TracedMachine(owner)
    for sequence, (batch, expected) in enumerate(zip(log, replies, strict=True), 1):
        for (name, arguments), reply in zip(batch, expected, strict=True):
            outcome = machine.call(Call(name, arguments, NOW_US + 1_000_000 * sequence))
            found = Raised(outcome.reply) if outcome.raised else outcome.reply
            assert repr(found) == repr(reply), (name, arguments)
    for name, content in state.items():
        container = machine.container(name)
        if isinstance(container, TracedMap):
            assert list(container.keys_in_order()) == list(content)
    assert machine.content() == cells_of(state)
    machine.rollback(0)
    assert machine.content() == {}
