"""Connections between replicas: whole messages through streams that break anywhere, and peers that come and go."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmr.core.raft.messages import AppendAccepted, Message
from psmr.errors import ConfigurationError
from psmr.transport.framing import FRAMES_MAX, PREAMBLE, FrameReader, MalformedStream, encode_head
from psmr.transport.outgoing import QUEUE_MESSAGES
from psmr.transport.peers import PeerLinks, PeerMessage

CLUSTER_ID = 5
PATIENCE_S = 60.0
WORD: Message = AppendAccepted(1, 2, 3, 4)


def stream(messages: list[list[bytes]]) -> bytes:
    return PREAMBLE + b"".join(encode_head(frames) + b"".join(frames) for frames in messages)


@given(
    st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=5), max_size=6),
    st.lists(st.integers(1, 60), min_size=1, max_size=30),
)
def test_messages_arrive_whole_wherever_the_stream_is_cut(messages: list[list[bytes]], sizes: list[int]) -> None:
    reader, sent, found, turn = FrameReader(), memoryview(stream(messages)), [], 0
    while sent:
        size = sizes[turn % len(sizes)]
        found += reader.feed(sent[:size])
        sent, turn = sent[size:], turn + 1
    assert found == messages


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n",
        b"PSM?",
        PREAMBLE + (0).to_bytes(4, "little"),
        PREAMBLE + (FRAMES_MAX + 1).to_bytes(4, "little"),
        PREAMBLE + (2).to_bytes(4, "little") + b"\xff\xff\xff\xff\x01\x00\x00\x00",
    ],
)
def test_what_is_no_stream_of_messages_is_refused_before_it_is_kept(sent: bytes) -> None:
    with pytest.raises(MalformedStream, match="expected"):
        FrameReader().feed(memoryview(sent))


@pytest.fixture(params=["ipc", "tcp", "a host by its name"])
def addresses(request: pytest.FixtureRequest) -> dict[int, str]:
    if request.param == "ipc":
        token = os.urandom(8).hex()
        return {1: f"ipc://@psmr-links-{token}-1", 2: f"ipc://@psmr-links-{token}-2"}
    host = "127.0.0.1" if request.param == "tcp" else "localhost"
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        return {1: f"tcp://{host}:{one.getsockname()[1]}", 2: f"tcp://{host}:{two.getsockname()[1]}"}


@contextmanager
def links(me: int, addresses: dict[int, str]) -> Iterator[PeerLinks]:
    with closing(PeerLinks(me, CLUSTER_ID, addresses)) as made:
        yield made


def until(done: Callable[[list[PeerMessage]], bool], *members: PeerLinks) -> list[PeerMessage]:
    """Have the members receive until `done`, of what they received; that."""
    received: list[PeerMessage] = []
    give_up_s = time.monotonic() + PATIENCE_S
    while not done(received):
        assert time.monotonic() < give_up_s, "expected an end of waiting, found none"
        select.select([member.inbox for member in members], [], [], 0.005)
        for member in members:
            while (message := member.receive()) is not None:
                received.append(message)
    return received


def test_whoever_is_there_is_sent_to_and_others_are_not(addresses: dict[int, str]) -> None:
    with links(1, addresses) as one:
        assert not one.send(2, WORD)
        assert not one.send(3, WORD)
        with links(2, addresses) as two:
            until(lambda _: one.send(2, WORD, [b"payload", memoryview(b"another")]), one, two)
            received = until(bool, one, two)
            assert received == [PeerMessage(1, WORD, [b"payload", b"another"])]
            until(lambda _: two.send(1, None, [b"x"]), one, two)


def test_a_peer_that_starts_again_is_reached_again(addresses: dict[int, str]) -> None:
    with links(1, addresses) as one:
        for payload in (b"0", b"1", b"2"):
            with links(2, addresses) as two:
                # What is sent before the former one's end is noticed is lost, so it is sent again.
                received = until(lambda found, sent=payload: one.send(2, None, [sent]) and bool(found), one, two)
                assert received[0].payloads == [payload]


def test_messages_larger_than_the_sockets_hold_arrive_in_order(addresses: dict[int, str]) -> None:
    large = os.urandom(9_000_000)
    with links(1, addresses) as one, links(2, addresses) as two:
        until(lambda _: one.send(2, None, [b"first"]), one, two)
        assert one.send(2, None, [large, b"y"])
        assert one.send(2, None, [b"last"])
        received = until(lambda found: bool(found) and found[-1].payloads == [b"last"], one, two)
        assert [message.payloads for message in received[-2:]] == [[large, b"y"], [b"last"]]


def test_a_peer_that_takes_nothing_is_not_waited_for(addresses: dict[int, str]) -> None:
    with links(1, addresses) as one, links(2, addresses) as two:
        until(lambda _: one.send(2, None, [b"first"]), one, two)
        sent, part = 0, bytes(1 << 20)
        while one.send(2, None, [part]):
            sent += 1
        assert QUEUE_MESSAGES <= sent < 2 * QUEUE_MESSAGES


def test_strangers_are_counted_and_hung_up_on(addresses: dict[int, str]) -> None:
    address = addresses[1]
    family, place = (
        (socket.AF_UNIX, "\0" + address.removeprefix("ipc://@"))
        if address.startswith("ipc")
        else (socket.AF_INET, ("127.0.0.1", int(address.rpartition(":")[2])))
    )
    with links(1, addresses) as one, socket.socket(family) as stranger:
        stranger.connect(place)
        stranger.sendall(b"GET / HTTP/1.1\r\n")
        until(lambda _: one.malformed == 1, one)
        assert stranger.recv(1) == b""
        with socket.socket(family) as other:
            other.connect(place)
            other.sendall(stream([[b"\xc1"]] * 3))
            until(lambda _: one.malformed == 4, one)


def test_an_address_in_use_is_a_fault_of_the_configuration(addresses: dict[int, str]) -> None:
    with (
        links(1, addresses),
        pytest.raises(ConfigurationError, match=r"peers address .* expected one that can be bound"),
    ):
        PeerLinks(1, CLUSTER_ID, addresses)
