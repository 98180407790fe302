"""Puts to a key-value bucket over a plain socket: as much of the protocol of NATS clients as that takes."""

from __future__ import annotations

import json
import socket
from collections import deque

from bench._peers_loop import received
from bench._peers_measure import PeerFailed
from bench._peers_nats_library import BUCKET
from bench._peers_work import VALUE_BYTES, Lane, requests

_INBOX = b"_INBOX.puts"
_END = b"\r\n"


class Puts:
    """A `Connection` of the closed loop. One stream answers in the order in which one connection published."""

    commands_a_request = 1

    def __init__(self, link: socket.socket, lane: Lane, window: int) -> None:
        self.lane = lane
        subject = b"PUB $KV.%b." % BUCKET.encode()
        head = b" %b %d\r\n" % (_INBOX, VALUE_BYTES)
        self._requests = requests(lane, window, subject, "key", head, "value", _END)
        self._link = link
        self._window = window
        self._sent_s: deque[float] = deque()
        self._buffer = b""
        self._greet()

    @property
    def written(self) -> int:
        """Puts that were sent."""
        return self._requests.taken

    def fileno(self) -> int:
        return self._link.fileno()

    def in_flight(self) -> int:
        return len(self._sent_s)

    def close(self) -> None:
        """Hang up."""
        self._link.close()

    def send(self, now_s: float) -> None:
        room = self._window - len(self._sent_s)
        if room:
            self._sent_s.extend([now_s] * room)
            self._link.sendall(self._requests.take(room))

    def receive(self, now_s: float) -> list[float]:
        arrived, self._buffer = operations(self._buffer + received(self._link))
        latencies_s: list[float] = []
        for kind, payload in arrived:
            if kind == b"MSG":
                check_answer(payload)
                latencies_s.append(now_s - self._sent_s.popleft())
            elif kind == b"PING":
                self._link.sendall(b"PONG\r\n")
            elif kind in (b"HMSG", b"-ERR"):
                raise PeerFailed(f"NATS: expected an answer to each put, found {kind.decode()} {payload[:200]!r}")
        return latencies_s

    def _greet(self) -> None:
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "protocol": 1}
        greeting = b"CONNECT %b\r\nSUB %b 1\r\nPING\r\n" % (json.dumps(options).encode(), _INBOX)
        self._link.sendall(greeting)
        answer = b""
        while b"PONG\r\n" not in answer:
            answer += received(self._link)


def operations(buffer: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The whole operations at the beginning, each its kind and its payload or the rest of its line; and what is left."""
    found: list[tuple[bytes, bytes]] = []
    begin = 0
    while (line_end := buffer.find(_END, begin)) >= 0:
        kind, _, rest = buffer[begin:line_end].partition(b" ")
        end = line_end + len(_END)
        if kind in (b"MSG", b"HMSG"):
            payload_begin = end
            end += int(rest[rest.rindex(b" ") :]) + len(_END)
            if end > len(buffer):
                break
            rest = buffer[payload_begin : end - len(_END)]
        found.append((kind, rest))
        begin = end
    return found, buffer[begin:]


def check_answer(payload: bytes) -> None:
    """Raise PeerFailed for an answer other than `{"stream": …, "seq": …}`."""
    if b'"seq":' not in payload or b'"error"' in payload:
        raise PeerFailed(f"NATS: expected a stored put's sequence, found {payload[:200]!r}")
