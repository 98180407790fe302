"""Streams of bytes on connections: what readers make of them, all at once and in pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from psmr.fuzzing.target import Target
from psmr.transport import client_protocol as protocol
from psmr.transport import zmtp
from psmr.transport.framing import PREAMBLE, FrameReader, MalformedStream, encode_head

_PIECES = (1, 7, 64, 3, 4096)
_BYTES_MAX = 1 << 15
"""So small a limit that mutants come to it."""
_MESSAGES = (
    [b"PSMB" + bytes(60)],
    protocol.encode_hello("KV", 0xFEED),
    protocol.encode_ask_status(False),
    [b"", b"x" * 300, b""],
    [b"y" * 5_000],
)
Messages = list[list[bytes]]


class Reader(Protocol):
    """Takes the bytes of a stream in, and gives messages."""

    def feed(self, data: memoryview) -> Messages:
        """The messages that these bytes complete."""


def clients() -> Target:
    """What arrives on a client's connection, from the greeting on."""
    handshake = zmtp.encode_handshake(zmtp.DEALER)
    ping = zmtp.encode_command(b"PING", b"\0\x0acontext")
    corpus = (
        handshake + _joined(_MESSAGES[:1]),
        handshake + _joined(_MESSAGES),
        handshake + ping + _joined(_MESSAGES[1:3]) + zmtp.encode_command(b"WHAT", b"ever"),
        zmtp.encode_handshake(zmtp.ROUTER) + b"\1\1a" + ping + b"\2" + (3).to_bytes(8, "big") + b"abc",
    )
    tokens = (handshake, ping, b"\4\5\4PONG", b"\1\0", b"\0\0", b"\2", b"\3" + bytes(7) + b"\1", b"\6", b"\x08Identity")
    make = _client_reader
    return Target("clients", corpus, _reading(make), (MalformedStream,), _wrong(make, _again_clients), tokens=tokens)


def links() -> Target:
    """What arrives on a peer's connection, from the preamble on."""
    corpus = (
        PREAMBLE + _framed(_MESSAGES[:1]),
        PREAMBLE + _framed(_MESSAGES),
        PREAMBLE + _framed([[b"a"] * 100, [b""] * 3]),
    )
    tokens = (PREAMBLE, (1).to_bytes(4, "little"), (2).to_bytes(4, "little"), bytes(4), b"\xff" * 4)
    return Target(
        "links", corpus, _reading(FrameReader), (MalformedStream,), _wrong(FrameReader, _again_links), tokens=tokens
    )


def _client_reader() -> zmtp.ZmtpReader:
    return zmtp.ZmtpReader(zmtp.SERVED, _BYTES_MAX)


def _joined(messages: Sequence[Sequence[bytes]]) -> bytes:
    return b"".join(b"".join(zmtp.encode_message(frames)) for frames in messages)


def _framed(messages: Sequence[Sequence[bytes]]) -> bytes:
    return b"".join(encode_head(frames) + b"".join(frames) for frames in messages)


def _again_clients(messages: Messages) -> bytes:
    return zmtp.encode_handshake(zmtp.DEALER) + _joined(messages)


def _again_links(messages: Messages) -> bytes:
    return PREAMBLE + _framed(messages)


def _reading(make: Callable[[], Reader]) -> Callable[[bytes], Messages]:
    def read(data: bytes) -> Messages:
        return make().feed(memoryview(data))

    return read


def _wrong(make: Callable[[], Reader], again: Callable[[Messages], bytes]) -> Callable[[bytes, Any], str | None]:
    """What was accepted must come out the same in pieces, and survive being sent on."""

    def wrong(data: bytes, found: Messages) -> str | None:
        reader, left, turn = make(), memoryview(data), 0
        pieces: Messages = []
        while left:
            size = _PIECES[turn % len(_PIECES)]
            pieces += reader.feed(left[:size])
            left, turn = left[size:], turn + 1
        if pieces != found:
            return f"{len(found)} messages at once, {len(pieces)} in pieces"
        if make().feed(memoryview(again(found))) != found:
            return f"{len(found)} messages are others when sent on"
        return None

    return wrong
