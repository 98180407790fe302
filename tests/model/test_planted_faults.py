"""The checks of state and scheduling are checked: each of a list of mistakes, put into the engine's source, is found."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from faults import MAP_FAULTS, SCHEDULE_FAULTS
from twin import Fault
from twin_map import Endless, TwinMap
from twin_workers import TwinWorkers

from cdep.groups import group_of
from psmr import i64, u64
from psmr.state.map import Map

LIMIT = 80
SEEDS = 250
"""So many logs and schedules are tried; a fault that none of them shows is not found."""


def unmixed(value: int) -> int:
    """The key whose hash, before its lowest bit is set, is `value`."""
    for bits, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, 1)):
        shifted = value
        for _ in range(64 // bits + 1):
            shifted = value ^ (shifted >> bits)
        value = shifted * pow(factor, -1, 1 << 64) & ((1 << 64) - 1)
    return value


def keys_of_group() -> list[int]:
    """More keys than the group may hold: key 0's group, usual keys, and some that share the high 32 bits of their hash."""
    usual = [key for key in range(64 * 120) if group_of(key) == group_of(0)]
    alike = (
        unmixed(tag << 32 | low) for tag in (0xFFFF_FFFF, 0xFFFF_FFFE, 0x1234_5678) for low in range(1, 1 << 10, 2)
    )
    colliding = [key for key in alike if group_of(key) == group_of(0)]
    return usual + colliding


def exercise_map(seed: int, *faults: Fault) -> None:
    """Random commands on one group, some of which fail, against a dict; raises when anything differs."""
    chance = random.Random(seed)
    declared = Map(u64, i64, capacity=3072)
    assert declared.group_capacity == LIMIT
    table, keys, group = TwinMap(declared, *faults), keys_of_group(), group_of(0)
    model: dict[int, int] = {}
    for _ in range(25):
        before, fails, changed = table.partition(group), chance.random() < 0.4, dict(model)
        table.begin()
        try:
            for _ in range(chance.randint(1, 5)):
                one_step(chance, table, changed, keys)
        except table.full:
            assert len(changed) == LIMIT, "refused with room left"
            fails = True
        if fails:
            table.undo()
            assert table.partition(group) == before, "a failed command left something"
        else:
            model = changed
        table.begin()
        table.validate(group)
        assert table.content() == model
        assert all(table.get(key) == model.get(key) for key in keys)


def one_step(chance: random.Random, table: TwinMap, model: dict[int, int], keys: list[int]) -> None:
    what = chance.choice(("put", "put", "put", "remove", "clear"))
    if what == "clear":
        table.clear()
        model.clear()
    first = chance.randrange(len(keys))
    chosen = chance.sample(keys[first:], min(len(keys) - first, chance.choice((1, 5, 60))))
    for key in (*chosen, 0) if chance.random() < 0.3 else chosen:
        if what == "put":
            table.put(key, first)
            assert key in model or len(model) < LIMIT, "a key more than the group may hold"
            model[key] = first
        elif what == "remove":
            assert table.remove(key) == (model.pop(key, None) is not None)


@pytest.fixture(autouse=True)
def numbers_that_wrap() -> object:
    with np.errstate(over="ignore"):
        yield


def exercise_maps(*faults: Fault) -> None:
    for seed in range(4):
        exercise_map(seed, *faults)


def run_schedules(*faults: Fault) -> None:
    for seed in range(SEEDS):
        TwinWorkers(seed, *faults).run()


def test_a_map_without_faults_passes() -> None:
    exercise_maps()


@pytest.mark.parametrize("fault", MAP_FAULTS, ids=str)
def test_a_fault_of_the_map_is_found(fault: Fault) -> None:
    with pytest.raises((AssertionError, Endless, struct.error)):
        exercise_maps(fault)


def test_a_schedule_without_faults_passes() -> None:
    run_schedules()


@pytest.mark.parametrize("fault", SCHEDULE_FAULTS, ids=str)
def test_a_fault_of_the_schedule_is_found(fault: Fault) -> None:
    with pytest.raises(AssertionError):
        run_schedules(fault)


def test_a_fault_that_no_longer_fits_the_source_is_an_error() -> None:
    with pytest.raises(AssertionError, match="adapt the fault"):
        TwinWorkers(0, Fault("stale", "psmr.execution.schedule", "a text that is not there", ""))
