"""What replicas say to each other: one PULL socket a replica, one PUSH socket to each peer.

A message is a head frame (msgpack: cluster, sender, and a Raft message, a question about reading or its answer, one about
snapshots or divergence, or None) and payload frames: whole log records after an AppendEntries, one payload to be ordered after
None. Sending never blocks and may lose: the protocol above expects it. What does not decode is counted and dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, Final

import msgspec
import zmq
from msgspec import Struct

from psmr.core.divergence_messages import DIVERGENCE_MESSAGES, DivergenceMessage
from psmr.core.raft import Message
from psmr.errors import ConfigurationError

FRAME_BYTES_MAX = 288 << 20
_QUEUE_MESSAGES = 512
_GARBAGE_PER_CALL = 64


class ConfirmAsked(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=32):
    """To the leader: up to which index must I have delivered to read what is committed now?"""

    token: int


class ConfirmAnswered(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=33):
    """The leader's answer; one that does not lead gives none."""

    token: int
    index: int


class SnapshotOffered(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=34):
    """To one that lacks what this replica's log no longer has: there is a snapshot at log position `index`.

    `term` is the sender's: whoever installs the snapshot must be in no earlier one before it does.
    """

    term: int
    index: int
    size_bytes: int


class SnapshotAsked(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=35):
    """Send me `count` bytes from `offset` on of your snapshot at `index`."""

    index: int
    offset: int
    count: int


class SnapshotPart(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=36):
    """The bytes at `offset`; they travel as the one payload."""

    index: int
    offset: int


SnapshotMessage = SnapshotOffered | SnapshotAsked | SnapshotPart
Content = Message | ConfirmAsked | ConfirmAnswered | SnapshotMessage | DivergenceMessage
OTHER_MESSAGES = (
    ConfirmAsked,
    ConfirmAnswered,
    SnapshotOffered,
    SnapshotAsked,
    SnapshotPart,
    *DIVERGENCE_MESSAGES,
)
"""What is not consensus' own."""


class _Head(msgspec.Struct, array_like=True, gc=False):
    cluster: int
    sender: int
    message: Content | None


class PeerMessage(Struct, frozen=True, gc=False):
    """One received message: `message` None means a payload to be ordered."""

    sender: int
    message: Content | None
    payloads: list[bytes]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Head)


def encode_message(
    cluster_id: int, sender: int, message: Content | None, payloads: Sequence[Any] = ()
) -> list[bytes | Any]:
    """The frames of a message; `payloads` are not copied."""
    return [_ENCODER.encode(_Head(cluster_id, sender, message)), *payloads]


def decode_message(frames: Sequence[bytes], cluster_id: int, peers: Container[int]) -> PeerMessage | None:
    """The message that `frames` are; None for what is none, or is not from one of `peers` of this cluster."""
    try:
        head = _DECODER.decode(frames[0])
    except (msgspec.MsgspecError, RecursionError):
        # Surplus fields are skipped, however deep they are nested: that ends in RecursionError.
        return None
    if head.cluster != cluster_id or head.sender not in peers:
        return None
    return PeerMessage(head.sender, head.message, list(frames[1:]))


class PeerLinks:
    """The sockets between replica `me` and its peers (`addresses`, by id, `me` included).

    `way`: where to dial for what is at an address, if there is a relay on the way.
    """

    def __init__(
        self, me: int, cluster_id: int, addresses: Mapping[int, str], way: Callable[[str], str] = lambda there: there
    ) -> None:
        self.me = me
        self.malformed = 0
        self._cluster_id = cluster_id
        self._way = way
        self._context = zmq.Context(io_threads=1)
        self.inbox = self._context.socket(zmq.PULL)
        self.inbox.setsockopt(zmq.RCVHWM, 4 * _QUEUE_MESSAGES)
        self.inbox.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
        bind(self.inbox, addresses[me], "peers")
        self._addresses: dict[int, str] = {}
        self._outboxes: dict[int, zmq.Socket[bytes]] = {}
        self.meet(addresses)

    def meet(self, addresses: Mapping[int, str]) -> None:
        """Know these replicas, and where they are, besides those known already; one that has moved is dialled anew."""
        for peer, address in addresses.items():
            if peer == self.me or self._addresses.get(peer) == address:
                continue
            if peer in self._outboxes:
                self._outboxes[peer].close(linger=0)
            self._addresses[peer] = address
            self._outboxes[peer] = self._connect(address)

    def _connect(self, address: str) -> zmq.Socket[bytes]:
        outbox = self._context.socket(zmq.PUSH)
        outbox.setsockopt(zmq.SNDHWM, _QUEUE_MESSAGES)
        outbox.setsockopt(zmq.IMMEDIATE, 1)
        outbox.setsockopt(zmq.LINGER, 0)
        outbox.setsockopt(zmq.RECONNECT_IVL, 20)
        outbox.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
        outbox.connect(self._way(address))
        return outbox

    def send(self, peer: int, message: Content | None, payloads: Sequence[Any] = ()) -> bool:
        """Send if the peer is known, is there and keeps up; whether it was queued."""
        outbox = self._outboxes.get(peer)
        if outbox is None:
            return False
        frames = encode_message(self._cluster_id, self.me, message, payloads)
        try:
            outbox.send_multipart(frames, flags=zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def receive(self) -> PeerMessage | None:
        """The next well-formed message from a member of the cluster, or None when there is none now.

        None, too, after a number of others: whoever sends only garbage must not keep the replica from its own work. What is
        left makes the inbox readable again.
        """
        for _ in range(_GARBAGE_PER_CALL):
            try:
                frames = self.inbox.recv_multipart(flags=zmq.DONTWAIT)
            except zmq.Again:
                return None
            message = decode_message(frames, self._cluster_id, self._outboxes)
            if message is not None:
                return message
            self.malformed += 1
        return None

    def close(self) -> None:
        """Close every socket; what was not sent is dropped."""
        self._context.destroy(linger=0)


def bind(socket: zmq.Socket[bytes], address: str, what: str) -> None:
    """Bind a socket, or raise ConfigurationError that names the address and the reason."""
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        raise ConfigurationError(
            f"{what} address {address}: expected one that can be bound, found: {error.strerror or error}; "
            "is another replica (or program) using it?"
        ) from None
