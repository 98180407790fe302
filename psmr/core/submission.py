"""The client's side of a session: a window of batches in flight, retried until answered, executed at most once.

    Submit ──► queue ──(connected, session open, room in the window)──► in flight ──reply──► Resolve
                 │ deadline: UNAVAILABLE                                  │ deadline: UNKNOWN, still pushed on

A batch gets its sequence when it is first sent, in the order of submission. What is lost is sent again from there on
(go-back-N), because a session executes strictly in sequence:

- connected to a replica: everything unanswered goes out again; replies kept by the cluster answer what was executed;
- `OUT_OF_ORDER(e)`: everything from e on goes out again, but once for each e. When e is lost from a window of W
  batches, W-1 such replies arrive; answering each with a window would send W² batches;
- refused: from that batch on, after a pause that doubles up to the retry interval;
- no progress for the retry interval, which doubles while there is none: `Rotate` to the next replica.

**A ticket given up on** has left a sequence that the session still waits for. Its batch is pushed on in the background,
so the tickets behind it are not lost; it may therefore be executed after its owner was told UNKNOWN, as that says.
The alternative, abandoning the session, would turn one late ticket into a window of unknown outcomes. Only the newest
sequence can be taken back, and only if every attempt at it was refused: then its ticket is REFUSED, not UNKNOWN.
Refusals are counted against attempts, so a transport must not deliver one refusal twice (a stream does not).

**A session that is gone** (evicted, or a malformed batch left a hole in it) cannot tell what it executed: tickets that
were sent are UNKNOWN, those never sent or refused at every attempt move to a new session, unnoticed.

**Reads** go beside all this, in a window of their own: see `psmr.core.submission_reads`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, assert_never

from psmr.core.reply import SEQUENCE_CONSUMED, BatchStatus, Reply
from psmr.core.sessions import KEPT_REPLIES
from psmr.core.submission_events import (
    Closed,
    Connected,
    Disconnected,
    Effect,
    Event,
    Fail,
    FailureKind,
    Parts,
    ReplyReceived,
    Resolve,
    Rotate,
    SendBatch,
    SendOpen,
    Submit,
    SubmitRead,
    TicketT,
    TimePassed,
)
from psmr.core.submission_reads import STATUSES, ReadWindow
from psmr.errors import ConfigurationError, Violation

_NEVER_US: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a client has under way, and how patient it is."""

    window_batches: int = 16
    queue_batches: int = 4_096
    queue_bytes: int = 256 << 20
    retry_us: int = 500_000
    retry_us_max: int = 8_000_000
    pause_us: int = 5_000

    def __post_init__(self) -> None:
        if not 1 <= self.window_batches <= KEPT_REPLIES:
            raise ConfigurationError(f"expected a window of 1 to {KEPT_REPLIES} batches, found {self.window_batches}")
        if min(self.queue_batches, self.queue_bytes, self.pause_us) < 1:
            raise ConfigurationError("expected a queue and a pause of at least 1")
        if not 1 <= self.retry_us <= self.retry_us_max:
            raise ConfigurationError(f"expected 1 ≤ retry_us ≤ {self.retry_us_max}, found {self.retry_us}")


@dataclass(slots=True, eq=False)
class _Entry(Generic[TicketT]):
    ticket: TicketT
    parts: Parts
    deadline_us: int
    number: int  # of batches submitted so far, this one included
    attempts: int = 0
    refusals: int = 0  # never above `attempts`; equal: nobody has it, nobody will execute it
    given_up: bool = False  # its owner was told UNKNOWN

    @property
    def certainly_not_executed(self) -> bool:
        return self.attempts == self.refusals


