"""What a production replica takes for its sockets: queues that the simulation fills and empties."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from psmr.transport import client_protocol as protocol
from psmr.transport.client_port import ChangeAsked, EventsAsked, Greeted, StatusAsked, Submitted
from psmr.transport.peers import PeerMessage

_WISHES = (protocol.AskChange, protocol.AskUpgrade)


class SimulatedLinks:
    """`PeerLinks` over `send(to, message, payloads)`, payloads if any, which says whether it was queued."""

    def __init__(self, send: Callable[..., bool]) -> None:
        self.inbox: deque[PeerMessage] = deque()
        self.malformed = 0
        self.send = send

    def meet(self, addresses: Mapping[int, str]) -> None:
        """All are known."""

    @property
    def has_received(self) -> bool:
        """Whether messages are waiting."""
        return bool(self.inbox)

    def receive(self) -> PeerMessage | None:
        """The next message that arrived."""
        return self.inbox.popleft() if self.inbox else None

    def close(self) -> None:
        """Nothing to let go of."""


class SimulatedPort:
    """`ClientPort` of a replica of the service with that fingerprint, over `send(connection, frames)`."""

    def __init__(self, me: int, fingerprint: int, send: Callable[[bytes, list[bytes]], None]) -> None:
        self._fingerprint = fingerprint
        self.malformed = 0
        self.inbox: deque[tuple[bytes, list[bytes]]] = deque()
        self._me = me
        self._members: tuple[tuple[int, str], ...] = ()
        self._welcomes: dict[int | None, list[bytes]] = {}  # by leader, to these members
        self._send = send

    @property
    def has_received(self) -> bool:
        """Whether requests are waiting."""
        return bool(self.inbox)

    def receive(self) -> Greeted | Submitted | StatusAsked | ChangeAsked | EventsAsked | None:
        """The next request that arrived."""
        inbox = self.inbox
        while inbox:
            connection, frames = inbox.popleft()
            request = protocol.decode_request(frames)
            if isinstance(request, protocol.Submit):
                return Submitted(connection, request.batch)
            if isinstance(request, protocol.AskStatus):
                return StatusAsked(connection, request.digest)
            if isinstance(request, _WISHES):
                return ChangeAsked(connection, request)
            if request.fingerprint != self._fingerprint:
                self._send(connection, protocol.encode_mismatch(f"version {self._fingerprint:#x} runs here"))
            elif isinstance(request, protocol.AskEvents):
                return EventsAsked(connection, request)
            else:
                return Greeted(connection)
        return None

    def welcome(self, request: Greeted, leader: int | None) -> None:
        """Answer a greeting."""
        frames = self._welcomes.get(leader)
        if frames is None:
            frames = self._welcomes[leader] = protocol.encode_welcome("simulated", self._me, leader, self._members)
        self._send(request.connection, frames)

    def answer_change(self, asked: ChangeAsked, accepted: bool, text: str) -> None:
        """Say what became of a wish."""
        self._send(asked.connection, protocol.encode_control(protocol.ChangeIs(accepted, text)))

    def send_events(self, connection: bytes, events: protocol.EventsAre) -> None:
        """Answer a question for events."""
        self._send(connection, protocol.encode_control(events))

    def meet(self, members: Mapping[int, str]) -> None:
        """Clients are told of these members from now on."""
        self._members = tuple(members.items())
        self._welcomes.clear()

    def reply(self, connection: bytes, reply: bytes) -> None:
        """Send a reply."""
        self._send(connection, protocol.encode_reply_message(reply))

    def error(self, connection: bytes, text: str) -> None:
        """Say that what was sent made no sense."""
        self._send(connection, protocol.encode_error(text))

    def flush(self) -> None:
        """Nothing waits here."""
