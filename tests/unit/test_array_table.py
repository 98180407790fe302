"""Arrays and tables are lists of rows: what is written to one row is there, in no other, and can be taken back."""

from __future__ import annotations

import itertools
import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from state_support import State

from cdep.compiled import compiled
from cdep.groups import group_of
from cdep.types import Max, Size
from psmr import f64, i8, i16, i32, i64, u8, u16, u32, u64
from psmr.state import rows
from psmr.state.array import Array, Table
from psmr.state.region import PAGE_BYTES

CAPACITY = 200
TYPES: dict[str, tuple[Any, list[Any]]] = {
    "u8": (u8, [0, 1, 255, 256, -1]),
    "u16": (u16, [0, 65535, 65536]),
    "u32": (u32, [0, (1 << 32) - 1, 1 << 32]),
    "u64": (u64, [0, (1 << 64) - 1, 1 << 64]),
    "i8": (i8, [-128, 127, 128]),
    "i16": (i16, [-32768, 32767, 32768]),
    "i32": (i32, [-(1 << 31), 1 << 31]),
    "i64": (i64, [-(1 << 63), (1 << 63) - 1, 1 << 63]),
    "f64": (f64, [0.0, -0.0, 1.5, math.inf, 7]),
    "bool": (bool, [True, False, 2]),
    "Max": (Max(11), [b"", b"a", b"x" * 11]),
    "Size": (Size(3), [b"abc", b"\0\0\0"]),
}


def stored(name: str, value: Any) -> Any:
    """What a row of this type holds after `value` was written to it."""
    if name == "f64":
        return float(value)
    if name == "bool":
        return bool(value)
    if isinstance(value, bytes):
        return value
    bits = int(name[1:])
    value &= (1 << bits) - 1
    return value - (1 << bits) if name[0] == "i" and value >> (bits - 1) else value


def plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_an_array_is_a_list(name: str, data: st.DataObject) -> None:
    kind, values = TYPES[name]
    state = State(Array(kind, capacity=CAPACITY))
    (array,) = state.bound()
    state.begin()
    model = [plain(array[row]) for row in range(CAPACITY)]
    steps = st.lists(st.tuples(st.integers(0, CAPACITY - 1), st.sampled_from(values)), max_size=12)
    for _ in range(3):
        fails, before = data.draw(st.booleans()), state.content()
        state.begin()
        changed = list(model)
        for row, value in data.draw(steps):
            array[row] = value
            changed[row] = stored(name, value)
        if fails:
            state.undo()
            assert state.content() == before
        else:
            model = changed
    state.begin()
    assert [plain(array[row]) for row in range(CAPACITY)] == model
    state.begin()
    assert array.values() == model


def test_the_fields_of_a_table_keep_apart() -> None:
    kinds = {f"field_{name}": kind for name, (kind, _) in TYPES.items()}
    state = State(Table(capacity=CAPACITY, **kinds))
    (table,) = state.bound()
    expected: dict[tuple[str, int], Any] = {}
    for number, name in enumerate(list(TYPES) * 2):
        for row in (0, 1, 63, 64, 65, CAPACITY - 1):
            value = TYPES[name][1][(number + row) % len(TYPES[name][1])]
            state.begin()
            getattr(table, f"field_{name}")[row] = value
            expected[name, row] = stored(name, value)
    state.begin()
    assert {(name, row): plain(getattr(table, f"field_{name}")[row]) for name, row in expected} == expected
    for name in TYPES:
        values = getattr(table, f"field_{name}").values()
        assert len(values) == CAPACITY
        assert {(name, row): values[row] for other, row in expected if other == name}.items() <= expected.items()


@pytest.mark.parametrize(
    "row", [-1, CAPACITY, 1 << 62, 1 << 63, (1 << 64) - 1, 1 << 70, np.uint64(1 << 63), np.int64(-1)]
)
def test_a_row_outside_the_capacity_is_an_error(row: Any) -> None:
    state = State(Array(u32, capacity=CAPACITY))
    (array,) = state.bound()
    before = state.content()
    state.begin()
    with pytest.raises(IndexError, match="row out of range"):
        array[row]
    with pytest.raises(IndexError, match="row out of range"):
        array[row] = 1
    assert state.content() == before


