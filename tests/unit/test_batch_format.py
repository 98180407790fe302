"""The batch on the wire: what is encoded parses back, and nothing else parses."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from psmr.core import batch
from psmr.core.batch import Batch, MalformedBatch
from psmr.errors import InvalidCall

U64 = st.integers(0, 2**64 - 1)


@st.composite
def encoded(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """A batch of commands and what it was made of."""
    stride = 8 * draw(st.integers(1, 6))
    count = draw(st.integers(1, 20))
    answered = draw(st.integers(0, 2**64 - 2))
    fields: dict[str, Any] = {
        "kind": batch.KIND_COMMANDS,
        "fingerprint": draw(U64),
        "session": draw(U64),
        "sequence": draw(st.integers(answered + 1, 2**64 - 1)),
        "answered": answered,
        "stride": stride,
        "records": draw(st.binary(min_size=count * stride, max_size=count * stride)),
        "count": count,
        "blob": draw(st.binary(max_size=40)),
    }
    return batch.encode(**fields), fields


def small(blob: bytes = b"12345") -> bytes:
    return batch.encode(batch.KIND_COMMANDS, 7, 65_536, 3, 2, 8, bytes(range(16)), 2, blob)


def patched(content: bytes, offset: int, form: str, value: int, *, seal: bool = True) -> bytes:
    """`content` with one header field changed, and the checksum made to fit again."""
    changed = bytearray(content)
    struct.pack_into(form, changed, offset, value)
    if seal:
        payload_bytes = 2 * 8 + 5
        checksum = xxhash.xxh3_64_intdigest(
            changed[64 : 64 + payload_bytes], xxhash.xxh3_64_intdigest(bytes(changed[:56]))
        )
        struct.pack_into("<Q", changed, 56, checksum)
    return bytes(changed)


@given(encoded())
def test_what_is_encoded_parses_back(case: tuple[bytes, dict[str, Any]]) -> None:
    content, fields = case
    parsed = batch.parse_whole(content)
    for name in ("kind", "fingerprint", "session", "sequence", "answered", "stride", "count"):
        assert getattr(parsed, name) == fields[name]
    assert (bytes(parsed.records), bytes(parsed.blob)) == (fields["records"], fields["blob"])
    assert bytes(parsed.raw) == content
    assert parsed.size_bytes == len(content)
    assert len(content) % 8 == 0


def test_the_layout_is_the_one_written_down() -> None:
    content = small()
    head = struct.unpack_from("<IBBHQQQQIIQ", content)
    assert head == (0x424D5350, 1, 0, 8, 7, 65_536, 3, 2, 2, 5, 0)
    assert content[:4] == b"PSMB"
    assert content[64:] == bytes(range(16)) + b"12345" + bytes(3)


@given(st.lists(encoded(), max_size=4))
def test_an_entry_is_its_batches_one_after_another(cases: list[tuple[bytes, dict[str, Any]]]) -> None:
    payload = b"".join(content for content, _ in cases)
    assert [bytes(parsed.raw) for parsed in batch.split(payload)] == [content for content, _ in cases]


@settings(max_examples=300)
@given(encoded(), st.data())
def test_every_changed_bit_shows(case: tuple[bytes, dict[str, Any]], data: st.DataObject) -> None:
    changed = bytearray(case[0])
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(MalformedBatch):
        batch.parse_whole(changed)


@given(encoded(), st.data())
def test_every_truncation_and_extension_shows(case: tuple[bytes, dict[str, Any]], data: st.DataObject) -> None:
    content = case[0]
    with pytest.raises(MalformedBatch):
        batch.parse(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(MalformedBatch):
        batch.parse_whole(content + bytes(data.draw(st.integers(1, 80))))
    with pytest.raises(MalformedBatch):
        batch.split(content + b"\0")


@given(st.binary(max_size=200))
def test_garbage_is_malformed_and_nothing_worse(garbage: bytes) -> None:
    with pytest.raises(MalformedBatch):
        batch.parse(garbage)


@pytest.mark.parametrize(
    ("offset", "form", "value", "expected"),
    [
        (0, "<I", 0x424D5351, "magic 0x424d5350"),
        (4, "<B", 2, "version 1"),
        (5, "<B", 3, "kind 0"),
        (6, "<H", 12, "multiple of 8"),
        (6, "<H", 0, "records of at least 8 bytes"),
        (24, "<Q", 2, "above what was answered"),
        (24, "<Q", 0, "above what was answered"),
        (40, "<I", 0, "1 to 1048576 records"),
        (40, "<I", 2**20 + 1, "1 to 1048576 records"),
        (44, "<I", 2**32 - 1, "at most 16777216 bytes"),
        (44, "<I", 6, "checksum"),
        (44, "<I", 100, r"184 bytes, found 88 bytes \(truncated\)"),
        (48, "<Q", 1, "reserved field 0"),
    ],
)
def test_a_bad_field_is_named_even_under_a_good_checksum(offset: int, form: str, value: int, expected: str) -> None:
    with pytest.raises(MalformedBatch, match=expected) as caught:
        batch.parse(patched(small(), offset, form, value))
    assert caught.value.expected
    assert caught.value.found


def test_padding_must_be_zero() -> None:
    changed = bytearray(small())
    changed[-1] = 1
    with pytest.raises(MalformedBatch, match="padding of zeros, found 000001"):
        batch.parse(changed)


def test_the_offset_of_what_is_wrong_is_told() -> None:
    with pytest.raises(MalformedBatch, match="batch at byte 88") as caught:
        batch.split(small() + bytes(64))
    assert caught.value.offset == 88


def test_an_open_has_nothing_in_it() -> None:
    opened = batch.parse_whole(batch.encode_open(7, 2**64 - 1))
    assert (opened.kind, opened.fingerprint, opened.session, opened.count) == (batch.KIND_OPEN, 7, 2**64 - 1, 0)
    with pytest.raises(InvalidCall, match="an open with nothing in it"):
        batch.encode(batch.KIND_OPEN, 7, 1, 1, 0, 8, bytes(8), 1, b"")


def test_arrays_are_taken_as_they_are() -> None:
    records = np.zeros(3, dtype=np.dtype([("op", "<u2"), ("key", "<u8")], align=True))
    records["key"] = [1, 2, 3]
    blob = np.arange(10, dtype=np.uint8)
    content = batch.encode(batch.KIND_COMMANDS, 7, 1, 1, 0, 16, records, 3, blob)
    parsed = batch.parse_whole(np.frombuffer(content, dtype=np.uint8))
    assert np.frombuffer(parsed.records, dtype=records.dtype).tolist() == records.tolist()
    assert bytes(parsed.blob) == bytes(range(10))
    with pytest.raises(InvalidCall, match="contiguous"):
        batch.encode(batch.KIND_COMMANDS, 7, 1, 1, 0, 16, records[::2], 2, b"")


@pytest.mark.parametrize(
    ("records", "count", "blob", "expected"),
    [
        (bytes(8), 2, b"", "2 records of 8 bytes = 16, found 8"),
        (b"", 0, b"", "1 to 1048576 records"),
        (bytes(8), 1, bytes(16 << 20), "at most 16777216 bytes"),
    ],
)
def test_what_would_not_parse_is_not_encoded(records: bytes, count: int, blob: bytes, expected: str) -> None:
    with pytest.raises(InvalidCall, match=expected):
        batch.encode(batch.KIND_COMMANDS, 7, 1, 1, 0, 8, records, count, blob)
    with pytest.raises(InvalidCall, match=expected):
        batch.check_parts(8, len(records), count, len(blob), batch.BATCH_BYTES_MAX)


def test_the_largest_batch_is_taken_and_one_byte_more_is_not() -> None:
    blob = bytes(batch.BATCH_BYTES_MAX - batch.HEADER_BYTES - 8)
    content = batch.encode(batch.KIND_COMMANDS, 7, 1, 1, 0, 8, bytes(8), 1, blob)
    assert isinstance(batch.parse_whole(content), Batch)
    assert len(content) == batch.BATCH_BYTES_MAX
    with pytest.raises(InvalidCall):
        batch.check_parts(8, 8, 1, len(blob) + 1, batch.BATCH_BYTES_MAX)
