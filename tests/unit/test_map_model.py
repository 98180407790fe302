"""A map is a dict with room for so many keys a group: the same answers, whatever the keys collide on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from state_support import State, colliding_numbers, colliding_words, entries_of, numbers_of_group

from cdep.groups import group_of
from cdep.types import Max, Size
from psmr import i8, i64, u8, u32, u64
from psmr.state.map import Map
from psmr.state.map_core import CapacityExceeded

LAST_HOME = 0xFFFF_FFFF
NUMBERS = [
    0,
    1,
    (1 << 64) - 1,
    1 << 63,
    *numbers_of_group(9, 25),
    *colliding_numbers(9, LAST_HOME, 8),
    *colliding_numbers(9, LAST_HOME - 1, 5),
    *colliding_numbers(9, 1, 5),
]
WORDS = [b"", b"\0", b"\0\0", *(bytes([place] * (place % 17)) for place in range(30)), *colliding_words(LAST_HOME, 9)]
Step = tuple[str, int, int]
Steps = st.lists(
    st.tuples(
        st.sampled_from(("put", "put", "remove", "get", "clear", "drain")), st.integers(0, 50), st.integers(0, 300)
    ),
    max_size=120,
)


class Limited(dict[Any, Any]):
    """What a map ought to be."""

    def __init__(self, limit: int, part: int = 0) -> None:
        super().__init__()
        self._limit = limit
        self._part = part

    def _group(self, key: Any) -> int:
        return group_of(key[: max(len(key) - self._part, 0)] if self._part else key)

    def put(self, key: Any, value: Any) -> None:
        group = self._group(key)
        if key not in self and sum(self._group(other) == group for other in self) >= self._limit:
            raise CapacityExceeded
        self[key] = value


def compare(declared: Map[Any, Any], keys: list[Any], steps: list[Step], value_of: Any) -> None:
    state = State(declared)
    (table,) = state.bound()
    model = Limited(declared.group_capacity, declared.part)
    for what, place, number in steps:
        key = keys[place % len(keys)]
        state.begin()
        if what == "put":
            assert outcome(table, key, value_of(number)) == outcome(model, key, value_of(number))
        elif what == "remove":
            assert table.remove(key) == (model.pop(key, None) is not None)
        elif what == "clear" and number < 30:
            table.clear()
            model.clear()
        elif what == "drain":
            drain(table, model, number % 3)
        assert table.get(key) == model.get(key)
        assert (key in table) == (key in model)
        assert len(table) == len(model)
    assert entries_of(table) == model


def outcome(table: Any, key: Any, value: Any) -> str:
    try:
        table.put(key, value)
    except CapacityExceeded:
        return "full"
    return "put"


def drain(table: Any, model: Limited, keep: int) -> None:
    """Remove keys while going through them: the cursor stays valid."""
    cursor = table.next(-1)
    while cursor >= 0:
        key = table.key_at(cursor)
        if hash(key) % 3 >= keep:
            assert table.remove(key)
            del model[key]
        cursor = table.next(cursor)


@settings(max_examples=60, deadline=None)
@given(Steps)
def test_numbers(steps: list[Step]) -> None:
    compare(Map(u64, i64, capacity=64 * 5), NUMBERS, steps, lambda number: number - 150)


@settings(max_examples=60, deadline=None)
@given(Steps)
def test_words(steps: list[Step]) -> None:
    compare(Map[bytes, bytes](Max(16), Max(21), capacity=64), WORDS, steps, lambda number: b"v" * (number % 22))


@settings(max_examples=60, deadline=None)
@given(Steps)
def test_parts_of_words(steps: list[Step]) -> None:
    words = [name + bytes([0, part]) for name in (b"", b"a", b"b" * 14) for part in range(12)] + [b"", b"a"]
    compare(Map[bytes, bytes](Max(16), Max(21), capacity=64, part=2), words, steps, lambda number: b"v" * (number % 22))


def test_only_byte_keys_have_parts_and_not_of_all_they_are() -> None:
    assert "part" not in Map[bytes, Any](Max(4), u8, capacity=10).specification()
    assert Map[bytes, Any](Max(4), u8, capacity=10, part=3).specification().endswith(", part=3)")
    for key, part in ((Max(4), 4), (Max(4), -1), (u64, 1)):
        with pytest.raises(TypeError, match="expected a part of fewer bytes than a byte key has"):
            Map[Any, Any](key, u8, capacity=10, part=part)


@pytest.mark.parametrize("capacity", [*range(1, 66), 2560, 3008, 3009, 3072, 3073, 7168, 16128])
def test_the_last_level_holds_every_key_and_growing_stops_there(capacity: int) -> None:
    # Whatever the capacity: the entries begin where the index of the last level that is ever needed ends.
    declared = Map(u64, u64, capacity=capacity)
    state = State(declared)
    (table,) = state.bound()
    keys = numbers_of_group(17, declared.group_capacity + 3)
    state.begin()
    for key in keys[: declared.group_capacity]:
        table.put(key, key)
    for key in keys[declared.group_capacity :]:
        with pytest.raises(CapacityExceeded):
            table.put(key, key)
    assert entries_of(table) == {key: key for key in keys[: declared.group_capacity]}


def test_a_key_that_the_map_cannot_hold_is_not_in_it() -> None:
    state = State(Map[bytes, Any](Max(4), u8, capacity=10))
    (table,) = state.bound()
    state.begin()
    table.put(b"four", 4)
    assert table.get(b"fours") is None
    assert table.get(b"fours", 9) == 9
    assert b"fours" not in table
    assert not table.remove(b"fours")
    with pytest.raises(ValueError, match="longer than the 4 bytes"):
        table.put(b"fours", 5)
    assert entries_of(table) == {b"four": 4}


def test_keys_are_seen_as_declared() -> None:
    state = State(
        Map(bool, u8, capacity=9), Map(i8, u8, capacity=9), Map(u32, u8, capacity=9), Map(u64, u8, capacity=9)
    )
    flags, signed, narrow, wide = state.bound()
    state.begin()
    flags.put(True, 1)
    signed.put(-128, 2)
    narrow.put((1 << 32) - 1, 3)
    wide.put((1 << 64) - 1, 4)
    assert flags.key_at(flags.next(-1)) is True
    assert signed.key_at(signed.next(-1)) == -128
    assert narrow.key_at(narrow.next(-1)) == (1 << 32) - 1
    assert wide.key_at(wide.next(-1)) == (1 << 64) - 1
    assert flags.get(False) is None


def test_a_fixed_value_takes_its_place_and_no_other() -> None:
    state = State(Map[bytes, bytes](Size(3), Size(5), capacity=9))
    (table,) = state.bound()
    state.begin()
    table.put(b"abc", b"12345")
    table.put(b"abd", b"67890")
    with pytest.raises(ValueError, match="has not the 5 bytes"):
        table.put(b"abc", b"1234")
    assert (table.get(b"abc"), table.get(b"abd")) == (b"12345", b"67890")


def test_order_is_by_group_then_by_insertion() -> None:
    state = State(Map(u64, u8, capacity=640))
    (table,) = state.bound()
    state.begin()
    keys = list(range(297, -1, -3))
    for key in keys:
        table.put(key, 0)
    assert list(entries_of(table)) == sorted(keys, key=group_of)
