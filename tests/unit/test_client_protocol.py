"""What clients and replicas say to each other: both ways there and back, and garbage is one error."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psmr.core.batch import KIND_COMMANDS, encode
from psmr.core.reply import BatchStatus, encode_reply
from psmr.transport import client_protocol as protocol
from psmr.transport.client_protocol import MalformedMessage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
BATCH = encode(KIND_COMMANDS, 1, 2, 3, 2, 8, bytes(8), 1, b"blob")
REPLY = encode_reply(2, 3, BatchStatus.EXECUTED, 8, bytes(8), 1, b"blob")
CONTROL_REQUESTS = [protocol.encode_hello("Accounts", 2**64 - 1), protocol.encode_ask_status(True)]
CONTROL_RESPONSES = [
    protocol.encode_welcome("bank", 0, 1, [(0, "tcp://a:1"), (1, "tcp://b:2")]),
    protocol.encode_mismatch("expected 1, found 2"),
    protocol.encode_status({"index": 3, "workers": [1.5, None]}),
    protocol.encode_error("what?"),
]


def test_requests_arrive_as_they_were_sent() -> None:
    hello, ask = (protocol.decode_request(frames) for frames in CONTROL_REQUESTS)
    assert hello == protocol.Hello(protocol.PROTOCOL_VERSION, "Accounts", 2**64 - 1)
    assert ask == protocol.AskStatus(True)
    assert protocol.decode_request(protocol.encode_submit(BATCH)) == protocol.Submit(BATCH)


def test_responses_arrive_as_they_were_sent() -> None:
    welcome, mismatch, status, error = (protocol.decode_response(frames) for frames in CONTROL_RESPONSES)
    assert isinstance(welcome, protocol.Welcome)
    assert (welcome.cluster, welcome.replica, welcome.leader) == ("bank", 0, 1)
    assert welcome.address_of_leader() == "tcp://b:2"
    assert mismatch == protocol.Mismatch("expected 1, found 2")
    assert status == protocol.StatusIs({"index": 3, "workers": [1.5, None]})
    assert error == protocol.ErrorText("what?")
    answer = protocol.decode_response(protocol.encode_reply_message(REPLY))
    assert isinstance(answer, protocol.Answer)
    assert bytes(answer.reply.raw) == REPLY


@pytest.mark.parametrize("leader", [None, 7])
def test_a_leader_that_is_unknown_has_no_address(leader: int | None) -> None:
    welcome = protocol.decode_response(protocol.encode_welcome("bank", 0, leader, [(0, "tcp://a:1")]))
    assert isinstance(welcome, protocol.Welcome)
    assert welcome.address_of_leader() is None


def test_data_travels_without_a_copy() -> None:
    assert protocol.encode_submit(BATCH)[0] is BATCH
    assert protocol.encode_reply_message(REPLY)[0] is REPLY


@given(st.dictionaries(st.text(), JSON))
def test_a_status_is_any_json_document(status: dict[str, Any]) -> None:
    decoded = protocol.decode_response(protocol.encode_status(status))
    assert isinstance(decoded, protocol.StatusIs)
    assert json.dumps(decoded.status) == json.dumps(status)


@pytest.mark.parametrize("decode", [protocol.decode_request, protocol.decode_response])
@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b""],
        [b"", b""],
        [b"\x07", b"\x90"],
        [b"\x01\x00", b"\x90"],
        [b"\x01", b""],
        [b"\x01", b"\x90"],
        [b"\x01", b"\x93\x01\x01\x01"],
        [b"\x01", CONTROL_REQUESTS[0][1] + b"\x00"],
        [b"\x01", b"\x90", b""],
        [BATCH[:63]],
        [REPLY[:31]],
        [b"\x03", b"\x91\x81\xa1a\xd6\xff\xff\xff\xff\xff\xff"],
        [b"\x03", b"\x91\x81\xa1a\x81\x80\x01"],
        [b"\x03", b"\x91\x81\xa1a" + b"\x91" * 100_000 + b"\x01"],
    ],
)
def test_each_kind_of_garbage_is_named(decode: Callable[[list[bytes]], object], frames: list[bytes]) -> None:
    with pytest.raises(MalformedMessage, match=r"expected|found"):
        decode(frames)


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=100), max_size=4))
def test_garbage_raises_one_error_only(frames: list[bytes]) -> None:
    for decode in (protocol.decode_request, protocol.decode_response):
        try:
            decode(frames)
        except MalformedMessage:
            continue


@settings(max_examples=300)
@given(st.sampled_from([*CONTROL_REQUESTS, *CONTROL_RESPONSES, [BATCH], [REPLY]]), st.data())
def test_damaged_messages_raise_one_error_only(frames: list[bytes], data: st.DataObject) -> None:
    damaged = [bytearray(frame) for frame in frames]
    for _ in range(data.draw(st.integers(1, 4))):
        frame = data.draw(st.sampled_from(damaged))
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    for decode in (protocol.decode_request, protocol.decode_response):
        try:
            decode([bytes(frame) for frame in damaged])
        except MalformedMessage:
            continue


@given(st.binary(max_size=60), st.integers(1, 4))
def test_control_bodies_that_are_garbage_raise_one_error_only(body: bytes, kind: int) -> None:
    for decode in (protocol.decode_request, protocol.decode_response):
        try:
            decode([bytes([kind]), body])
        except MalformedMessage:
            continue


@pytest.mark.parametrize(
    "value",
    [msgspec.msgpack.Ext(5, b"x"), b"bytes", [1, {"a": b"bytes"}], datetime(2020, 1, 1, tzinfo=UTC), {"a": {7: 8}}],
    ids=["extension", "bytes", "nested bytes", "time", "a key that is a number"],
)
def test_a_status_has_no_types_that_json_lacks(value: object) -> None:
    with pytest.raises(protocol.MalformedMessage, match="expected a status of JSON's types"):
        protocol.decode_response([b"\x03", msgspec.msgpack.encode([{"role": value}])])
