"""Delivery: from committed entries to executed batches and replies. The one path of normal work, recovery and replay.

    entries ──► sessions ──► engine ──► replies, kept by the sessions ──► answers
    reads ─────────────────► engine ──► replies ────────────────────────► answers

Every decision here is made from the log alone, so every replica makes the same: what is malformed, repeated, out of order or
of an unknown session is answered, and executed by nobody. Batches that only read come from beside the log, take their place
behind what was delivered, and leave no trace: neither sessions nor state know of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from psmr.core import sessions as at
from psmr.core.batch import KIND_OPEN, KIND_READ, Batch, MalformedBatch, split
from psmr.core.control import Kind, is_control, kind_of
from psmr.core.override import Overridden, decode_override, remembered
from psmr.core.reply import SEQUENCE_CONSUMED, BatchStatus, encode_reply
from psmr.core.rolling import Rolling
from psmr.core.service_version import ServiceVersion, decode_version, foreign
from psmr.core.sessions import Sessions
from psmr.errors import ConfigurationError, Violation
from psmr.execution.engine import Engine
from psmr.log.port import Entry
from psmr.replica.event_stream import EventSink
from psmr.replica.reads import Read

_RECENT_BYTES = 64 << 10


class Answer(Struct, frozen=True, gc=False):
    """A reply for whoever waits for it: `to` is a session, or the nonce of an open, or it goes straight to a connection."""

    to: int
    reply: bytes
    connection: bytes | None = None


@dataclass(slots=True)
class _Delivered:
    """A batch on its way: still to be decided, or decided and waiting for room."""

    entry: Entry
    ordinal: int
    batch: Batch
    decided: bool = False


class RecentReplies:
    """The replies to the batches executed last, some of them: to say what a command replied that others replied otherwise."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, bytes]] = deque()
        self._size_bytes = 0

    def keep(self, index: int, reply: bytes) -> None:
        """Keep the reply to a batch of entry `index`; the oldest go."""
        self._kept.append((index, reply))
        self._size_bytes += len(reply)
        while self._size_bytes > _RECENT_BYTES:
            self._size_bytes -= len(self._kept.popleft()[1])

    def of(self, index: int) -> list[bytes]:
        """Those to the batches of an entry that are still kept, in their order."""
        return [reply for each, reply in self._kept if each == index]


class _Reading(Struct, frozen=True, gc=False):
    """A read that waits for room, or executes; `now_us` is the stamp of the entry before it."""

    read: Read
    now_us: int


@dataclass(slots=True)
class DeliveryCounts:
    """What was delivered since the start."""

    entries: int = 0
    batches: int = 0
    commands: int = 0
    reads: int = 0
    duplicates: int = 0
    malformed: int = 0


