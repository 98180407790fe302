"""The replica's end for clients: takes requests in and sends replies and statuses out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from cdep import Service
from psmr.transport import client_protocol as protocol
from psmr.transport.client_connections import ClientConnections

_GARBAGE_PER_CALL = 64
_WISHES = (protocol.AskChange, protocol.AskUpgrade)
_LINGER_S = 0.2


class Greeted(Struct, frozen=True, gc=False):
    """A client of this very service says hello."""

    connection: bytes


class Submitted(Struct, frozen=True, gc=False):
    """A client sent what begins like a batch."""

    connection: bytes
    batch: bytes


class StatusAsked(Struct, frozen=True, gc=False):
    """Somebody asks where the replica stands."""

    connection: bytes
    digest: bool


class ChangeAsked(Struct, frozen=True, gc=False):
    """An operator wants other members, or another version of the service."""

    connection: bytes
    wish: protocol.AskChange | protocol.AskUpgrade


class EventsAsked(Struct, frozen=True, gc=False):
    """Somebody follows the events of this very service."""

    connection: bytes
    asked: protocol.AskEvents


class ClientPort:
    """Bound to one address. Clients of another service are turned away here; garbage is counted and dropped.

    What is sent goes at the next `flush`: several replies to one client are one call of the kernel, and wake it once.
    """

    def __init__(
        self, address: str, service: Service, cluster: str, replica_id: int, members: Mapping[int, str]
    ) -> None:
        self._malformed = 0
        self._service = service
        self._cluster = cluster
        self._replica_id = replica_id
        self._members = tuple(members.items())
        self._clients = ClientConnections(address, protocol.FRAME_BYTES_MAX)

    @property
    def inbox(self) -> int:
        """A descriptor that is readable while something is to be received, or done, which `receive` does."""
        return self._clients.inbox

    @property
    def has_received(self) -> bool:
        """Whether requests are waiting of which the descriptor does not tell, because they have been read."""
        return self._clients.has_received

    @property
    def malformed(self) -> int:
        """How much of what arrived made no sense."""
        return self._malformed + self._clients.malformed

    @malformed.setter
    def malformed(self, count: int) -> None:
        self._malformed = count - self._clients.malformed

    def receive(self) -> Greeted | Submitted | StatusAsked | ChangeAsked | EventsAsked | None:
        """The next request that is the replica's business, or None when there is none now.

        None, too, after a number of others: whoever sends only garbage must not keep the replica from its own work. What is
        left is told by `inbox` and `has_received`.
        """
        for _ in range(_GARBAGE_PER_CALL):
            received = self._clients.receive()
            if received is None:
                return None
            connection, frames = received
            try:
                request = protocol.decode_request(frames)
            except protocol.MalformedMessage as error:
                self._malformed += 1
                self.error(connection, str(error))
                continue
            if isinstance(request, protocol.Submit):
                return Submitted(connection, request.batch)
            if isinstance(request, protocol.AskStatus):
                return StatusAsked(connection, request.digest)
            if isinstance(request, _WISHES):
                return ChangeAsked(connection, request)
            if isinstance(request, protocol.AskEvents):
                if request.fingerprint == self._service.fingerprint:
                    return EventsAsked(connection, request)
                hello = protocol.Hello(protocol.PROTOCOL_VERSION, "another service", request.fingerprint)
                self._turn_away(connection, hello)
                continue
            if request.fingerprint == self._service.fingerprint and request.version == protocol.PROTOCOL_VERSION:
                return Greeted(connection)
            self._turn_away(connection, request)
        return None

    def _turn_away(self, connection: bytes, hello: protocol.Hello) -> None:
        text = (
            f"expected a client of {self._service.name} (specification {self._service.fingerprint:#018x}), found one of "
            f"{hello.service} ({hello.fingerprint:#018x}), protocol {hello.version} against {protocol.PROTOCOL_VERSION}: "
            "use the service's source, and the version of psmr, that the cluster runs"
        )
        self._send(connection, protocol.encode_mismatch(text))

    def welcome(self, request: Greeted, leader: int | None) -> None:
        """Answer a greeting: who this is, who leads, where the others are."""
        self._send(request.connection, protocol.encode_welcome(self._cluster, self._replica_id, leader, self._members))

    def meet(self, members: Mapping[int, str]) -> None:
        """From now on clients are told of these members: where clients reach each, by id."""
        self._members = tuple(members.items())

    def answer_change(self, asked: ChangeAsked, accepted: bool, text: str) -> None:
        """Say what became of a wish."""
        self._send(asked.connection, protocol.encode_control(protocol.ChangeIs(accepted, text)))

    def reply(self, connection: bytes, reply: bytes) -> None:
        """Send the reply to a batch."""
        self._send(connection, protocol.encode_reply_message(reply))

    def send_status(self, connection: bytes, status: Mapping[str, Any]) -> None:
        """Answer a question for status."""
        self._send(connection, protocol.encode_status(dict(status)))

    def send_events(self, connection: bytes, events: protocol.EventsAre) -> None:
        """Answer a question for events."""
        self._send(connection, protocol.encode_control(events))

    def error(self, connection: bytes, text: str) -> None:
        """Say that what was sent made no sense."""
        self._send(connection, protocol.encode_error(text))

    def _send(self, connection: bytes, frames: list[bytes]) -> None:
        # A client that is gone, or takes nothing, loses the message: it asks again if it still wants to know.
        self._clients.send(connection, frames)

    def flush(self) -> None:
        """Send what is to be sent, as far as the clients take it."""
        self._clients.flush()

    def close(self) -> None:
        """Close the sockets, giving the last replies a moment to leave."""
        self._clients.close(_LINGER_S)
