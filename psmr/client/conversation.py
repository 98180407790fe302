"""A client's side of everything said between it and a cluster, without a socket or a clock in it.

    dial ──hello──► DIALING ──welcome──► READY ──hello unanswered, no progress──► dial the next one
     ▲                 │ │                                                              │
     │                 │ └─welcome of a follower: dial the leader                       │
     └──── RESTING ◄───┴──────── every address failed ◄─────────────────────────────────┘

Both drivers run this: they carry frames and time in, and do what it asks of their `Wire`.

**A replica from which nothing comes** is greeted again (`Watch`). Its welcome says that it is slow, and then nothing is sent
twice, or that another leader was elected: what the former one may have taken along is sent again at once, to the new one if
leaders are preferred. Without a welcome the next replica is dialled. A leader that was left is not gone back to on the word of
a follower that has not missed it yet: that follower serves until it names another, or none.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from psmr.client.failures import Failure
from psmr.client.settings import ClientSettings, ServiceIdentity, endpoint
from psmr.client.watch import NEVER_US, Watch
from psmr.core import batch
from psmr.core.reply import BatchStatus, Reply
from psmr.core.rotation import Rotation
from psmr.core.sessions import KEPT_REPLIES
from psmr.core.submission import Submission
from psmr.core.submission_events import (
    Closed,
    Connected,
    Disconnected,
    Effect,
    Fail,
    FailureKind,
    Parts,
    ReplyReceived,
    Resolve,
    Rotate,
    SendBatch,
    SendOpen,
    SendRead,
    Submit,
    SubmitRead,
    TimePassed,
)
from psmr.errors import InvalidCall
from psmr.transport import client_protocol as protocol

_REST_US: Final = 20_000
_BATCHES: Final = (SendBatch, SendRead)


class Wire(Protocol):
    """What a driver does for the conversation. Neither call blocks."""

    def dial(self, address: str) -> None:
        """Talk to `address` from now on; what the previous one still says is dropped."""

    def transmit(self, frames: list[bytes]) -> None:
        """Send one message to whom was dialled last."""


class Ticket(Protocol):
    """Told once what became of a batch."""

    def resolve(self, reply: Reply) -> None:
        """It was executed."""

    def fail(self, failure: Failure) -> None:
        """It will not be answered."""


class Phase(enum.Enum):
    """Where the conversation stands."""

    RESTING = "resting"  # every address failed; the next is dialled after a rest
    DIALING = "dialing"  # a hello was sent
    READY = "ready"  # a replica serves us
    ENDED = "ended"


class Conversation:
    """Finds a replica that serves, submits through it, and moves on when it falls silent."""

    def __init__(
        self,
        wire: Wire,
        service: ServiceIdentity,
        addresses: Sequence[str],
        settings: ClientSettings,
        draw_nonce: Callable[[], int],
    ) -> None:
        self._wire = wire
        self._service = service
        self._settings = settings
        self._rotation = Rotation([endpoint(address) for address in addresses])
        self._submission: Submission[Ticket] = Submission(settings.limits(), draw_nonce)
        self._hello = protocol.encode_hello(service.name, service.fingerprint)
        self._watch = Watch(settings.ask_us, min(settings.welcome_us, settings.retry_us), settings.retry_us_max)
        self._dial_at_us = NEVER_US  # while RESTING
        self._failed_dials = 0  # since a replica served us
        self._rest_us = _REST_US
        self._refusal = ""  # the last reason for which the replica that serves us refused a batch
        self._leader_tried = False  # a leader's address is dialled once in every search, or two stale hints would loop
        self._leader: int | None = None  # as last named
        self._members: list[protocol.Member] = []  # as last named
        self._suspects: set[str] = set()  # left in silence since there was progress
        self.phase = Phase.RESTING
        self._is_leaving = False  # another version took over: no more than the replies to what is under way is wanted
        self.mismatch: str | None = None
        self.batch_bytes_max = batch.BATCH_BYTES_MAX

    @property
    def window_has_room(self) -> bool:
        """Whether a batch submitted now would wait neither for the window nor behind another."""
        return self._submission.window_has_room

    @property
    def read_window_has_room(self) -> bool:
        """Whether a read submitted now would wait neither for the window of reads nor behind another."""
        return self._submission.read_window_has_room

    @property
    def calls_have_room(self) -> bool:
        """Whether single calls should go now: with batches under way, those that come meanwhile gain by waiting for others."""
        submission = self._submission
        return submission.window_has_room and submission.under_way < self._settings.call_batches

    @property
    def read_calls_have_room(self) -> bool:
        """As `calls_have_room`, for calls that only read."""
        submission = self._submission
        return submission.read_window_has_room and submission.reads_under_way < self._settings.call_batches

    @property
    def has_room(self) -> bool:
        """Whether a batch submitted now would be taken rather than refused."""
        return self._submission.has_room

    @property
    def next_timer_us(self) -> int | None:
        """When `pass_time` is due next."""
        if self.phase is Phase.ENDED:
            return None
        at_us, watch = self._submission.next_timer_us, self._watch
        if at_us is None or self._dial_at_us < at_us:
            at_us = self._dial_at_us
        if watch.ask_at_us < at_us:
            at_us = watch.ask_at_us
        if watch.give_up_at_us < at_us:
            at_us = watch.give_up_at_us
        return at_us if at_us < NEVER_US else None

    def account(self) -> str:
        """Who was tried and what each answered."""
        return self._rotation.account()

    def unreachable(self, waited_us: int) -> str:
        """What to say when nobody has taken the client in."""
        return (
            f"expected a replica to take the client in within {waited_us / 1e6:g} s; {self.account()}: start the cluster, or "
            "correct the address"
        )

    def start(self, now_us: int) -> None:
        """Look for a replica."""
        self._dial(self._rotation.current, now_us)

    def submit(self, ticket: Ticket, parts: Parts, deadline_us: int, now_us: int, *, is_read: bool = False) -> None:
        """Have `parts` executed; the ticket is told by `deadline_us`. Raises `InvalidCall` for what fits no batch.

        `is_read`: every command of them only reads; they go beside the log unless the settings say otherwise.
        """
        records_bytes, blob_bytes = len(parts.records), len(parts.blob)
        if parts.stride > self._service.stride:
            raise InvalidCall(f"expected records of at most {self._service.stride} bytes, found {parts.stride}")
        batch.check_parts(parts.stride, records_bytes, parts.count, blob_bytes, self.batch_bytes_max)
        if self.phase is Phase.ENDED:
            ticket.fail(Failure(FailureKind.UNAVAILABLE, "the connection is closed: open another one"))
            return
        if self._is_leaving:
            ticket.fail(Failure(FailureKind.MISMATCH, f"{self.mismatch}; open another connection, with that source"))
            return
        kind = SubmitRead if is_read and not self._settings.reads_in_log else Submit
        self._perform(self._submission.handle(kind(ticket, parts, deadline_us, now_us)), now_us)
        self._expect(now_us)

    def receive(self, frames: Sequence[bytes], now_us: int) -> None:
        """Take in one message of the replica dialled last."""
        if self.phase is Phase.READY:
            self._watch.hear()
        try:
            message = protocol.decode_response(frames)
        except protocol.MalformedMessage as error:
            self._take_nonsense(f"no message of this protocol ({error})", now_us)
            return
        if isinstance(message, protocol.Answer):
            if self.phase is Phase.READY:
                self._take_answer(message.reply, now_us)
        elif isinstance(message, protocol.Welcome):
            self._take_welcome(message, now_us)
        elif isinstance(message, protocol.Mismatch):
            self.mismatch = f"{self._rotation.current}: {message.text}"
            self._take_mismatch(message, now_us)
        elif isinstance(message, protocol.ErrorText):
            self._take_nonsense(f"error ({message.text})", now_us)
        self._expect(now_us)

    def pass_time(self, now_us: int) -> None:
        """Let timers fire that are due."""
        if self.phase is Phase.ENDED:
            return
        if now_us >= self._dial_at_us:
            self._dial(self._rotation.advance(), now_us)
        elif now_us >= self._watch.give_up_at_us:
            self._abandon(f"no answer in {self._watch.waits_us / 1000:g} ms", now_us)
        elif now_us >= self._watch.ask_at_us:
            self._watch.ask(now_us)
            self._wire.transmit(self._hello)
        self._perform(self._submission.handle(TimePassed(now_us)), now_us)
        self._expect(now_us)

    def close(self) -> None:
        """Fail every ticket that is still waiting."""
        self.phase = Phase.ENDED
        self._perform(self._submission.handle(Closed()), 0)

    # --- finding a replica --------------------------------------------------------------------------------------------

    def _dial(self, address: str, now_us: int) -> None:
        self.phase = Phase.DIALING
        self._dial_at_us = NEVER_US
        self._watch.dial(now_us)
        self._wire.dial(self._rotation.go_to(address))
        self._wire.transmit(self._hello)

    def _take_welcome(self, welcome: protocol.Welcome, now_us: int) -> None:
        if self.phase not in (Phase.DIALING, Phase.READY):
            return
        self._rotation.record("welcome")
        if welcome.members != self._members:
            self._rotation.learn([endpoint(member.address) for member in welcome.members])
            self._members = welcome.members
        self.batch_bytes_max = min(batch.BATCH_BYTES_MAX, welcome.batch_bytes_max)
        has_moved = welcome.leader is not None and welcome.leader != self._leader
        self._leader = welcome.leader
        if welcome.leader is None:
            self._suspects.clear()  # whoever is elected now is well
        named = welcome.address_of_leader()
        leader = None if named is None or welcome.leader == welcome.replica else endpoint(named)
        is_doubted = leader in self._suspects
        has_news = self.phase is Phase.DIALING or has_moved or is_doubted or welcome.leader is None
        self._watch.welcome(now_us, has_news=has_news)
        if leader is not None and self._settings.prefer_leader and not self._leader_tried and not is_doubted:
            self._leader_tried = True
            self._leave()
            self._dial(leader, now_us)
        elif self.phase is Phase.DIALING:
            self._settle(welcome, now_us)
        elif has_moved:
            self._perform(self._submission.handle(Connected(welcome.window_batches, now_us)), now_us)

    def _settle(self, welcome: protocol.Welcome, now_us: int) -> None:
        self.phase = Phase.READY
        self._failed_dials = 0
        self._rest_us = _REST_US
        self._leader_tried = False
        self._refusal = ""
        self._is_leaving = False
        self._perform(self._submission.handle(Connected(welcome.window_batches, now_us)), now_us)

    def _take_mismatch(self, mismatch: protocol.Mismatch, now_us: int) -> None:
        """No replica serves us any more, though one did: another version runs.

        What is under way may have been executed before that took over. It is sent once more: delivery answers with the reply
        that it kept, or that it was not executed. Nothing new is taken.
        """
        if self._is_leaving and self.phase is Phase.READY:
            self._watch.welcome(now_us, has_news=False)  # it is there, and has said before that it does not serve us
        elif (
            self.phase is Phase.DIALING and self._submission.under_way and self._failed_dials + 1 >= len(self._rotation)
        ):
            self._is_leaving = True
            self._rotation.record(f"another service ({mismatch.text})")
            self.phase = Phase.READY
            self._watch.welcome(now_us, has_news=True)
            self._perform(self._submission.handle(Connected(KEPT_REPLIES, now_us)), now_us)
        else:
            self._abandon(f"another service ({mismatch.text})", now_us)

    def _take_answer(self, reply: Reply, now_us: int) -> None:
        if reply.status in (BatchStatus.REFUSED, BatchStatus.READ_REFUSED):
            self._refusal = reply.text()
            self._rotation.record(f"refused ({self._refusal})")
        else:
            self._watch.progress()
            self._suspects.clear()
            if self._refusal:
                self._refusal = ""
                self._rotation.record("welcome")
        self._perform(self._submission.handle(ReplyReceived(reply, now_us)), now_us)

    def _take_nonsense(self, answer: str, now_us: int) -> None:
        """From a stranger: go on to the next. From a replica that serves us: retrying will tell."""
        if self.phase is Phase.READY:
            self._rotation.record(answer)
        else:
            self._abandon(answer, now_us)

    def _abandon(self, answer: str, now_us: int) -> None:
        """The current address is no good: dial the next, but rest after each round."""
        if self.phase not in (Phase.DIALING, Phase.READY):
            return
        self._rotation.record(answer)
        self._suspects.add(self._rotation.current)
        if self.phase is Phase.READY:
            self._watch.fail()
        self._leave()
        self._failed_dials += 1
        if self._failed_dials % len(self._rotation):
            self._dial(self._rotation.advance(), now_us)
            return
        self.phase = Phase.RESTING
        self._watch.fail()
        self._watch.rest()
        self._dial_at_us = now_us + self._rest_us
        self._rest_us = min(2 * self._rest_us, self._settings.retry_us_max)

    def _leave(self) -> None:
        if self.phase is Phase.READY:
            self._submission.handle(Disconnected())

    def _expect(self, now_us: int) -> None:
        if self.phase is Phase.READY:
            self._watch.expect(now_us, is_waiting=self._submission.is_waiting)

    # --- what the core wants done -------------------------------------------------------------------------------------

    def _perform(self, effects: list[Effect[Ticket]], now_us: int) -> None:
        for effect in effects:
            if isinstance(effect, _BATCHES):
                self._wire.transmit(self._encode(effect))
            elif isinstance(effect, Resolve):
                effect.ticket.resolve(effect.reply)
            elif isinstance(effect, Fail):
                effect.ticket.fail(self._failure(effect))
            elif isinstance(effect, SendOpen):
                opening = batch.encode_open(self._service.fingerprint, effect.nonce)
                self._wire.transmit(protocol.encode_submit(opening))
            elif isinstance(effect, Rotate):
                because = f", refused ({self._refusal})" if self._refusal else ""
                self._abandon(f"no progress for {effect.silent_us / 1000:g} ms{because}", now_us)

    def _encode(self, send: SendBatch | SendRead) -> list[bytes]:
        parts, service = send.parts, self._service
        encoded = batch.encode(
            batch.KIND_READ if isinstance(send, SendRead) else batch.KIND_COMMANDS,
            service.fingerprint,
            send.session,
            send.sequence,
            send.number if isinstance(send, SendRead) else send.answered,
            parts.stride,
            parts.records,
            parts.count,
            parts.blob,
        )
        return protocol.encode_submit(encoded)

    def _failure(self, effect: Fail[Ticket]) -> Failure:
        if self._is_leaving and effect.kind is FailureKind.INVALID:
            return Failure(FailureKind.MISMATCH, f"not executed: {effect.text}")
        if effect.kind is not FailureKind.INVALID and self.phase is not Phase.ENDED:
            return Failure(effect.kind, f"{effect.text}; {self.account()}")
        return Failure(effect.kind, effect.text)
