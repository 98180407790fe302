"""Garbage without end, and entries that no correct leader makes, do not keep a replica from its work."""

from __future__ import annotations

import socket
from contextlib import closing, suppress
from typing import cast

import pytest

from apps.kv import KV
from cdep import service_of
from psmr.core.batch import encode_open
from psmr.core.sessions import OPENS_MAX, Sessions
from psmr.execution.engine import Engine
from psmr.log.port import Entry
from psmr.replica.delivery import Delivery
from psmr.transport import zmtp
from psmr.transport.client_port import ClientPort
from psmr.transport.framing import PREAMBLE, encode_head
from psmr.transport.peers import PeerLinks
from psmr.transport.zmtp import ZmtpReader


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
    name = f"psmr-test-{id(request)}-flood"
    port = ClientPort(f"ipc://@{name}", service_of(KV), "c", 1, {})
    with closing(port), socket.socket(socket.AF_UNIX) as client:
        client.connect(f"\0{name}")
        client.sendall(zmtp.encode_handshake(zmtp.DEALER) + b"".join(zmtp.encode_message(frames)) * 500)
        reader, answers, turns = ZmtpReader([zmtp.ROUTER], 1 << 20), 0, 0
        while answers < 500:
            assert port.receive() is None
            port.flush()
            with suppress(BlockingIOError):
                answers += len(reader.feed(memoryview(client.recv(1 << 16, socket.MSG_DONTWAIT))))
            turns += 1
        assert turns > 5, "the replica does nothing else meanwhile"


def test_an_entry_with_more_batches_than_session_numbers_is_malformed() -> None:
    sessions = Sessions(capacity=4)
    delivery = Delivery(sessions, cast(Engine, Idle()))
    opens = encode_open(1, 2)
    delivery.deliver([Entry(1, 0, memoryview(opens * (OPENS_MAX + 1)))])
    assert (delivery.delivered, delivery.counts.malformed, len(sessions)) == (1, 1, 0)
    delivery.deliver([Entry(2, 0, memoryview(opens))])
    assert len(sessions) == 1
