"""ZeroMQ's wire protocol: the same messages wherever the stream is cut, and nothing else taken for one."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmr.transport import zmtp
from psmr.transport.framing import FRAMES_MAX, MalformedStream
from psmr.transport.send_queue import BUFFERS_MAX, SendQueue
from psmr.transport.zmtp import COMMAND_BYTES_MAX, GREETING, JOINED_BYTES_MAX, ZmtpReader

BYTES_MAX = 100_000
HANDSHAKE = zmtp.encode_handshake(zmtp.DEALER)
FRAMES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([255, 256, JOINED_BYTES_MAX, JOINED_BYTES_MAX + 1]).map(lambda size: b"x" * size),
)
MESSAGES = st.lists(st.lists(FRAMES, min_size=1, max_size=5), max_size=6)
SIZES = st.lists(st.one_of(st.integers(1, 60), st.integers(1_000, 9_000)), min_size=1, max_size=30)


def reader() -> ZmtpReader:
    return ZmtpReader(zmtp.SERVED, BYTES_MAX)


def fed(sent: bytes, sizes: list[int], taker: ZmtpReader | None = None) -> list[list[bytes]]:
    """The messages of a stream that arrives in pieces of these sizes."""
    taker = taker or reader()
    left, found, turn = memoryview(sent), list[list[bytes]](), 0
    while left:
        size = sizes[turn % len(sizes)]
        found += taker.feed(left[:size])
        left, turn = left[size:], turn + 1
    return found


def stream(messages: list[list[bytes]], between: bytes = b"") -> bytes:
    return HANDSHAKE + b"".join(between + b"".join(zmtp.encode_message(frames)) for frames in messages)


def property_of(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def ready(*properties: tuple[bytes, bytes]) -> bytes:
    return GREETING + zmtp.encode_command(b"READY", b"".join(property_of(*each) for each in properties))


@given(MESSAGES, SIZES)
def test_messages_arrive_whole_wherever_the_stream_is_cut(messages: list[list[bytes]], sizes: list[int]) -> None:
    assert fed(stream(messages), sizes) == messages


@given(MESSAGES, SIZES)
def test_commands_between_messages_are_answered_or_ignored(messages: list[list[bytes]], sizes: list[int]) -> None:
    taker = reader()
    between = zmtp.encode_command(b"PING", b"\0\x0acontext") + zmtp.encode_command(b"WHAT", b"ever")
    assert fed(stream(messages, between), sizes, taker) == messages
    assert taker.answers == [zmtp.encode_command(b"PONG", b"context")] * len(messages)


def test_a_command_may_come_between_the_frames_of_a_message() -> None:
    sent = HANDSHAKE + b"\1\1a" + zmtp.encode_command(b"PING", b"\0\0") + b"\0\1b"
    assert fed(sent, [1]) == [[b"a", b"b"]]


def test_long_sizes_of_short_frames_are_understood() -> None:
    assert fed(HANDSHAKE + b"\2" + struct.pack(">Q", 3) + b"abc", [5]) == [[b"abc"]]


def test_an_identity_is_told() -> None:
    taker = reader()
    assert not reader().is_ready
    fed(ready((b"socket-TYPE", b"DEALER"), (b"IDENTITY", b"me"), (b"X-other", bytes(300))), [7], taker)
    assert taker.is_ready
    assert taker.identity == b"me"


@given(st.binary(max_size=200), SIZES, st.booleans())
def test_noise_means_the_same_at_once_and_in_pieces(noise: bytes, sizes: list[int], is_ready: bool) -> None:
    sent = HANDSHAKE + noise if is_ready else noise
    outcomes: list[object] = []
    for pieces in (sizes, [1 << 20]):
        try:
            outcomes.append(fed(sent, pieces))
        except MalformedStream:
            outcomes.append(MalformedStream)
    assert outcomes[0] == outcomes[1]


READY = (b"Socket-Type", b"DEALER")
WRONG = {
    "a browser": b"GET / HTTP/1.1\r\n",
    "one wrong byte": b"\xfe",
    "an unsigned greeting": b"\xff" + bytes(9),
    "ZMTP 2": GREETING[:10] + b"\x01",
    "another mechanism": GREETING.replace(b"NULL", b"CURV"),
    "a message before READY": GREETING + b"\0\1x",
    "another command before READY": GREETING + zmtp.encode_command(b"PING", b"\0\0"),
    "an error": GREETING + zmtp.encode_command(b"ERROR", b"\4busy"),
    "READY twice": HANDSHAKE + ready(READY)[len(GREETING) :],
    "another kind of socket": ready((b"Socket-Type", b"SUB")),
    "no kind of socket": ready(),
    "a property cut short": GREETING + zmtp.encode_command(b"READY", b"\x0bSocket"),
    "a value cut short": GREETING + zmtp.encode_command(b"READY", b"\1x\0\0\0\5ab"),
    "an identity for others": ready(READY, (b"Identity", b"\0x")),
    "a long identity": ready(READY, (b"Identity", b"x" * 256)),
    "an empty command": HANDSHAKE + b"\4\0",
    "a command without a name": HANDSHAKE + b"\4\1\0",
    "a command cut short": HANDSHAKE + b"\4\3\5ab",
    "a command of several frames": HANDSHAKE + b"\5\4\3abc",
    "a long command": HANDSHAKE + b"\6" + struct.pack(">Q", COMMAND_BYTES_MAX + 1),
    "a ping without time": HANDSHAKE + zmtp.encode_command(b"PING", b"\0"),
    "a ping with a long context": HANDSHAKE + zmtp.encode_command(b"PING", bytes(2 + 17)),
    "reserved flags": HANDSHAKE + b"\xf8\4PSMB",
    "a frame above the limit": HANDSHAKE + b"\2" + struct.pack(">Q", BYTES_MAX + 1),
    "a frame that never ends": HANDSHAKE + b"\2" + struct.pack(">Q", (1 << 64) - 1),
    "a message above the limit": HANDSHAKE + (b"\3" + struct.pack(">Q", 60_000) + bytes(60_000)) * 2,
    "frames without end": HANDSHAKE + b"\1\0" * FRAMES_MAX,
}


@pytest.mark.parametrize("sent", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_stream_is_refused_before_it_is_kept(sent: bytes) -> None:
    for size in (1 << 20, 9_973, 3):
        with pytest.raises(MalformedStream, match=r"expected.*found"):
            fed(sent, [size])


def test_long_frames_are_not_copied() -> None:
    long = bytes(JOINED_BYTES_MAX + 1)
    assert any(buffer is long for buffer in zmtp.encode_message([long]))
    assert any(buffer is long for buffer in zmtp.encode_message([b"a", long, b"b"]))
    assert len(zmtp.encode_message([b"a"] * 1_000)) == 1


@given(
    st.lists(st.lists(st.binary(max_size=9), min_size=1, max_size=4), max_size=12),
    st.lists(st.integers(0, 30), min_size=1, max_size=60),
)
def test_a_queue_gives_what_it_was_given(messages: list[list[bytes]], takes: list[int]) -> None:
    """Whatever a socket takes of it at a time; after a loss the message that was begun comes again, whole."""
    queue, taken, left = SendQueue(), b"", [b"".join(each) for each in messages]
    for each in messages:
        queue.add(each)
    for take in takes:
        assert queue.size_bytes == sum(map(len, left)) - len(taken)
        offered = b"".join(queue.next())[:take]
        queue.forget(len(offered))
        taken += offered
        while left and len(left[0]) <= len(taken):
            assert taken.startswith(left[0])
            taken = taken[len(left.pop(0)) :]
        assert len(queue) == len(left)
    queue.rewind()
    assert b"".join(queue.next()) == b"".join(left)


def test_a_queue_gives_no_more_buffers_than_the_kernel_takes() -> None:
    queue = SendQueue()
    queue.add([b"x"] * 3 * BUFFERS_MAX, sent=1)
    assert len(queue.next()) == BUFFERS_MAX
    queue.clear()
    assert not queue.next()
