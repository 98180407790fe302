"""The reply to a batch: what is encoded parses back, and nothing else parses."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmr.core.reply import BatchStatus, MalformedReply, encode_reply, parse_reply

U64 = st.integers(0, 2**64 - 1)


@given(U64, U64, st.sampled_from(BatchStatus), st.integers(0, 5), st.integers(0, 9), st.binary(max_size=9), st.data())
def test_what_is_encoded_parses_back(
    session: int, sequence: int, status: BatchStatus, words: int, count: int, blob: bytes, data: st.DataObject
) -> None:
    records = data.draw(st.binary(min_size=8 * words * count, max_size=8 * words * count))
    content = encode_reply(session, sequence, status, 8 * words, records, count, blob, detail=5)
    reply = parse_reply(content)
    assert (reply.session, reply.sequence, reply.status, reply.stride) == (session, sequence, status, 8 * words)
    assert (reply.count, bytes(reply.records), bytes(reply.blob), reply.detail) == (count, records, blob, 5)
    assert bytes(reply.raw) == content
    with pytest.raises(MalformedReply):
        parse_reply(content[:-1])
    with pytest.raises(MalformedReply):
        parse_reply(content + b"\0")


def test_the_layout_is_the_one_written_down() -> None:
    content = encode_reply(1, 2, BatchStatus.MALFORMED, 8, bytes(8), 1, b"why", 4)
    assert struct.unpack_from("<QQHHIII", content) == (1, 2, 5, 8, 1, 3, 4)
    assert content[32:] == bytes(8) + b"why"
    assert parse_reply(content).text() == "why"


def test_a_status_nobody_knows_is_malformed() -> None:
    with pytest.raises(MalformedReply, match="status below 9, found 9"):
        parse_reply(struct.pack("<QQHHIII", 1, 2, 9, 0, 0, 0, 0))


def test_records_must_be_as_many_as_said() -> None:
    with pytest.raises(MalformedReply, match="2 records of 8 bytes, found 8 bytes"):
        encode_reply(1, 2, BatchStatus.EXECUTED, 8, bytes(8), 2)
