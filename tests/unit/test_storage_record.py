from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmr.errors import InvalidCall, LogDamaged
from psmr.storage import decode, decode_all, encode, record

U64 = st.integers(0, 2**64 - 1)


@given(U64, U64, st.integers(-(2**63), 2**63 - 1), st.binary(max_size=100))
def test_decoding_gives_back_what_was_encoded(index: int, term: int, time_us: int, payload: bytes) -> None:
    raw = encode(index, term, time_us, payload)
    found = decode(raw)
    assert (found.index, found.term, found.time_us, bytes(found.payload)) == (index, term, time_us, payload)
    assert found.raw is raw
    assert len(raw) % 8 == 0
    assert len(raw) == record.padded_bytes(len(payload))


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_parts_are_encoded_as_their_concatenation(parts: list[bytes]) -> None:
    assert encode(3, 2, 1, *parts) == encode(3, 2, 1, b"".join(parts))


def test_the_bytes_are_the_documented_ones() -> None:
    raw = encode(7, 3, -1, b"abc")
    assert raw[:4] == b"PSMR"
    assert raw[4:8] == (3).to_bytes(4, "little")
    assert raw[8:32] == (7).to_bytes(8, "little") + (3).to_bytes(8, "little") + b"\xff" * 8
    assert raw[40:] == b"abc\0\0\0\0\0"
    assert raw[32:40].hex() == "2d0aa0e16ce78d2a"


def test_every_flipped_bit_is_found() -> None:
    raw = encode(7, 3, 5, b"0123456789")
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(LogDamaged, match="expected"):
            decode(flipped)


def test_every_cut_is_found() -> None:
    raw = encode(7, 3, 5, b"0123456789")
    for length in range(len(raw)):
        with pytest.raises(LogDamaged, match="expected"):
            decode(raw[:length])


def test_a_payload_does_not_verify_under_another_header() -> None:
    one, other = encode(1, 1, 1, b"same"), encode(2, 1, 1, b"same")
    with pytest.raises(LogDamaged, match="checksum"):
        decode(other[:32] + one[32:])


def test_decode_all_splits_without_copying() -> None:
    raw = b"".join(encode(index, 1, 0, bytes(index)) for index in range(1, 9))
    found = decode_all(raw)
    assert [each.index for each in found] == list(range(1, 9))
    assert b"".join(each.raw for each in found) == raw
    assert all(each.payload.obj is raw for each in found)


def test_decode_all_refuses_a_cut_stream() -> None:
    raw = encode(1, 1, 0, b"one") + encode(2, 1, 0, b"two")
    with pytest.raises(LogDamaged, match="byte 48"):
        decode_all(raw[:-8])


def test_a_payload_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_PAYLOAD_BYTES", 8)
    with pytest.raises(InvalidCall, match="may have 8 bytes, found 9"):
        encode(1, 1, 1, bytes(9))
