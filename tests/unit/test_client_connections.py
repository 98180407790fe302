"""A replica's end for clients: ZeroMQ's own sockets are clients like any other, and no client keeps it from the others."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import zmq

from psmr.errors import ConfigurationError
from psmr.transport import client_connections, zmtp
from psmr.transport.addresses import place_of
from psmr.transport.client_connections import QUEUE_BYTES_MAX, ClientConnections
from psmr.transport.zmtp import ZmtpReader

PATIENCE_S = 60.0
BYTES_MAX = 10_000_000
LINGER_S = 10.0
HANDSHAKE = zmtp.encode_handshake(zmtp.DEALER)
ONE = b"".join(zmtp.encode_message([b"one"]))


@pytest.fixture(params=["ipc", "tcp"])
def address(request: pytest.FixtureRequest) -> str:
    if request.param == "ipc":
        return f"ipc://@psmr-clients-{os.urandom(8).hex()}"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def clients(address: str) -> Iterator[ClientConnections]:
    made = ClientConnections(address, BYTES_MAX)
    yield made
    made.close(0)


@contextmanager
def dealer(address: str, identity: bytes = b"") -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as made:
        made.setsockopt(zmq.LINGER, 0)
        made.setsockopt(zmq.RCVTIMEO, int(PATIENCE_S * 1000))
        made.setsockopt(zmq.RECONNECT_IVL, 5)
        if identity:
            made.setsockopt(zmq.IDENTITY, identity)
        made.connect(address)
        yield made


@contextmanager
def connected(address: str, said: bytes = HANDSHAKE) -> Iterator[socket.socket]:
    """A connection on which `said` was said."""
    place = place_of(address, ask=False)
    assert place is not None
    with socket.socket(place[0]) as made:
        made.settimeout(PATIENCE_S)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        made.connect(place[1])
        made.sendall(said)
        yield made


def take(clients: ClientConnections, count: int) -> list[tuple[bytes, list[bytes]]]:
    """The next messages."""
    found: list[tuple[bytes, list[bytes]]] = []

    def is_done() -> bool:
        while len(found) < count and (received := clients.receive()) is not None:
            found.append(received)
        return len(found) == count

    until(clients, is_done)
    return found


def until(clients: ClientConnections, is_done: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while not is_done():
        assert time.monotonic() < give_up_s, "expected an end of waiting, found none"
        clients.flush()
        select.select([clients.inbox], [], [], 0.005)


def is_hung_up_on(clients: ClientConnections, client: socket.socket) -> Callable[[], bool]:
    def is_done() -> bool:
        assert clients.receive() is None
        client.setblocking(False)
        with suppress(BlockingIOError, ConnectionResetError):
            return client.recv(1 << 16) == b""
        return False

    return is_done


def test_a_dealer_of_zeromq_is_served(clients: ClientConnections, address: str) -> None:
    large = os.urandom(9_000_000)
    messages = [[b"one"], [b"", b"two"], [b"x" * 300, b"y" * 70_000, b""], [large], [b"last"]]
    with dealer(address) as one, dealer(address) as other:
        for frames in messages:
            one.send_multipart(frames)
        received = take(clients, len(messages))
        assert [frames for _, frames in received] == messages
        other.send(b"other")
        ((its, _),) = take(clients, 1)
        assert {identity for identity, _ in received} != {its}
        for identity, frames in received:
            clients.send(identity, frames)
        clients.send(its, [b"other"])
        clients.send(b"nobody", [b"lost"])
        poller = zmq.Poller()
        poller.register(one, zmq.POLLIN)
        answers: list[list[bytes]] = []
        until(clients, lambda: clients.receive() is not None or _drain(one, answers) == len(messages))
        assert answers == messages
        assert other.recv() == b"other"


def _drain(client: zmq.Socket[bytes], found: list[list[bytes]]) -> int:
    with suppress(zmq.Again):
        while True:
            found.append(client.recv_multipart(flags=zmq.DONTWAIT))
    return len(found)


def test_who_asks_for_an_identity_takes_it_over(clients: ClientConnections, address: str) -> None:
    with connected(address, GREETED_AS_ME + ONE) as former:
        assert take(clients, 1) == [(b"me", [b"one"])]
        with connected(address, GREETED_AS_ME + ONE) as later:
            assert take(clients, 1) == [(b"me", [b"one"])]
            until(clients, is_hung_up_on(clients, former))
            clients.send(b"me", [b"to the later one"])
            clients.flush()
            assert heard(later, 1) == [[b"to the later one"]]


def test_an_identity_of_a_dealer_of_zeromq_is_known(clients: ClientConnections, address: str) -> None:
    with dealer(address, b"me") as client:
        client.send(b"1")
        assert take(clients, 1) == [(b"me", [b"1"])]


GREETED_AS_ME = zmtp.GREETING + zmtp.encode_command(
    b"READY", b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER" + b"\x08Identity" + struct.pack(">I", 2) + b"me"
)


def heard(client: socket.socket, count: int) -> list[list[bytes]]:
    """The next messages that a raw connection gets, and its handshake if that is still to come."""
    reader, found = ZmtpReader([zmtp.ROUTER], 1 << 30), list[list[bytes]]()
    while len(found) < count:
        piece = client.recv(1 << 20)
        assert piece, "expected a message, found the end"
        found += reader.feed(memoryview(piece))
    return found


def test_clients_have_their_turns(clients: ClientConnections, address: str) -> None:
    """One that has sent thousands of messages at once does not keep another from being heard."""
    with connected(address, HANDSHAKE + ONE * 20_000):
        take(clients, 1)
        with connected(address, HANDSHAKE + b"".join(zmtp.encode_message([b"other"]))):
            before = 0
            while take(clients, 1)[0][1] != [b"other"]:
                before += 1
                assert before < 1_000, "expected the other, found only the flood"


def test_no_more_is_read_than_is_taken() -> None:
    address = f"ipc://@psmr-clients-{os.urandom(8).hex()}"
    clients = ClientConnections(address, BYTES_MAX)
    with closing_at_once(clients), connected(address) as flood:
        until(clients, lambda: clients.receive() is None)
        flood.setblocking(False)
        sent, part = 0, ONE * 10_000
        for _ in range(100):
            with suppress(BlockingIOError):
                # To the byte: what was not sent of a part would break the stream.
                sent += flood.send(part[sent % len(part) :])
            take(clients, 64)
        assert sent < 2 << 20


def test_who_takes_nothing_is_hung_up_on(clients: ClientConnections, address: str) -> None:
    part = bytes(1 << 20)
    with connected(address, HANDSHAKE + ONE) as slow, dealer(address) as other:
        ((identity, _),) = take(clients, 1)
        sent = 0
        while not clients.dropped:
            clients.send(identity, [part])
            clients.flush()
            sent += len(part)
            assert sent < 2 * QUEUE_BYTES_MAX, "expected an end of what is kept, found none"
        assert sent > QUEUE_BYTES_MAX
        other.send(b"still there")
        assert take(clients, 1)[0][1] == [b"still there"]
        slow.close()


def test_pings_of_one_that_takes_nothing_are_not_answered_for_ever(
    clients: ClientConnections, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_connections, "QUEUE_BYTES_MAX", 1 << 16)
    pings = zmtp.encode_command(b"PING", b"\0\0" + bytes(16)) * 1_000
    with connected(address) as slow:
        slow.setblocking(False)

        def is_done() -> bool:
            with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                slow.send(pings)
            assert clients.receive() is None
            return clients.dropped == 1

        until(clients, is_done)


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\n\r\n", HANDSHAKE + b"\2" + struct.pack(">Q", BYTES_MAX + 1)],
    ids=["a browser", "a frame above the limit"],
)
def test_who_speaks_otherwise_is_hung_up_on(clients: ClientConnections, address: str, said: bytes) -> None:
    with connected(address, said) as stranger, dealer(address) as other:
        until(clients, is_hung_up_on(clients, stranger))
        assert clients.malformed == 1
        other.send(b"served")
        assert take(clients, 1)[0][1] == [b"served"]


def test_who_never_begins_makes_room(clients: ClientConnections, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected(address, b"\xff") as silent, dealer(address) as other:
        other.send(b"served")
        take(clients, 1)
        monkeypatch.setattr(client_connections, "HANDSHAKE_S", 0.0)
        with connected(address):
            until(clients, is_hung_up_on(clients, silent))
        other.send(b"still")
        assert take(clients, 1)[0][1] == [b"still"]


def test_there_are_only_so_many(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors must be left for the replica's files."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (32, 32))
    with closing_at_once(ClientConnections(address, BYTES_MAX)) as clients:
        with connected(address, HANDSHAKE + ONE) as first:
            take(clients, 1)
            crowd = [dealer_socket(address) for _ in range(16)]
            until(clients, is_hung_up_on(clients, crowd[-1]))
            for each in crowd:
                each.close()
            first.sendall(ONE)
            take(clients, 1)
        with connected(address, HANDSHAKE + ONE):
            take(clients, 1)


def dealer_socket(address: str) -> socket.socket:
    place = place_of(address, ask=False)
    assert place is not None
    made = socket.socket(place[0])
    made.connect(place[1])
    return made


@contextmanager
def closing_at_once(clients: ClientConnections) -> Iterator[ClientConnections]:
    try:
        yield clients
    finally:
        clients.close(0)


def test_last_messages_leave_before_the_end(address: str) -> None:
    large = os.urandom(9_000_000)
    clients = ClientConnections(address, BYTES_MAX)
    with dealer(address) as client, connected(address):
        client.send(b"1")
        ((identity, _),) = take(clients, 1)
        clients.send(identity, [large])
        clients.close(LINGER_S)
        clients.close(LINGER_S)
        assert client.recv() == large


def test_the_end_does_not_wait_for_who_takes_nothing(address: str) -> None:
    clients = ClientConnections(address, BYTES_MAX)
    with connected(address, HANDSHAKE + ONE):
        ((identity, _),) = take(clients, 1)
        clients.send(identity, [bytes(50_000_000)])
        clients.close(0.01)
        with pytest.raises(ConnectionRefusedError), connected(address):
            pass


def test_an_address_in_use_is_a_fault_of_the_configuration(clients: ClientConnections, address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"clients address .* expected one that can be bound"):
        ClientConnections(address, BYTES_MAX)
    with pytest.raises(ConfigurationError, match="expected an address"):
        ClientConnections("tcp://nowhere", BYTES_MAX)
