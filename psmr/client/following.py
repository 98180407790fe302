"""Following a service's events over the replicas of its cluster: what to ask whom, and what the answers are. Pure.

A position is the same at every replica. So whoever follows asks one replica after another from the position that it has come
to, and neither misses nor repeats an event when one of them fails. A replica that has nothing to say says so soon; one that
says nothing for `silence_us` is left for the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from cdep import Service
from psmr.client.settings import endpoint
from psmr.core.event_format import declared_events, records
from psmr.core.event_frame import FrameHead, MalformedFrame, frames
from psmr.errors import ClusterUnavailable, EventsGone, InvalidCall, Refused, ServiceMismatch
from psmr.transport import client_protocol as protocol

SILENCE_US: Final = 1_000_000
IDLE_ANSWERS: Final = 20
"""After so many answers without events, 2 s of them, the next replica is asked: this one may be cut off from the others."""
ASK_BYTES: Final = 256 << 10


class ServiceEvent(msgspec.Struct, frozen=True, gc=False):
    """One event: its place in the stream of all events, the command that emitted it, what it is called and says.

    `index` is that of the log entry, `now_us` its stamp, `session` and `sequence` those of the batch, `row` the command's in it.
    """

    position: int
    index: int
    row: int
    now_us: int
    session: int
    sequence: int
    name: str
    fields: dict[str, Any]


class Following:
    """One who follows: asks (`outgoing`) whom it says (`dial`), takes what comes (`receive`), and gives events (`take`).

    Times are microseconds of any one clock. `timeout_us`: after so long without an answer by any replica it gives up.
    Raises InvalidCall for kinds or a position that cannot be.
    """

    def __init__(
        self,
        service: Service,
        addresses: Sequence[str],
        position: int,
        kinds: Sequence[str] | None,
        timeout_us: int,
        silence_us: int = SILENCE_US,
    ) -> None:
        declared = declared_events(service)
        unknown = [name for name in kinds or () if name not in declared]
        if not declared:
            raise InvalidCall(
                f"events: expected a service that declares some, found {service.name} without: declare one in the class, "
                "`filled = Event(order=u64)`, and emit it in a handler"
            )
        if unknown:
            known = ", ".join(declared)
            raise InvalidCall(
                f"events: expected kinds of {service.name}, which has {known}; found {unknown}: correct them"
            )
        if not 0 <= position < 1 << 63:
            raise InvalidCall(f"events: expected a position from 0 on, found {position}")
        self.position = position
        self._service = service
        self._layouts = list(declared.items())
        self._wanted = [kinds is None or name in kinds for name in declared]
        self._addresses = [endpoint(address) for address in addresses]
        self._which = -1
        self._timeout_us = timeout_us
        self._silence_us = silence_us
        self._heard_at_us = -1
        self._due_us = -1
        self._in_vain = 0
        self._idle = 0
        self._gone: list[int] = []
        self._refusal = ""
        self._frames: list[tuple[FrameHead, memoryview]] = []
        self._asks = False

    def dial(self, now_us: int) -> str | None:
        """The address to connect to now, if it is time for another."""
        if self._heard_at_us < 0:
            self._heard_at_us = now_us
        if now_us < self._due_us or self._asks:
            return None
        if self._which >= 0 and self._idle < IDLE_ANSWERS:
            self._count_failure(now_us)
        self._idle = 0
        self._which = (self._which + 1) % len(self._addresses)
        self._due_us = now_us + self._silence_us
        self._asks = True
        return self._addresses[self._which]

    def outgoing(self, now_us: int) -> list[list[bytes]]:
        """What to send to the replica that was dialled."""
        if not self._asks:
            return []
        self._asks = False
        self._due_us = now_us + self._silence_us
        if not self._in_vain:
            self._heard_at_us = now_us
        service = self._service
        ask = protocol.AskEvents(service.fingerprint, self.position, ASK_BYTES)
        # The hello's answer says where the other replicas are.
        return [protocol.encode_hello(service.name, service.fingerprint), protocol.encode_control(ask)]

    @property
    def due_us(self) -> int:
        """When to `dial` again at the latest."""
        return self._due_us

    def receive(self, message: list[bytes], now_us: int) -> None:
        """Take in what the replica sent. Raises ServiceMismatch, EventsGone, Refused."""
        try:
            response = protocol.decode_response(message)
        except protocol.MalformedMessage:
            return
        if isinstance(response, protocol.Welcome):
            self._meet(response)
        elif isinstance(response, protocol.Mismatch):
            raise ServiceMismatch(response.text)
        elif isinstance(response, protocol.ErrorText):
            self._refusal = response.text
            self._due_us = now_us
        elif isinstance(response, protocol.EventsAre) and response.position == self.position and not self._asks:
            self._take_answer(response, now_us)

    def take(self) -> Iterator[ServiceEvent]:
        """The events that have come and are wanted; `position` moves on behind each as it is given."""
        received, self._frames = self._frames, []
        for head, events in received:
            for offset, (kind, row, place) in enumerate(records(events)):
                position = head.position + offset
                if position < self.position:
                    continue
                self.position = position + 1
                if self._is_wanted(head, kind):
                    name, layout = self._layouts[kind]
                    yield ServiceEvent(
                        position,
                        head.index,
                        row,
                        head.now_us,
                        head.session,
                        head.sequence,
                        name,
                        layout.decode(events, place),
                    )

    def _is_wanted(self, head: FrameHead, kind: int) -> bool:
        if head.fingerprint != self._service.fingerprint:
            raise ServiceMismatch(
                f"the event at position {head.position} is of service {head.fingerprint:#018x}, found "
                f"{self._service.fingerprint:#018x} here: read it with the source of that version, "
                f"or begin behind position {head.end - 1}"
            )
        return self._wanted[kind]

    def _meet(self, welcome: protocol.Welcome) -> None:
        known = {endpoint(member.address) for member in welcome.members}
        self._addresses += sorted(known.difference(self._addresses))

    def _take_answer(self, answer: protocol.EventsAre, now_us: int) -> None:
        self._heard_at_us = now_us
        if answer.earliest > self.position:
            self._gone.append(answer.earliest)
            self._due_us = now_us
            return
        try:
            found = list(frames(answer.frames))
            _check(found, self.position)
        except MalformedFrame as error:
            self._refusal = str(error)
            self._due_us = now_us
            return
        self._in_vain, self._gone, self._refusal = 0, [], ""
        self._frames = found
        self._idle = 0 if found else self._idle + 1
        self._asks = self._idle < IDLE_ANSWERS
        self._due_us = now_us + self._silence_us if self._asks else now_us

    def _count_failure(self, now_us: int) -> None:
        """A replica was asked in vain: when all were, say so."""
        self._in_vain += 1
        if self._in_vain < len(self._addresses):
            return
        if self._gone:
            earliest = min(self._gone)
            raise EventsGone(
                f"events: expected a position that some replica keeps, from {earliest} on; found {self.position}: "
                f"begin there, or raise tuning.events_mib before so many are emitted",
                earliest,
            )
        if self._refusal:
            raise Refused(self._refusal)
        if now_us - self._heard_at_us >= self._timeout_us:
            raise ClusterUnavailable(
                f"events: expected an answer within {self._timeout_us / 1e6:g} s, found none from "
                f"{', '.join(self._addresses)}"
            )


def _check(found: list[tuple[FrameHead, memoryview]], position: int) -> None:
    """Frames must follow each other from the one with `position` on. Raises MalformedFrame."""
    for head, _ in found:
        if not head.position <= position < head.end:
            raise MalformedFrame(f"expected a frame with the event at position {position}, found {head}")
        position = head.end
