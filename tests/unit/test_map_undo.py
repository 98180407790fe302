"""A command that fails leaves a map as if it had never run, whatever it did: to the byte, of all that is ever read again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from state_support import State, colliding_numbers, colliding_words, entries_of, numbers_of_group

from cdep.types import Max
from psmr import u64
from psmr.state.frame import CommandTooLarge
from psmr.state.map import Map
from psmr.state.map_core import CapacityExceeded

CAPACITY = 3072
"""For 80 keys a group: just as many as 128 slots may hold, so that one more would make the index grow past its last level."""
LIMIT = 80
LAST_HOME = 0xFFFF_FFFF
"""A tag of keys that all want the last slot of an index of any size, and so wrap around to its first."""

NUMBERS = [
    0,
    (1 << 64) - 1,
    *numbers_of_group(5, 70),
    *colliding_numbers(5, LAST_HOME, 6),
    *colliding_numbers(5, LAST_HOME - 1, 4),
    *colliding_numbers(5, 0, 6),
    *numbers_of_group(63, 4),
]
WORDS = [
    b"",
    *(b"k%d" % number * (1 + number % 3) for number in range(40)),
    *colliding_words(LAST_HOME, 6),
    *colliding_words(LAST_HOME - 1, 4),
]

Step = tuple[str, int, int]
"""(what, the first key's place in the pool, how many keys)"""
Steps = st.lists(
    st.tuples(
        st.sampled_from(("put", "put", "put", "remove", "remove", "clear")), st.integers(0, 95), st.integers(0, 95)
    ),
    max_size=6,
)
Commands = st.lists(st.tuples(Steps, st.booleans()), max_size=8)


def perform(table: Any, steps: list[Step], keys: list[Any], value_of: Callable[[int], Any]) -> None:
    """A command's doing; raises CapacityExceeded when it puts too much."""
    for number, (what, first, count) in enumerate(steps):
        if what == "clear":
            table.clear()
        for place in range(first, min(first + count, len(keys))):
            if what == "put":
                table.put(keys[place], value_of(1000 * number + place))
            elif what == "remove":
                table.remove(keys[place])


def run_commands(
    declared: Map[Any, Any], keys: list[Any], value_of: Callable[[int], Any], commands: list[tuple[list[Step], bool]]
) -> None:
    """Some commands fail. A failed one changes nothing, and at the end all is as if only the others had run."""
    state, clean = State(declared), State(declared)
    (table,), (other,) = state.bound(), clean.bound()
    for steps, fails in commands:
        before = state.partitions()
        state.begin()
        try:
            perform(table, steps, keys, value_of)
            refused = fails
        except CapacityExceeded:
            refused = True
        if refused:
            state.undo()
            assert state.partitions() == before
        else:
            clean.begin()
            perform(other, steps, keys, value_of)
    state.begin()
    clean.begin()
    assert state.content() == clean.content()
    assert entries_of(table) == entries_of(other)
    assert len(table) == len(other)


@settings(max_examples=60, deadline=None)
@given(Commands)
def test_a_failed_command_leaves_a_map_of_numbers_as_it_was(commands: list[tuple[list[Step], bool]]) -> None:
    run_commands(Map(u64, u64, capacity=CAPACITY), NUMBERS, lambda number: number, commands)


@settings(max_examples=40, deadline=None)
@given(Commands)
def test_a_failed_command_leaves_a_map_of_bytes_as_it_was(commands: list[tuple[list[Step], bool]]) -> None:
    declared = Map[bytes, bytes](Max(24), Max(9), capacity=CAPACITY)
    run_commands(declared, WORDS, lambda number: b"x" * (number % 10), commands)


def full_map() -> tuple[State, Any, list[int]]:
    """A map with one group full, and that group's keys, one more than it may hold."""
    state = State(Map(u64, u64, capacity=CAPACITY))
    (table,) = state.bound()
    keys = numbers_of_group(5, LIMIT + 1)
    state.begin()
    for key in keys[:LIMIT]:
        table.put(key, key + 1)
    return state, table, keys


def test_a_full_group_refuses_a_key_and_stays_what_it_is() -> None:
    # The index is as full as it may be: making it grow for a key that is refused would write over the entries.
    state, table, keys = full_map()
    before = state.partitions()
    state.begin()
    with pytest.raises(CapacityExceeded):
        table.put(keys[LIMIT], 1)
    assert state.partitions() == before
    assert entries_of(table) == {key: key + 1 for key in keys[:LIMIT]}


def test_a_full_group_takes_known_keys_and_one_for_each_it_loses() -> None:
    state, table, keys = full_map()
    state.begin()
    table.put(keys[3], 7)
    assert table.remove(keys[9])
    table.put(keys[LIMIT], 8)
    with pytest.raises(CapacityExceeded):
        table.put(keys[9], 1)
    assert len(table) == LIMIT
    assert (table.get(keys[3]), table.get(keys[LIMIT]), table.get(keys[9])) == (7, 8, None)


def test_clear_refill_and_failure_bring_back_every_level() -> None:
    state, table, keys = full_map()
    before = state.partitions()
    state.begin()
    table.clear()
    for key in keys[1:]:
        table.put(key, 0)
    table.clear()
    for key in keys[:40]:
        table.put(key, 0)
    state.undo()
    assert state.partitions() == before
    assert entries_of(table) == {key: key + 1 for key in keys[:LIMIT]}


def test_growth_that_failed_is_made_again() -> None:
    state, table, keys = State(Map(u64, u64, capacity=CAPACITY)), None, numbers_of_group(5, 30)
    (table,) = state.bound()
    for _ in range(3):
        state.begin()
        for key in keys:
            table.put(key, 1)
        state.undo()
        assert len(table) == 0
        assert all(table.get(key) is None for key in keys)
    state.begin()
    for key in keys:
        table.put(key, 2)
    assert entries_of(table) == dict.fromkeys(keys, 2)


def test_a_command_too_large_to_note_is_undone() -> None:
    state = State(Map(u64, u64, capacity=CAPACITY), undo_entries=64)
    (table,) = state.bound()
    state.begin()
    table.put(1, 1)
    before = state.partitions()
    state.begin()
    with pytest.raises(CommandTooLarge):
        perform(table, [("put", 0, 95)], NUMBERS, lambda number: number)
    state.undo()
    assert state.partitions() == before
    assert entries_of(table) == {1: 1}