@dataclass(slots=True)
class Delivery:
    """Feeds entries, in order, through the sessions to the engine. `delivered` is the last index taken in, `now_us` its stamp.

    What it begins with is nothing, or what a snapshot at `delivered` holds. `log_bytes`: payloads taken in since. At an entry
    at which another version takes over it ends: `successor` is that version, and nothing behind the entry is taken in. What is
    emitted goes to `events`, with the entry that it came from; what commands did is added to `rolling`, which begins behind
    `delivered`. Workers get what is taken in at once if `is_eager`; else, while the engine has room, once whoever drives this
    publishes it. `overrides`: what, says the log, was started though its handlers may make replicas differ.
    """

    sessions: Sessions
    engine: Engine
    delivered: int = 0
    now_us: int = 0
    log_bytes: int = 0
    successor: ServiceVersion | None = None
    is_eager: bool = True
    overrides: tuple[Overridden, ...] = ()
    events: EventSink | None = None
    rolling: Rolling | None = None
    recent: RecentReplies = field(default_factory=RecentReplies)
    counts: DeliveryCounts = field(default_factory=DeliveryCounts)
    _waiting: deque[_Delivered | _Reading] = field(default_factory=deque)
    _reading: deque[_Reading] = field(default_factory=deque)
    _executing: deque[Entry] = field(default_factory=deque)
    _ready: deque[Answer] = field(default_factory=deque)

    @property
    def idle(self) -> bool:
        """Whether everything delivered has been executed and collected."""
        return not self._waiting and not self.engine.outstanding

    def deliver(self, entries: Sequence[Entry]) -> None:
        """Take in the entries that follow `delivered`; execution may lag behind (`wants_entries`).

        Raises ConfigurationError at a version that takes over from another than this engine executes: see `_succeed`.
        """
        for entry in entries:
            if entry.index != self.delivered + 1:
                raise Violation(f"delivery: expected entry {self.delivered + 1}, found {entry.index}")
            self.delivered = entry.index
            self.now_us = entry.time_us
            self.counts.entries += 1
            self.log_bytes += len(entry.payload)
            if is_control(entry.payload):
                kind = kind_of(entry.payload)
                if kind is Kind.VERSION:
                    self._succeed(entry)
                    break
                if kind is Kind.OVERRIDE:
                    found = Overridden(entry.index, entry.time_us, decode_override(entry.payload))
                    self.overrides = remembered(self.overrides, found)
                continue
            try:
                batches = split(entry.payload)
            except MalformedBatch:
                # Nobody can be told: what cannot be parsed has no session. Ingress refuses it; only a bad peer sends it.
                self.counts.malformed += 1
                continue
            if len(batches) > at.OPENS_MAX:
                # No leader makes such an entry of what clients send. It would stop every replica, at each start again.
                self.counts.malformed += 1
                continue
            self._waiting.extend(_Delivered(entry, ordinal, batch) for ordinal, batch in enumerate(batches))
        self.push()
        self._complete()

    def _succeed(self, entry: Entry) -> None:
        """End here. What executed the entries up to here wrongly, having begun with the wrong source, must not go on."""
        version, service = decode_version(entry.payload), self.engine.service
        if version.replaces != service.fingerprint:
            raise ConfigurationError(
                f"log index {entry.index}: expected to have executed the entries up to here as service "
                f"{version.replaces:#018x}, found {service.fingerprint:#018x}: this replica began with the wrong source; "
                f"give it an empty folder, and the source of {version}"
            )
        self.successor = version

    def read(self, *reads: Read) -> None:
        """Execute batches that only read, behind everything taken in so far."""
        self._waiting.extend(_Reading(read, self.now_us) for read in reads)
        self.push()

    @property
    def reads(self) -> bool:
        """Whether batches that only read are being executed."""
        return bool(self._reading)

    @property
    def wants_entries(self) -> bool:
        """False while delivered batches wait for room in the engine, and for good when another version takes over."""
        return not self._waiting and self.successor is None

    def push(self) -> None:
        """Hand waiting batches to the engine while it has room, then let the workers have them: one wake-up for all."""
        while self._waiting and self._process(self._waiting[0]):
            self._waiting.popleft()
        if self.is_eager or self._waiting:
            self.engine.publish()

    def collect(self) -> Sequence[Answer]:
        """Answers that are ready: executed batches', and those that needed no execution."""
        for executed in self.engine.collect():
            if executed.is_read:
                read = self._reading.popleft().read
                self._ready.append(Answer(executed.session, executed.reply, read.connection))
                continue
            self.sessions.handle(at.Executed(executed.session, executed.sequence, executed.reply))
            self._ready.append(Answer(executed.session, executed.reply))
            entry = self._executing.popleft()
            if self.events is not None:
                self.events.take(entry.index, entry.time_us, executed)
            if self.rolling is not None:
                self.rolling.take(entry.index, executed.digest, executed.count)
                self.recent.keep(entry.index, executed.reply)
        self.push()
        self._complete()
        if not self._ready:
            return ()
        ready, self._ready = self._ready, deque()
        return ready

    def _complete(self) -> None:
        if self.rolling is not None and (through := self._executed_through()) > self.rolling.through:
            self.rolling.complete(through)

    def _executed_through(self) -> int:
        """The last entry of which, and of all before it, nothing is still to be executed."""
        if self._executing:
            return self._executing[0].index - 1
        if not self._waiting:
            return self.delivered
        waiting = (item.entry.index for item in self._waiting if isinstance(item, _Delivered))
        return next(waiting, self.delivered + 1) - 1

    def _process(self, item: _Delivered | _Reading) -> bool:
        """Whether the batch is dealt with; False to try again when there is room."""
        if isinstance(item, _Reading):
            return self._execute_read(item)
        batch = item.batch
        if not item.decided:
            self.counts.batches += 1
            if batch.kind == KIND_OPEN:
                self._open(item)
                return True
            if batch.kind == KIND_READ:
                # Its place is not here, and its client waits for no answer from here: only a bad peer orders it.
                self.counts.malformed += 1
                return True
            decision = self.sessions.handle(at.Submit(batch.session, batch.sequence, batch.answered))
            if not isinstance(decision, at.Execute):
                self._answer_without(batch, decision)
                return True
            item.decided = True
        return self._execute(item)

    def _open(self, item: _Delivered) -> None:
        opened = self.sessions.handle(at.Open(item.entry.index, item.ordinal))
        if not isinstance(opened, at.Opened):
            raise Violation(f"expected a session to be opened, found {opened!r}")
        nonce = item.batch.session
        self._ready.append(Answer(nonce, encode_reply(opened.session, nonce, BatchStatus.OPENED)))

    def _execute(self, item: _Delivered) -> bool:
        batch = item.batch
        try:
            if batch.fingerprint != self.engine.service.fingerprint:
                raise foreign(batch, self.engine.service.fingerprint)
            taken = self.engine.prepare(
                batch.session, batch.sequence, batch.stride, batch.count, batch.records, batch.blob, item.entry.time_us
            )
        except MalformedBatch as error:
            self._consume_malformed(batch, error)
            return True
        if taken:
            self.counts.commands += batch.count
            self._executing.append(item.entry)
        return taken

    def _execute_read(self, item: _Reading) -> bool:
        batch, number = item.read.batch, item.read.number
        try:
            taken = self.engine.prepare(
                batch.session, number, batch.stride, batch.count, batch.records, batch.blob, item.now_us, is_read=True
            )
        except MalformedBatch as error:
            self.counts.malformed += 1
            reply = encode_reply(batch.session, number, BatchStatus.READ_MALFORMED, blob=str(error).encode())
            self._ready.append(Answer(batch.session, reply, item.read.connection))
            return True
        if taken:
            self.counts.reads += batch.count
            self._reading.append(item)
        return taken

    def _consume_malformed(self, batch: Batch, error: MalformedBatch) -> None:
        self.counts.malformed += 1
        reply = encode_reply(
            batch.session, batch.sequence, BatchStatus.MALFORMED, blob=str(error).encode(), detail=SEQUENCE_CONSUMED
        )
        self.sessions.handle(at.Executed(batch.session, batch.sequence, reply))
        self._ready.append(Answer(batch.session, reply))

    def _answer_without(self, batch: Batch, decision: at.Decision) -> None:
        if isinstance(decision, at.Duplicate):
            self.counts.duplicates += 1
            if decision.reply is not None:
                self._ready.append(Answer(batch.session, decision.reply))
            return
        if isinstance(decision, at.OutOfOrder):
            reply = encode_reply(batch.session, decision.expected, BatchStatus.OUT_OF_ORDER)
        elif isinstance(decision, at.Unknown):
            reply = encode_reply(batch.session, batch.sequence, BatchStatus.UNKNOWN_SESSION)
        elif isinstance(decision, at.Refused):
            reason = f"the session is owed {decision.owed} replies".encode()
            reply = encode_reply(batch.session, batch.sequence, BatchStatus.REFUSED, blob=reason)
        else:
            raise Violation(f"expected a decision about a submitted batch, found {decision!r}")
        self._ready.append(Answer(batch.session, reply))
