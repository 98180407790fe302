"""Garbage without end, and entries that no correct leader makes, do not keep a replica from its work."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import closing
from typing import Any, cast

import pytest

from apps.kv import KV
from cdep import service_of
from psmr.core.batch import encode_open
from psmr.core.sessions import OPENS_MAX, Sessions
from psmr.execution.engine import Engine
from psmr.log.port import Entry
from psmr.replica.delivery import Delivery
from psmr.transport.client_port import ClientPort
from psmr.transport.framing import PREAMBLE, encode_head
from psmr.transport.peers import PeerLinks

PATIENCE = 10_000


class Endless:
    """A socket on which the same message is there again and again."""

    def __init__(self, *frames: bytes) -> None:
        self._frames = frames
        self.taken = 0
        self.sent = 0

    def recv_multipart(self, flags: int = 0) -> list[bytes]:
        self.taken += 1
        assert self.taken < PATIENCE, "the replica does nothing else any more"
        return list(self._frames)

    def send_multipart(self, frames: Sequence[bytes], flags: int = 0) -> None:
        self.sent += 1


class Idle:
    """As much of an engine as opens need."""

    def publish(self) -> None:
        """Nothing was taken in."""


def test_peers_that_send_only_garbage(request: pytest.FixtureRequest) -> None:
    name = f"@psmr-test-{id(request)}-garbage"
    garbage = encode_head([b"\xc1"]) + b"\xc1"
    with closing(PeerLinks(1, 5, {1: f"ipc://{name}"})) as links, socket.socket(socket.AF_UNIX) as peer:
        peer.connect(f"\0{name.removeprefix('@')}")
        peer.sendall(PREAMBLE + garbage * 1000)
        counted = 0
        while links.malformed < 1000:
            assert links.receive() is None
            assert links.malformed - counted < 1000, "the replica does nothing else any more"
            counted = links.malformed


@pytest.mark.parametrize(
    "frames", [(b"PSMB", b""), (b"\x01", b"\x93\x01\xa1x\x05")], ids=["garbage", "another service"]
)
def test_clients_that_send_only_what_is_turned_away(frames: tuple[bytes, ...], request: pytest.FixtureRequest) -> None:
    port = ClientPort(f"ipc://@psmr-test-{id(request)}-flood", service_of(KV), "c", 1, {})
    try:
        socket = port.socket
        port.socket = cast(Any, endless := Endless(b"identity", *frames))
        assert port.receive() is None
        assert endless.sent == endless.taken
        port.socket = socket
    finally:
        port.close()


def test_an_entry_with_more_batches_than_session_numbers_is_malformed() -> None:
    sessions = Sessions(capacity=4)
    delivery = Delivery(sessions, cast(Engine, Idle()))
    opens = encode_open(1, 2)
    delivery.deliver([Entry(1, 0, memoryview(opens * (OPENS_MAX + 1)))])
    assert (delivery.delivered, delivery.counts.malformed, len(sessions)) == (1, 1, 0)
    delivery.deliver([Entry(2, 0, memoryview(opens))])
    assert len(sessions) == 1
