"""Asking replicas how they are: all at once, each within one deadline."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import zmq

from psmr.errors import ClusterUnavailable
from psmr.transport.client_protocol import (
    FRAME_BYTES_MAX,
    ErrorText,
    MalformedMessage,
    StatusIs,
    decode_response,
    encode_ask_status,
)

ASK_TIMEOUT_S = 1.0
DIGEST_TIMEOUT_S = 30.0
"""A digest reads the whole state, after all that was delivered has been executed."""


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """What one replica said of itself, or why it said nothing."""

    id: int | None
    """As the configuration or the replica says; None for an address that did not answer."""
    address: str
    document: Mapping[str, Any] | None
    """What it answered: `role`, `term`, `leader`, `last_index`, `executed`, `workers`, `memory_bytes` and more."""
    problem: str = ""

    @property
    def reachable(self) -> bool:
        """Whether it answered."""
        return self.document is not None

    def get(self, key: str) -> Any:
        """One value of the document; None if there is none."""
        return None if self.document is None else self.document.get(key)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {"id": self.id, "address": self.address, "reachable": self.reachable, **(self.document or {})} | (
            {"problem": self.problem} if self.problem else {}
        )


def majority(members: int) -> int:
    """How many of that many are a quorum."""
    return members // 2 + 1


def ask(addresses: Mapping[int, str] | str, *, digest: bool = False) -> list[ReplicaStatus]:
    """The status of each replica, in the order given: of one address, or of addresses by replica id."""
    places: list[tuple[int | None, str]] = [(None, addresses)] if isinstance(addresses, str) else [*addresses.items()]
    found = _ask_all([address for _, address in places], False, ASK_TIMEOUT_S)
    if digest:
        # Only of those that are there, for the others would make everybody wait for the longer time.
        there = [place for place, answer in enumerate(found) if not isinstance(answer, str)]
        digests = _ask_all([places[place][1] for place in there], True, DIGEST_TIMEOUT_S)
        for place, answer in zip(there, digests, strict=True):
            found[place] = answer or f"no digest within {DIGEST_TIMEOUT_S:g} s"
    return [_status(number, address, answer) for (number, address), answer in zip(places, found, strict=True)]


def ask_one(address: str, *, digest: bool = False) -> ReplicaStatus:
    """The status of the replica at an address, or ClusterUnavailable."""
    (status,) = ask(address, digest=digest)
    if not status.reachable:
        raise ClusterUnavailable(f"{address}: expected a replica's status, found {status.problem}")
    return status


def _ask_all(addresses: list[str], digest: bool, timeout_s: float) -> list[dict[str, Any] | str]:
    """For each address what was answered, or what was wrong with the answer; empty text for none."""
    answers: list[dict[str, Any] | str] = [""] * len(addresses)
    deadline = time.monotonic() + timeout_s
    with _sockets(addresses) as sockets:
        poller = zmq.Poller()
        for socket in sockets:
            socket.send_multipart(encode_ask_status(digest))
            poller.register(socket, zmq.POLLIN)
        places = {socket: place for place, socket in enumerate(sockets)}
        while places:
            left_ms = int((deadline - time.monotonic()) * 1000)
            ready = poller.poll(max(0, left_ms))
            for socket, _ in ready:
                answers[places.pop(socket)] = _answer(socket.recv_multipart(copy=True))
                poller.unregister(socket)
            if not ready and left_ms <= 0:
                break
    return answers


@contextmanager
def _sockets(addresses: list[str]) -> Iterator[list[zmq.Socket[bytes]]]:
    # Of the process's one context: to end a context of its own would be to wait for ever for a socket that Ctrl-C lost.
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    sockets: list[zmq.Socket[bytes]] = []
    try:
        for address in addresses:
            socket = context.socket(zmq.DEALER)
            sockets.append(socket)
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
            socket.setsockopt(zmq.RECONNECT_IVL, 20)
            socket.connect(address)
        yield sockets
    finally:
        for socket in sockets:
            socket.close(linger=0)


def _answer(frames: list[bytes]) -> dict[str, Any] | str:
    try:
        response = decode_response(frames)
    except MalformedMessage as error:
        return f"an answer that is none of this protocol ({error})"
    if isinstance(response, StatusIs):
        return response.status
    return response.text if isinstance(response, ErrorText) else f"a {type(response).__name__} message"


def _status(number: int | None, address: str, answer: dict[str, Any] | str) -> ReplicaStatus:
    if isinstance(answer, str):
        return ReplicaStatus(number, address, None, answer or f"no answer within {ASK_TIMEOUT_S:g} s")
    said = answer.get("replica")
    return ReplicaStatus(said if number is None and isinstance(said, int) else number, address, answer)
