"""The client's socket against ZeroMQ's own ROUTER: it finds it, keeps what is to be sent, and comes back."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import zmq

from psmr.client.dealer import Dealer
from psmr.errors import ConfigurationError
from psmr.transport import zmtp
from psmr.transport.addresses import place_of

PATIENCE_S = 60.0
WAIT_US = 5_000


@pytest.fixture(params=["ipc", "tcp", "a host by its name"])
def address(request: pytest.FixtureRequest) -> str:
    if request.param == "ipc":
        return f"ipc://@psmr-dealer-{os.urandom(8).hex()}"
    host = "127.0.0.1" if request.param == "tcp" else "localhost"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp://{host}:{free.getsockname()[1]}"


@pytest.fixture
def dealer() -> Iterator[Dealer]:
    made = Dealer()
    yield made
    made.hang_up()
    assert made.file_descriptor == -1


@contextmanager
def router(address: str) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as made:
        made.setsockopt(zmq.LINGER, 0)
        bound = address.replace("localhost", "127.0.0.1")
        until(lambda: _is_bound(made, bound))
        yield made


@contextmanager
def plain_listener(address: str) -> Iterator[socket.socket]:
    """Whoever dials the address is accepted as the test says; nobody speaks ZeroMQ's protocol there."""
    place = place_of(address.replace("localhost", "127.0.0.1"), ask=False)
    assert place is not None
    with socket.socket(place[0]) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place[1])
        listener.listen()
        listener.setblocking(False)
        yield listener


def _is_bound(made: zmq.Socket[bytes], address: str) -> bool:
    """A context that has just ended may hold the address for a moment."""
    with suppress(zmq.ZMQError):
        made.bind(address)
        return True
    return False


def until(is_done: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while not is_done():
        assert time.monotonic() < give_up_s, "expected an end of waiting, found none"


def arrives(dealer: Dealer, replica: zmq.Socket[bytes]) -> list[bytes]:
    """The next message at the replica, its sender first."""
    found: list[list[bytes]] = []

    def is_done() -> bool:
        assert dealer.receive() is None
        dealer.wait(WAIT_US)
        with suppress(zmq.Again):
            found.append(replica.recv_multipart(flags=zmq.DONTWAIT))
        return bool(found)

    until(is_done)
    return found[0]


def heard(dealer: Dealer) -> list[bytes]:
    """The next message at the client."""
    found: list[list[bytes]] = []

    def is_done() -> bool:
        message = dealer.receive()
        if message is not None:
            found.append(message)
        else:
            dealer.wait(WAIT_US)
        return bool(found)

    until(is_done)
    return found[0]


def test_messages_go_both_ways(dealer: Dealer, address: str) -> None:
    large = os.urandom(9_000_000)
    messages = [[b"one"], [b"", b"two"], [b"x" * 300, b"y" * 70_000, b""], [large], [b"last"]]
    with router(address) as replica:
        dealer.dial(address)
        for frames in messages:
            dealer.transmit(frames)
        received = [arrives(dealer, replica) for _ in messages]
        assert [found for _, *found in received] == messages
        for frames in received:
            replica.send_multipart(frames)
        assert [heard(dealer) for _ in messages] == messages
        assert not dealer.has_received


def test_messages_wait_for_a_replica_that_comes_and_comes_back(dealer: Dealer, address: str) -> None:
    dealer.dial(address)
    for payload in (b"0", b"1", b"2"):
        dealer.transmit([payload])
        with router(address) as replica:
            sender, found = arrives(dealer, replica)
            assert found == payload
            replica.send_multipart([sender, payload])
            assert heard(dealer) == [payload]
        until(lambda: _has_lost(dealer))


def _has_lost(dealer: Dealer) -> bool:
    assert dealer.receive() is None
    return dealer.due_us is not None


def test_a_message_that_was_begun_comes_again_whole(dealer: Dealer, address: str) -> None:
    large = os.urandom(30_000_000)
    with plain_listener(address) as listener:
        dealer.dial(address)
        dealer.transmit([large])
        accepted: list[socket.socket] = []

        def is_begun() -> bool:
            dealer.receive()
            dealer.wait(WAIT_US)
            with suppress(BlockingIOError):
                if accepted:
                    return len(accepted[0].recv(1 << 20)) > 1_000
                accepted.append(listener.accept()[0])
                accepted[0].sendall(zmtp.encode_handshake(zmtp.ROUTER))
                accepted[0].setblocking(False)
            return False

        until(is_begun)
        accepted[0].close()
    with router(address) as replica:
        assert arrives(dealer, replica)[1:] == [large]


def test_what_the_former_one_said_or_was_to_hear_is_dropped(dealer: Dealer, address: str) -> None:
    with router(address) as replica, zmq.Context() as context, context.socket(zmq.ROUTER) as other:
        port = other.bind_to_random_port("tcp://127.0.0.1")
        dealer.dial(address)
        dealer.transmit([b"hello"])
        sender, _ = arrives(dealer, replica)
        replica.send_multipart([sender, b"1"])
        replica.send_multipart([sender, b"2"])
        assert heard(dealer) == [b"1"]
        descriptor = dealer.file_descriptor
        dealer.dial(f"tcp://127.0.0.1:{port}")
        assert dealer.file_descriptor == descriptor
        dealer.transmit([b"new"])
        sender, found = arrives(dealer, other)
        assert found == b"new"
        other.send_multipart([sender, b"3"])
        assert heard(dealer) == [b"3"]


def test_one_that_is_no_replica_is_tried_again(dealer: Dealer, address: str) -> None:
    with plain_listener(address) as listener:
        dealer.dial(address)
        dealer.transmit([b"hello"])
        greeted = []

        def is_tried_twice() -> bool:
            assert dealer.receive() is None
            dealer.wait(WAIT_US)
            with suppress(BlockingIOError):
                accepted = listener.accept()[0]
                greeted.append(accepted)
                accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return len(greeted) == 2

        until(is_tried_twice)
        for each in greeted:
            each.close()
    with router(address) as replica:
        assert arrives(dealer, replica)[1:] == [b"hello"]


def test_nobody_is_talked_to_before_somebody_is_dialled(dealer: Dealer) -> None:
    dealer.transmit([b"lost"])
    dealer.wait(None)
    assert dealer.receive() is None
    assert dealer.due_us is None


@pytest.mark.parametrize("wrong", ["inproc://x", "tcp://host", "tcp://:5", "tcp://host:99999", "host:5"])
def test_what_is_no_address_is_refused(dealer: Dealer, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="expected an address as"):
        dealer.dial(wrong)
