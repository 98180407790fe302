"""Packed records and changes: there and back, and refused when they are not what they should be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.nameserver.packing import (
    ADD,
    REMOVE,
    Change,
    MalformedPackingError,
    Record,
    pack_changes,
    pack_page,
    pack_records,
    pack_section,
    pack_updates,
    unpack_changes,
    unpack_page,
    unpack_records,
)

KINDS = st.integers(0, 65535)
TTLS = st.integers(0, (1 << 32) - 1)
DATA = st.binary(max_size=40)
NAMES = st.binary(max_size=20)
RECORDS = st.lists(st.builds(Record, KINDS, TTLS, DATA), max_size=5)
CHANGES = st.lists(st.builds(Change, st.sampled_from([ADD, REMOVE]), KINDS, TTLS, DATA), max_size=5)
SECTIONS = st.lists(st.tuples(NAMES, CHANGES), max_size=5)


@settings(max_examples=50, deadline=None)
@given(records=RECORDS, sections=SECTIONS, names=st.lists(NAMES, max_size=5))
def test_what_is_packed_is_unpacked(
    records: list[Record], sections: list[tuple[bytes, list[Change]]], names: list[bytes]
) -> None:
    assert unpack_records(pack_records(records)) == records
    assert list(unpack_changes(pack_changes(sections))) == sections
    assert unpack_page(pack_page(names)) == names


@settings(max_examples=50, deadline=None)
@given(sections=SECTIONS, cut=st.integers(1, 200))
def test_what_is_cut_short_is_refused_or_the_sections_before(
    sections: list[tuple[bytes, list[Change]]], cut: int
) -> None:
    packed = pack_changes(sections)[:-cut]
    try:
        found = list(unpack_changes(packed))
    except MalformedPackingError:
        return
    assert pack_changes(found) == packed
    assert found == sections[: len(found)]


def test_the_layout_is_the_one_that_is_documented() -> None:
    assert pack_records([Record(1, 0x01020304, b"abcd")]).hex() == "010004030201040061626364"
    section = pack_section(b"a.", [Change(REMOVE, 2, 0, b"x")])
    assert section.hex() == "02612e010000020000000000010078"


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (b"\x01\x00\x00", "expected 8 bytes at byte 0, found 3"),
        (pack_records([Record(1, 2, b"abc")])[:-1], "expected 3 bytes at byte 8, found 2"),
    ],
)
def test_malformed_records_are_refused(packed: bytes, message: str) -> None:
    with pytest.raises(MalformedPackingError, match=message):
        unpack_records(packed)


def test_an_unknown_action_is_refused() -> None:
    packed = bytearray(pack_section(b"a.", [Change(ADD, 1, 0, b"")]))
    packed[5] = 2
    with pytest.raises(MalformedPackingError, match="expected action 0"):
        list(unpack_changes(bytes(packed)))


@settings(max_examples=50, deadline=None)
@given(sections=SECTIONS, limit_bytes=st.integers(260, 600))
def test_updates_keep_to_the_limit_and_to_the_order(
    sections: list[tuple[bytes, list[Change]]], limit_bytes: int
) -> None:
    updates = pack_updates(sections, limit_bytes)
    assert b"".join(updates) == pack_changes(sections)
    assert all(0 < len(update) <= limit_bytes for update in updates)
    assert all(list(unpack_changes(update)) for update in updates)


def test_one_name_with_too_many_changes_is_refused() -> None:
    with pytest.raises(MalformedPackingError, match=r"b'a\.': its changes take 114 bytes, an update at most 100"):
        pack_updates([(b"a.", [Change(ADD, 1, 0, bytes(100))])], 100)
