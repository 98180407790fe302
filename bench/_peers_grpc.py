"""Unary gRPC calls of one method over one connection, many at a time: as much of HTTP/2 as that takes.

For a benchmark only. The general libraries cost a Python client more per call than the server pays; this one sends headers
that are constant, and reads no more of an answer than what tells success from failure.
"""

from __future__ import annotations

import socket
import struct

from bench._peers_loop import received
from bench._peers_measure import PeerFailed
from bench._peers_work import Requests

DATA, HEADERS, RESET, SETTINGS, PING, GO_AWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
FRAME_HEADER_BYTES = 9
FRAME_BYTES_MAX = 16_384
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FIRST_WINDOW_BYTES = 65_535
_WINDOW_BYTES_MAX = 2**31 - 1
_INITIAL_WINDOW_SIZE = 4
_POST, _HTTP = b"\x83", b"\x86"
"""`:method POST` and `:scheme http` in the static table of HPACK (RFC 7541, appendix A)."""
_PATH, _AUTHORITY = b"\x04", b"\x01"
"""Names of the same table, to be followed by a value; neither enters the dynamic table."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame of HTTP/2 (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def frames(buffer: bytes) -> tuple[list[tuple[int, int, int, bytes]], bytes]:
    """The whole frames at the beginning, each kind, flags, stream and payload; and the rest."""
    found: list[tuple[int, int, int, bytes]] = []
    begin = 0
    while begin + FRAME_HEADER_BYTES <= len(buffer):
        end = begin + FRAME_HEADER_BYTES + int.from_bytes(buffer[begin : begin + 3])
        if end > len(buffer):
            break
        stream = int.from_bytes(buffer[begin + 5 : begin + 9]) & 0x7FFFFFFF
        found.append((buffer[begin + 3], buffer[begin + 4], stream, buffer[begin + FRAME_HEADER_BYTES : end]))
        begin = end
    return found, buffer[begin:]


def header_block(authority: bytes, path: bytes) -> bytes:
    """The headers of a call, for HPACK: literals that enter no table, so that each call's bytes are the same."""
    fields = [(_PATH, path), (_AUTHORITY, authority), (_name(b"content-type"), b"application/grpc")]
    fields.append((_name(b"te"), b"trailers"))
    return _POST + _HTTP + b"".join(name + bytes((len(value),)) + value for name, value in fields)


def _name(name: bytes) -> bytes:
    return b"\x00" + bytes((len(name),)) + name


class GrpcCalls:
    """A `Connection` of the closed loop: each call's message is the next `commands_a_request` of `messages`."""

    def __init__(
        self, link: socket.socket, path: bytes, messages: Requests, commands_a_request: int, window: int
    ) -> None:
        self.commands_a_request = commands_a_request
        self._link = link
        self._headers = header_block(b"127.0.0.1", path)
        self._messages = messages
        self._window = window
        self._buffer = b""
        self._stream = 1
        self._credit_bytes = _FIRST_WINDOW_BYTES
        self._sent_s: dict[int, float] = {}
        self._answered: set[int] = set()
        # Answers are small: with all the credit there is, none needs to be given later.
        settings = struct.pack(">HI", _INITIAL_WINDOW_SIZE, _WINDOW_BYTES_MAX)
        credit = struct.pack(">I", _WINDOW_BYTES_MAX - _FIRST_WINDOW_BYTES)
        link.sendall(_PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, credit))

    def fileno(self) -> int:
        return self._link.fileno()

    def in_flight(self) -> int:
        return len(self._sent_s)

    def close(self) -> None:
        """Hang up."""
        self._link.close()

    def send(self, now_s: float) -> None:
        sending: list[bytes] = []
        # A message goes out whole, so it waits until there is credit for the greatest.
        while len(self._sent_s) < self._window and self._credit_bytes >= FRAME_BYTES_MAX:
            message = self._messages.take(self.commands_a_request)
            data = struct.pack(">BI", 0, len(message)) + bytes(message)
            sending.append(frame(HEADERS, END_HEADERS, self._stream, self._headers))
            sending.append(frame(DATA, END_STREAM, self._stream, data))
            self._sent_s[self._stream] = now_s
            self._stream += 2
            self._credit_bytes -= len(data)
        if sending:
            self._link.sendall(b"".join(sending))

    def receive(self, now_s: float) -> list[float]:
        arrived, self._buffer = frames(self._buffer + received(self._link))
        latencies_s: list[float] = []
        for kind, flags, stream, payload in arrived:
            if kind == DATA and payload:
                self._answered.add(stream)
            elif kind == WINDOW_UPDATE and stream == 0:
                self._credit_bytes += int.from_bytes(payload)
            elif kind == PING and not flags & ACK:
                self._link.sendall(frame(PING, ACK, 0, payload))
            elif kind == SETTINGS and not flags & ACK:
                self._link.sendall(frame(SETTINGS, ACK, 0, b""))
            elif kind in (RESET, GO_AWAY):
                raise PeerFailed(f"gRPC: expected answers, found a frame of kind {kind}: {payload[:80]!r}")
            if kind == HEADERS and flags & END_STREAM:
                latencies_s.append(now_s - self._finish(stream, payload))
        return latencies_s

    def _finish(self, stream: int, trailers: bytes) -> float:
        """When the call was sent. One that fails is answered by headers alone, without a message."""
        if stream not in self._answered:
            raise PeerFailed(f"gRPC: expected an answer to each call, found one that failed: {trailers[:200]!r}")
        self._answered.discard(stream)
        return self._sent_s.pop(stream)
