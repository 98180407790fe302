"""What replicas say to each other: one socket a replica that listens, one connection to each peer.

A message is a head frame (msgpack: cluster, sender, and a Raft message, a question about reading or its answer, one about
snapshots or divergence, or None) and payload frames: whole log records after an AppendEntries, one payload to be ordered after
None. Sending never blocks and may lose: the protocol above expects it. What does not decode is counted and dropped.

The replica's loop reads and writes the sockets itself. A library's thread in between would be woken for each message on both
sides, and a lone call waits for every one of these.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from psmr.core.divergence_messages import DIVERGENCE_MESSAGES, DivergenceMessage
from psmr.core.raft import Message
from psmr.transport.incoming import Incoming
from psmr.transport.outgoing import Outgoing

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
    """The connections between replica `me` and its peers (`addresses`, by id, `me` included), without a thread of their own.

    `inbox` is a descriptor that is readable while there is something to do: `receive` does it. `way`: where to dial for what is
    at an address, if there is a relay on the way.
    """

    def __init__(
        self, me: int, cluster_id: int, addresses: Mapping[int, str], way: Callable[[str], str] = lambda there: there
    ) -> None:
        self.me = me
        self._malformed = 0
        self._has_looked = False
        self._cluster_id = cluster_id
        self._way = way
        self._epoll = select.epoll()
        self._incoming = Incoming(addresses[me], self._epoll)
        self._addresses: dict[int, str] = {}
        self._outgoing: dict[int, Outgoing] = {}
        self.meet(addresses)

    @property
    def inbox(self) -> int:
        """The descriptor to poll."""
        return self._epoll.fileno()

    @property
    def has_received(self) -> bool:
        """Whether messages are waiting of which the descriptor does not tell, because they have been read."""
        return bool(self._incoming.messages)

    @property
    def malformed(self) -> int:
        """How much of what arrived was no message from a member of the cluster."""
        return self._malformed + self._incoming.malformed

    @malformed.setter
    def malformed(self, count: int) -> None:
        self._malformed = count - self._incoming.malformed

    def meet(self, addresses: Mapping[int, str]) -> None:
        """Know these replicas, and where they are, besides those known already; one that has moved is dialled anew."""
        for peer, address in addresses.items():
            if peer == self.me or self._addresses.get(peer) == address:
                continue
            if peer in self._outgoing:
                self._outgoing[peer].hang_up()
            self._addresses[peer] = address
            self._outgoing[peer] = Outgoing(self._way(address), self._epoll)
            self._outgoing[peer].dial()

    def send(self, peer: int, message: Content | None, payloads: Sequence[Any] = ()) -> bool:
        """Send if the peer is known, is there and keeps up; whether it was queued."""
        outgoing = self._outgoing.get(peer)
        return outgoing is not None and outgoing.send(encode_message(self._cluster_id, self.me, message, payloads))

    def receive(self) -> PeerMessage | None:
        """The next well-formed message from a member of the cluster, or None when all is taken that was there at the last look.

        None, too, after a number of others: whoever sends only garbage must not keep the replica from its own work.
        """
        messages = self._incoming.messages
        for _ in range(_GARBAGE_PER_CALL):
            if not messages:
                self._has_looked = not self._has_looked and self._react()
                if not messages:
                    return None
            message = decode_message(messages.popleft(), self._cluster_id, self._outgoing)
            if message is not None:
                return message
            self._malformed += 1
        return None

    def _react(self) -> bool:
        """Do what there is to do for the sockets, once each; whether messages came."""
        accepted = self._incoming.accepted
        for descriptor, events in self._epoll.poll(0):
            if not self._incoming.react(descriptor):
                for outgoing in self._outgoing.values():
                    if outgoing.fileno == descriptor:
                        outgoing.react(events)
        if self._incoming.accepted != accepted:
            # Somebody is there who may not have been: the way back is made before it is needed.
            for outgoing in self._outgoing.values():
                outgoing.dial()
        return bool(self._incoming.messages)

    def close(self) -> None:
        """Close every socket; what was not sent is dropped."""
        for outgoing in self._outgoing.values():
            outgoing.hang_up()
        self._incoming.close()
        self._epoll.close()
