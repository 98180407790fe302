"""A player: a fresh engine fed from a replica's folder, entry by entry, that can be asked what each command changed.

The delivery and the engine are the replica's own, so what is executed here is what a replica executes. `go_to` executes as
fast as a restart does; `step` one entry, of which every command's changes are known and can be taken back and done again.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from cdep import StateMachine
from psmr.core.batch import KIND_COMMANDS, Batch, MalformedBatch, split
from psmr.core.control import Kind, is_control, kind_of
from psmr.core.service_version import ServiceVersion, decode_version
from psmr.core.sessions import Sessions
from psmr.errors import ConfigurationError, LogDamaged, Violation
from psmr.execution.engine import Engine
from psmr.execution.memory import NOTES_BYTES
from psmr.execution.outcome import Executed
from psmr.log.port import Entry
from psmr.replaying.folder import Origin, ReplicaFolder
from psmr.replaying.noted import Notes, is_full
from psmr.replaying.translating import Translation
from psmr.replica.delivery import Delivery
from psmr.replica.snapshot_content import restore

READ_BYTES = 1 << 20
_LOOK_S = 0.25
_STALL_S = 120.0


@dataclass(slots=True)
class Played:
    """An entry that was stepped: its batches that were executed, in order, with what became of them, and what they changed.

    `first_slot`: the engine's number of the first of these batches; `noted` speaks of slots.
    """

    entry: Entry
    batches: list[Batch]
    executed: list[Executed]
    first_slot: int
    noted: Notes


@dataclass(slots=True)
class _Sink:
    """What was executed since it was last taken, and how much ever."""

    count: int = 0
    keeps: bool = False
    executed: list[Executed] = field(default_factory=list)

    def take(self, index: int, now_us: int, executed: Executed) -> None:
        self.count += 1
        if self.keeps:
            self.executed.append(executed)


class Player:
    """Plays `folder` from the newest origin at or below `origin_at` on. Workers are forked: no thread, no socket before.

    `index` is the entry that was executed last; `fingerprint` that of the service which wrote the log, of which `owner` is another
    version if there is a `translation`. `notes_bytes`: how much of what one entry changes may be noted. Raises ConfigurationError
    where the folder is not of that service, LogDamaged, DiskFailed.
    """

    def __init__(
        self,
        folder: ReplicaFolder,
        owner: type[StateMachine],
        workers: int = 1,
        *,
        origin_at: int,
        compiled: bool = True,
        translation: Translation | None = None,
        notes_bytes: int = NOTES_BYTES,
    ) -> None:
        self.folder = folder
        self.owner = owner
        self.engine = Engine(owner, workers, compiled=compiled, choose=self._choose, notes_bytes=notes_bytes)
        self.origin = Origin(0)
        self._translation = translation
        self.fingerprint = (self.engine.service if translation is None else translation.source).fingerprint
        self._sink = _Sink()
        self._is_own_seen = False
        try:
            self.delivery = self._begun(origin_at)
            self.engine.start()
        except BaseException:
            self.engine.close()
            raise

    def _choose(self, synchronous: int, count: int) -> int:
        """Rows of a service with early stages are stepped whole, one after another, by one worker: that is what they mean
        (`cdep.staging`), and apart, a row's early stage may run before main stages of rows before it."""
        return 1 if self._sink.keeps and self.engine.service.is_staged else self.engine.workers

    def _begun(self, index: int) -> Delivery:
        """Have the state of the newest origin at or below an index that can be used; say which could not."""
        origins = self._own_origins(index)
        for origin in origins:
            self.origin = origin
            if origin.snapshot is None:
                return Delivery(Sessions(), self.engine, events=self._sink)
            try:
                origin.snapshot.verify()
                base, sessions, _ = restore(origin.snapshot, self.engine, of=self.fingerprint)
            except LogDamaged as damaged:
                if origin is origins[-1]:
                    raise
                self.folder.notes.append(str(damaged))
                continue
            self._is_own_seen = True
            return Delivery(sessions, self.engine, base.index, base.time_us, events=self._sink)
        raise Violation(f"{self.folder.path}: expected an origin to begin at, found none")

    def _own_origins(self, index: int) -> list[Origin]:
        """Those at or below an index that the service can go on from, the newest first; there is at least one."""
        newest = self.folder.origin_for(index)
        found = [
            each
            for each in reversed(self.folder.origins)
            if each.index <= index and executes_behind(self.folder, each) in (None, self.fingerprint)
        ]
        if not found:
            raise self._foreign(newest.index + 1, executes_behind(self.folder, newest) or 0)
        return found

    @property
    def index(self) -> int:
        """The log index of the entry executed last."""
        return self.delivery.delivered

    @property
    def now_us(self) -> int:
        """The stamp of the entry executed last."""
        return self.delivery.now_us

    @property
    def digest(self) -> int:
        """Of the state."""
        return self.engine.digest()

    def go_to(self, index: int, progress: Callable[[int], None] = lambda index: None) -> None:
        """Execute up to the entry at `index`, whole. Raises ConfigurationError where another version takes over before it."""
        delivery = self.delivery
        while delivery.delivered < index or not delivery.idle:
            if delivery.wants_entries and delivery.delivered < index:
                self.delivery.deliver(self._entries(index))
            for _ in delivery.collect():
                pass  # nobody waits for answers
            self._stop_at_successor(index)
            progress(delivery.delivered)
            if not delivery.wants_entries or delivery.delivered == index:
                self._wait()

    def step(self) -> Played:
        """Execute the next entry, and learn what its commands changed."""
        if not self.delivery.idle:
            self.go_to(self.index)
        (entry,) = self._entries(self.index + 1, 1)
        batches = _batches_in(entry.payload)
        self._sink.executed = []
        first_slot = self._sink.count
        self._sink.keeps = True
        self.engine.capture()
        try:
            self.delivery.deliver([entry])
            while not self.delivery.idle:
                self._wait()
                for _ in self.delivery.collect():
                    pass  # nobody waits for answers
                self._refuse_full(entry)
            for _ in self.delivery.collect():
                pass  # nobody waits for answers
            noted = Notes(self.engine.memory)
        finally:
            self.engine.end_capture()
            self._sink.keeps = False
        executed, self._sink.executed = self._sink.executed, []
        return Played(entry, _those_of(batches, executed), executed, first_slot, noted)

    def _entries(self, last: int, max_bytes: int = READ_BYTES) -> list[Entry]:
        first = self.index + 1
        self._stop_at_successor(last)
        records = self.folder.read(first, max_bytes)
        if not records:
            raise LogDamaged(f"{self.folder.path}: expected an entry {first} in the log, found its end there")
        entries = [Entry(record.index, record.time_us, record.payload) for record in records if record.index <= last]
        for entry in entries:
            self._check(entry)
        return entries if self._translation is None else [self._translation.entry(entry) for entry in entries]

    def _check(self, entry: Entry) -> None:
        """Raise ConfigurationError for an entry that another service has executed: here nothing would be, without a word."""
        if is_control(entry.payload):
            if kind_of(entry.payload) is Kind.VERSION:
                version = decode_version(entry.payload)
                if version.replaces != self.fingerprint:
                    raise self._foreign(entry.index, version.replaces)
            return
        if self._is_own_seen:
            return
        fingerprint = _fingerprint_in(entry.payload)
        if fingerprint is not None and fingerprint != self.fingerprint:
            raise self._foreign(entry.index, fingerprint)
        self._is_own_seen = fingerprint is not None

    def _foreign(self, index: int, fingerprint: int) -> ConfigurationError:
        service, identity = self.engine.service, self.folder.identity
        found = f"{fingerprint:#018x}"
        name = f"{identity.service} ({found})" if found == identity.fingerprint else found
        return ConfigurationError(
            f"{self.folder.path}: log index {index}: expected entries of {service.name} version {service.version} "
            f"({service.fingerprint:#018x}), found those of {name}: name the service that wrote them with --service"
        )

    def _stop_at_successor(self, last: int) -> None:
        successor: ServiceVersion | None = self.delivery.successor
        if successor is not None and self.delivery.delivered < last and self.delivery.idle:
            raise ConfigurationError(
                f"{self.folder.path}: expected entries up to {last} of service {self.engine.service.fingerprint:#018x}, found that "
                f"{successor} takes over behind entry {self.delivery.delivered}: replay up to there, or name it with --service"
            )

    def _wait(self) -> None:
        """Sleep until a worker rings; a worker that died, or none that rings, is an error."""
        waited_s = 0.0
        while not self.delivery.idle and self.engine.want_bell():
            ready, _, _ = select.select([self.engine.bell, *self.engine.sentinels], [], [], _LOOK_S)
            self.engine.silence_bell()
            waited_s += _LOOK_S
            if self.engine.dead() or waited_s > _STALL_S:
                raise Violation(f"replay: expected the workers to go on, found {self.engine.dead() or 'them stalled'}")
            if ready or (self._sink.keeps and is_full(self.engine.memory)):
                return

    def _refuse_full(self, entry: Entry) -> None:
        if self.engine.outstanding and is_full(self.engine.memory):
            raise ConfigurationError(
                f"{self.folder.path}: log index {entry.index}: expected an entry that changes at most "
                f"{self.engine.memory.notes_bytes >> 20} MiB of state, found one that changes more, which cannot be stepped: step "
                "from behind it"
            )

    def close(self) -> None:
        """End the workers."""
        self.engine.close()

    def __enter__(self) -> Player:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def executes_behind(folder: ReplicaFolder, origin: Origin) -> int | None:
    """The fingerprint of the service that executes what follows; None where nothing says it: no command follows soon."""
    if origin.snapshot is not None:
        return origin.snapshot.head.fingerprint
    for record in folder.read(origin.index + 1, READ_BYTES):
        fingerprint = _fingerprint_in(record.payload)
        if fingerprint is not None:
            return fingerprint
    return None


def _fingerprint_in(payload: memoryview) -> int | None:
    """Of the first batch of commands."""
    return next((batch.fingerprint for batch in _batches_in(payload) if batch.kind == KIND_COMMANDS), None)


def _batches_in(payload: memoryview) -> list[Batch]:
    if is_control(payload):
        return []
    try:
        return split(payload)
    except MalformedBatch:
        return []  # as at delivery: nobody executes it


def _those_of(batches: Sequence[Batch], executed: Sequence[Executed]) -> list[Batch]:
    """The batch that each was: the first of its session with its sequence, for a second one is a repetition."""
    named: dict[tuple[int, int], Batch] = {}
    for batch in batches:
        if batch.kind == KIND_COMMANDS:
            named.setdefault((batch.session, batch.sequence), batch)
    return [named[each.session, each.sequence] for each in executed]