class Submission(Generic[TicketT]):
    """One client's submissions: pure, driven by `handle`, which alone changes it."""

    def __init__(self, limits: Limits, draw_nonce: Callable[[], int]) -> None:
        self._limits = limits
        self._draw_nonce = draw_nonce
        self._connected = False
        self._window = limits.window_batches  # the connected replica may allow fewer than the limits
        self._session = 0  # 0: none, and then nothing is in flight
        self._nonce: int | None = None  # of the open under way
        self._open_sent = False
        self._queue: deque[_Entry[TicketT]] = deque()  # no sequence yet
        self._queued_bytes = 0
        self._submitted = 0
        self._reads: ReadWindow[TicketT] = ReadWindow(limits)
        self._in_flight: dict[int, _Entry[TicketT]] = {}  # by sequence, ascending
        self._next_sequence = 1
        self._cursor = 1  # in-flight sequences from here on were not sent since we last went back
        self._went_back_to = 0  # the highest sequence gone back to on this connection
        self._retry_at_us = _NEVER_US
        self._retry_us = limits.retry_us
        self._resume_at_us = 0  # nothing is sent before
        self._pause_us = limits.pause_us
        self._deadline_us = _NEVER_US  # no ticket's deadline is earlier

    @property
    def has_room(self) -> bool:
        """Whether a `Submit` or a `SubmitRead` would be taken rather than refused."""
        return self._queue_has_room and self._reads.has_room

    @property
    def _queue_has_room(self) -> bool:
        return len(self._queue) < self._limits.queue_batches and self._queued_bytes < self._limits.queue_bytes

    @property
    def window_has_room(self) -> bool:
        """Whether a `Submit` would wait neither for the window nor behind another one."""
        return not self._queue and self.under_way < self._window

    @property
    def under_way(self) -> int:
        """Batches that are sent and not answered."""
        return self._next_sequence - self._lowest_unanswered()

    @property
    def read_window_has_room(self) -> bool:
        """Whether a `SubmitRead` would wait neither for the window nor behind another one."""
        return self._reads.window_has_room

    @property
    def reads_under_way(self) -> int:
        """Reads that are sent and not answered."""
        return self._reads.under_way

    @property
    def is_waiting(self) -> bool:
        """Whether the connected replica owes an answer."""
        return self._retry_at_us < _NEVER_US or self._reads.retry_at_us < _NEVER_US

    @property
    def pending(self) -> int:
        """Tickets that are neither resolved nor failed."""
        return len(self._reads) + len(self._queue) + sum(not entry.given_up for entry in self._in_flight.values())

    @property
    def next_timer_us(self) -> int | None:
        """When `TimePassed` is due next; None while nothing waits for time."""
        reads = self._reads
        at_us = self._deadline_us
        if self._retry_at_us < at_us:
            at_us = self._retry_at_us
        if reads.deadline_us < at_us:
            at_us = reads.deadline_us
        if reads.retry_at_us < at_us:
            at_us = reads.retry_at_us
        if self._connected:
            if 0 < self._resume_at_us < at_us:
                at_us = self._resume_at_us
            if 0 < reads.resume_at_us < at_us:
                at_us = reads.resume_at_us
        return at_us if at_us < _NEVER_US else None

    def handle(self, event: Event[TicketT]) -> list[Effect[TicketT]]:
        """What to do about `event`, in this order."""
        effects: list[Effect[TicketT]] = []
        if isinstance(event, ReplyReceived):
            self._take_reply(event.reply, event.now_us, effects)
            self._send(event.now_us, effects)
        elif isinstance(event, TimePassed):
            self._pass_time(event.now_us, effects)
            self._send(event.now_us, effects)
        elif isinstance(event, Submit):
            self._submit(event, effects)
            self._send(event.now_us, effects)
        elif isinstance(event, SubmitRead):
            self._reads.submit(event, self._submitted, effects)
            self._send(event.now_us, effects)
        elif isinstance(event, Connected):
            self._connect(event)
            self._send(event.now_us, effects)
        elif isinstance(event, Disconnected):
            self._disconnect()
        elif isinstance(event, Closed):
            self._close(effects)
        else:
            assert_never(event)
        return effects

    def validate(self) -> None:
        """Raises `Violation` unless every invariant of the class holds."""
        sequences = list(self._in_flight)
        if sequences != sorted(sequences) or any(not 0 < sequence < self._next_sequence for sequence in sequences):
            raise Violation(f"expected ascending sequences below {self._next_sequence}, found {sequences}")
        if self._next_sequence - self._lowest_unanswered() > self._limits.window_batches:
            raise Violation(f"expected at most {self._limits.window_batches} batches in flight, found {sequences}")
        if self._in_flight and not self._session:
            raise Violation(f"expected a session for what is in flight, found none for {sequences}")
        if not 1 <= self._cursor <= self._next_sequence:
            raise Violation(f"expected a cursor up to {self._next_sequence}, found {self._cursor}")
        if any(entry.attempts < max(1, entry.refusals) for entry in self._in_flight.values()):
            raise Violation("expected every batch in flight to have been sent, and refused no more often")
        if self._queued_bytes != sum(entry.parts.size_bytes for entry in self._queue):
            raise Violation("expected the queue's size to be that of its batches")
        if any(entry.certainly_not_executed is False for entry in self._queue):
            raise Violation("expected nothing in the queue that may have been executed")
        self._reads.validate()

    # --- events -------------------------------------------------------------------------------------------------------

    def _submit(self, event: Submit[TicketT], effects: list[Effect[TicketT]]) -> None:
        if not self._queue_has_room:
            text = f"{len(self._queue)} batches of {self._queued_bytes} bytes are queued already: wait for earlier ones"
            effects.append(Fail(event.ticket, FailureKind.REFUSED, text))
            return
        self._submitted += 1
        self._queue.append(_Entry(event.ticket, event.parts, event.deadline_us, self._submitted))
        self._queued_bytes += event.parts.size_bytes
        self._deadline_us = min(self._deadline_us, event.deadline_us)

    def _connect(self, event: Connected) -> None:
        self._disconnect()
        self._connected = True
        self._window = max(1, min(self._limits.window_batches, event.window))
        self._cursor = self._lowest_unanswered()
        self._reads.connect(self._window)

    def _disconnect(self) -> None:
        self._connected = False
        self._open_sent = False
        self._went_back_to = 0
        self._resume_at_us = 0
        self._retry_at_us = _NEVER_US
        self._reads.disconnect()

    def _pass_time(self, now_us: int, effects: list[Effect[TicketT]]) -> None:
        if now_us >= self._deadline_us:
            self._expire(now_us, effects)
        self._reads.expire(now_us, effects)
        if self._connected and (now_us >= self._retry_at_us or now_us >= self._reads.retry_at_us):
            effects.append(Rotate(self._retry_us if now_us >= self._retry_at_us else self._reads.retry_us))
            self._retry_us = min(2 * self._retry_us, self._limits.retry_us_max)
            self._reads.retry_us = min(2 * self._reads.retry_us, self._limits.retry_us_max)
            self._disconnect()

    def _close(self, effects: list[Effect[TicketT]]) -> None:
        self._disconnect()
        self._lose_session("the connection was closed before it was answered", effects)
        for entry in self._queue:
            effects.append(Fail(entry.ticket, FailureKind.UNAVAILABLE, "the connection was closed before it was sent"))
        self._clear_queue()
        self._reads.close(effects)
        self._deadline_us = _NEVER_US

    # --- replies ------------------------------------------------------------------------------------------------------

    def _take_reply(self, reply: Reply, now_us: int, effects: list[Effect[TicketT]]) -> None:
        if reply.status in STATUSES:
            self._reads.take_reply(reply, now_us, effects)
        elif not self._session:
            self._take_reply_to_open(reply, now_us, effects)
        elif reply.session != self._session:
            return  # of an earlier session, whose tickets were told
        elif reply.status is BatchStatus.OUT_OF_ORDER:
            self._go_back(reply.sequence)
        elif reply.sequence not in self._in_flight:
            return  # a duplicate
        elif reply.status is BatchStatus.EXECUTED:
            self._resolve(reply, now_us, effects)
        elif reply.status is BatchStatus.REFUSED:
            self._take_refusal(reply.sequence, now_us)
        elif reply.status is BatchStatus.UNKNOWN_SESSION:
            self._lose_session(f"session {self._session} is no longer known to the cluster", effects)
        elif reply.status is BatchStatus.MALFORMED:
            self._take_malformed(reply, now_us, effects)

    def _take_reply_to_open(self, reply: Reply, now_us: int, effects: list[Effect[TicketT]]) -> None:
        if reply.status is BatchStatus.OPENED and reply.sequence == self._nonce:
            self._session = reply.session
            self._nonce = None
            self._open_sent = False
            self._next_sequence = self._cursor = 1
            self._note_progress(now_us)
        elif reply.session != self._nonce or reply.sequence != 0:
            return
        elif reply.status is BatchStatus.REFUSED:
            self._open_sent = False
            self._pause(now_us)
        elif reply.status is BatchStatus.MALFORMED:
            for entry in self._queue:
                effects.append(Fail(entry.ticket, FailureKind.INVALID, reply.text()))
            self._clear_queue()
            self._nonce = None
            self._open_sent = False
            self._retry_at_us = _NEVER_US

    def _resolve(self, reply: Reply, now_us: int, effects: list[Effect[TicketT]]) -> None:
        entry = self._in_flight.pop(reply.sequence)
        if not entry.given_up:
            effects.append(Resolve(entry.ticket, reply))
        self._cursor = max(self._cursor, self._lowest_unanswered())
        self._note_progress(now_us)

    def _go_back(self, expected: int) -> None:
        if expected > self._went_back_to and expected in self._in_flight:
            self._went_back_to = expected
            self._cursor = min(self._cursor, expected)

    def _take_refusal(self, sequence: int, now_us: int) -> None:
        entry = self._in_flight[sequence]
        if entry.refusals == entry.attempts:
            return
        entry.refusals += 1
        self._cursor = min(self._cursor, sequence)
        self._went_back_to = max(self._went_back_to, sequence)
        self._pause(now_us)

    def _take_malformed(self, reply: Reply, now_us: int, effects: list[Effect[TicketT]]) -> None:
        entry = self._in_flight.pop(reply.sequence)
        if not entry.given_up:
            effects.append(Fail(entry.ticket, FailureKind.INVALID, reply.text()))
        if reply.detail == SEQUENCE_CONSUMED:
            self._cursor = max(self._cursor, self._lowest_unanswered())
            self._note_progress(now_us)
        else:
            self._lose_session(f"the session was abandoned: its sequence {reply.sequence} was malformed", effects)

    def _lose_session(self, reason: str, effects: list[Effect[TicketT]]) -> None:
        for entry in reversed(self._in_flight.values()):
            if entry.given_up:
                continue  # nobody waits for it, and nothing does in a new session
            if entry.certainly_not_executed:
                self._queue.appendleft(entry)
                self._queued_bytes += entry.parts.size_bytes
            else:
                effects.append(Fail(entry.ticket, FailureKind.UNKNOWN, reason))
        self._in_flight.clear()
        self._session = 0
        self._open_sent = False
        self._next_sequence = self._cursor = 1
        self._went_back_to = 0
        self._retry_at_us = _NEVER_US

    # --- time ---------------------------------------------------------------------------------------------------------

    def _expire(self, now_us: int, effects: list[Effect[TicketT]]) -> None:
        """Fail what is past its deadline, newest first in flight, so that refused sequences can be taken back."""
        for sequence, entry in reversed(list(self._in_flight.items())):
            if entry.given_up or entry.deadline_us > now_us:
                continue
            if entry.certainly_not_executed and sequence == self._next_sequence - 1:
                del self._in_flight[sequence]
                self._next_sequence = sequence
                self._cursor = min(self._cursor, sequence)
                effects.append(Fail(entry.ticket, FailureKind.REFUSED, "every attempt before its deadline was refused"))
            else:
                entry.given_up = True
                effects.append(Fail(entry.ticket, FailureKind.UNKNOWN, "sent, but not answered before its deadline"))
        if not self._in_flight and not self._open_sent:
            self._retry_at_us = _NEVER_US
        self._expire_queue(now_us, effects)
        waiting = [entry for entry in (*self._in_flight.values(), *self._queue) if not entry.given_up]
        self._deadline_us = min((entry.deadline_us for entry in waiting), default=_NEVER_US)

    def _expire_queue(self, now_us: int, effects: list[Effect[TicketT]]) -> None:
        kept: list[_Entry[TicketT]] = []
        for entry in self._queue:
            if entry.deadline_us > now_us:
                kept.append(entry)
            else:
                kind = FailureKind.REFUSED if entry.refusals else FailureKind.UNAVAILABLE
                effects.append(Fail(entry.ticket, kind, "no replica took it before its deadline"))
        self._clear_queue()
        self._queue.extend(kept)
        self._queued_bytes = sum(entry.parts.size_bytes for entry in kept)

    def _note_progress(self, now_us: int) -> None:
        self._retry_us = self._limits.retry_us
        self._pause_us = self._limits.pause_us
        self._retry_at_us = now_us + self._retry_us if self._in_flight else _NEVER_US

    def _pause(self, now_us: int) -> None:
        self._resume_at_us = now_us + self._pause_us
        self._pause_us = min(2 * self._pause_us, self._limits.retry_us)

    # --- sending ------------------------------------------------------------------------------------------------------

    def _send(self, now_us: int, effects: list[Effect[TicketT]]) -> None:
        """Send whatever may be sent now, oldest first."""
        if self._connected:
            self._send_batches(now_us, effects)
            self._reads.send(now_us, self._session, self._place_of_read, effects)

    def _place_of_read(self, behind: int) -> int | None:
        """The newest unanswered sequence among the first `behind` batches, 0 if there is none; None: one is unsent."""
        if self._queue and self._queue[0].number <= behind:
            return None
        for sequence, entry in reversed(self._in_flight.items()):
            if entry.number <= behind and not entry.given_up:
                return sequence
        return 0

    def _send_batches(self, now_us: int, effects: list[Effect[TicketT]]) -> None:
        if now_us < self._resume_at_us:
            return
        self._resume_at_us = 0
        if not self._session:
            if self._queue and not self._open_sent:
                self._send_open(now_us, effects)
            return
        if self._cursor < self._next_sequence:
            for sequence, entry in self._in_flight.items():
                if sequence >= self._cursor:
                    self._send_batch(sequence, entry, now_us, effects)
        limit = self._lowest_unanswered() + self._window
        while self._queue and self._next_sequence < limit:
            entry = self._queue.popleft()
            self._queued_bytes -= entry.parts.size_bytes
            self._in_flight[self._next_sequence] = entry
            self._send_batch(self._next_sequence, entry, now_us, effects)
            self._next_sequence += 1
        self._cursor = self._next_sequence

    def _send_open(self, now_us: int, effects: list[Effect[TicketT]]) -> None:
        if self._nonce is None:
            self._nonce = self._draw_nonce()
        self._open_sent = True
        self._arm_retry(now_us)
        effects.append(SendOpen(self._nonce))

    def _send_batch(self, sequence: int, entry: _Entry[TicketT], now_us: int, effects: list[Effect[TicketT]]) -> None:
        entry.attempts += 1
        self._arm_retry(now_us)
        effects.append(SendBatch(self._session, sequence, self._lowest_unanswered() - 1, entry.parts))

    def _arm_retry(self, now_us: int) -> None:
        if self._retry_at_us == _NEVER_US:
            self._retry_at_us = now_us + self._retry_us

    def _lowest_unanswered(self) -> int:
        return next(iter(self._in_flight), self._next_sequence)

    def _clear_queue(self) -> None:
        self._queue.clear()
        self._queued_bytes = 0