@compiled
def address_of_row(index: int, capacity: int, row_bytes: int, group_bytes: int, bits: int) -> int:
    return rows.row_address(0, index, capacity, row_bytes, group_bytes, bits)


@pytest.mark.parametrize(
    ("capacity", "bits"), [(1, 0), (63, 0), (64, 0), (65, 0), (1000, 0), (8, 3), (520, 3), (512, 8)]
)
@pytest.mark.parametrize("row_bytes", [1, 2, 4, 8, 24, 4096])
def test_rows_keep_apart_and_a_group_has_its_own_pages(capacity: int, bits: int, row_bytes: int) -> None:
    group_bytes = rows.group_bytes(capacity, row_bytes, bits)
    places = [address_of_row(row, capacity, row_bytes, group_bytes, bits) for row in range(capacity)]
    assert len(set(places)) == capacity
    assert all(place % row_bytes == 0 or row_bytes % 8 == 0 for place in places)
    ends = sorted((place, place + row_bytes) for place in places)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ends))
    assert ends[-1][1] <= 64 * group_bytes
    pages: dict[int, int] = {}
    for row, place in enumerate(places):
        for page in range(place // PAGE_BYTES, (place + row_bytes - 1) // PAGE_BYTES + 1):
            assert pages.setdefault(page, group_of(row >> bits)) == group_of(row >> bits)
    # The rows of a block follow each other.
    assert all(places[row] - places[row & -1 << bits] == (row & (1 << bits) - 1) * row_bytes for row in range(capacity))


@pytest.mark.parametrize("container", [Array(u32, capacity=1024, block=256), Table(capacity=1024, block=256, only=u32)])
def test_rows_in_blocks_are_the_same_list(container: Any) -> None:
    state = State(container)
    (bound,) = state.bound()
    column = bound if isinstance(container, Array) else bound.only
    state.begin()
    expected = [0] * 1024
    for row in (0, 1, 255, 256, 511, 767, 768, 1023):
        column[row] = expected[row] = row + 7
    assert [plain(column[row]) for row in range(1024)] == column.values() == expected
    assert column.written() == {row: value for row, value in enumerate(expected) if value}
    for row in (-1, 1024):
        with pytest.raises(IndexError, match="row out of range"):
            column[row] = 1
    state.undo()
    assert state.content() == b""


def test_a_block_that_is_not_declared_says_nothing_in_the_specification() -> None:
    assert Array(u8, capacity=64).specification() == Array(u8, capacity=64, block=1).specification()
    assert Array(u8, capacity=64, block=4).specification() == "Array(u8, capacity=64, block=4)"
    assert Table(capacity=64, block=4, row=u8).specification() == "Table(capacity=64, block=4, row=u8)"


@pytest.mark.parametrize("block", [0, -4, 3, 12, True, 2.0, "4"])
def test_a_block_is_a_power_of_two(block: Any) -> None:
    with pytest.raises(TypeError, match="block of 1, 2, 4, 8"):
        Array(u8, capacity=1200, block=block)


def test_a_capacity_is_of_whole_blocks() -> None:
    with pytest.raises(TypeError, match="declare 1008"):
        Table(capacity=1000, block=16, row=u8)


def test_every_nan_is_one() -> None:
    state, other = State(Array(f64, capacity=9)), State(Array(f64, capacity=9))
    (array,), (same,) = state.bound(), other.bound()
    state.begin()
    other.begin()
    array[3] = struct.unpack("<d", struct.pack("<Q", 0xFFF8_0000_0000_0001))[0]
    same[3] = math.nan
    assert math.isnan(array[3])
    assert state.content() == other.content()


def test_what_was_only_read_or_set_to_zero_is_no_content() -> None:
    state, other = State(Array(u64, capacity=100_000)), State(Array(u64, capacity=100_000))
    (array,), (same,) = state.bound(), other.bound()
    state.begin()
    other.begin()
    for row in range(0, 100_000, 999):
        array[row] = 1
        array[row] = 0
    assert [plain(same[row]) for row in range(0, 100_000, 777)] == [0] * 129
    assert state.content() == other.content() == b""


def test_a_region_gives_its_descriptor_back() -> None:
    state = State(Array(u8, capacity=1))
    finalizer = state.region._closing
    assert finalizer.alive
    del state
    assert not finalizer.alive
