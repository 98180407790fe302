"""A closed loop over connections of any protocol: as soon as a request is answered, the next is sent."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from typing import Protocol

from bench._peers_measure import PeerFailed, Run

SILENCE_MAX_S = 20.0
RECEIVE_BYTES = 1 << 20


class Connection(Protocol):
    """One connection with a window of requests. Its socket blocks on sending; answers are few bytes."""

    commands_a_request: int

    def fileno(self) -> int:
        """Its socket's."""

    def send(self, now_s: float) -> None:
        """Send until the window is full, or as much as the other side allows."""

    def receive(self, now_s: float) -> list[float]:
        """Take what has arrived: seconds from sending to answer of each request that was answered. Raises PeerFailed."""

    def in_flight(self) -> int:
        """Requests that wait for their answer."""


def connected(port: int) -> socket.socket:
    """A connection to a server of this machine that sends at once."""
    link = socket.create_connection(("127.0.0.1", port), timeout=SILENCE_MAX_S)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def received(link: socket.socket) -> bytes:
    """What has arrived on a connection that is ready; raises PeerFailed if it was closed."""
    try:
        arrived = link.recv(RECEIVE_BYTES)
    except OSError as error:
        raise PeerFailed(f"expected an answer, found a broken connection: {error}") from None
    if not arrived:
        raise PeerFailed("expected an answer, found the connection closed")
    return arrived


def drive(connections: Sequence[Connection], seconds: float) -> Run:
    """Run for so long, then until everything is answered. Raises PeerFailed for an error, or after a long silence."""
    latencies_us: list[float] = []
    commands = 0
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ, connection)
        started_s = time.perf_counter()
        for connection in connections:
            connection.send(started_s)
        while any(connection.in_flight() for connection in connections):
            ready = selector.select(SILENCE_MAX_S)
            if not ready:
                raise PeerFailed(f"expected an answer within {SILENCE_MAX_S:g} s, found none")
            now_s = time.perf_counter()
            for key, _ in ready:
                answered = key.data.receive(now_s)
                latencies_us += [latency_s * 1e6 for latency_s in answered]
                commands += len(answered) * key.data.commands_a_request
                if now_s - started_s < seconds:
                    key.data.send(now_s)
    return Run(commands, time.perf_counter() - started_s, latencies_us)
