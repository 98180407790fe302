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
from psmr.execution.outcome import Executed
from psmr.log.port import Entry
from psmr.replaying.folder import Origin, ReplicaFolder
from psmr.replaying.noted import Noted, is_full, kept_notes
from psmr.replaying.translating import Translation
from psmr.replica.delivery import Delivery
from psmr.replica.snapshot_content import restore

READ_BYTES = 1 << 20
_LOOK_S = 1.0
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
    noted: list[Noted]


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
    version if there is a `translation`. Raises ConfigurationError where the folder is not of that service, LogDamaged,
    DiskFailed.
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
    ) -> None:
        self.folder = folder
        self.owner = owner
        self.engine = Engine(owner, workers, compiled=compiled, choose=self._choose)
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

    def _begun(self, origin_at: int) -> Delivery:
        self.origin = self._checked_origin(origin_at)
        snapshot = self.origin.snapshot
        if snapshot is None:
            return Delivery(Sessions(), self.engine, events=self._sink)
        self._is_own_seen = True
        snapshot.verify()
        base, sessions, _ = restore(snapshot, self.engine, of=self.fingerprint)
        return Delivery(sessions, self.engine, base.index, base.time_us, events=self._sink)

    def _checked_origin(self, index: int) -> Origin:
        """The newest origin at or below an index that the service can go on from."""
        newest = self.folder.origin_for(index)
        for each in reversed(self.folder.origins):
            is_own = each.snapshot is None or each.snapshot.head.fingerprint == self.fingerprint
            if each.index <= index and is_own:
                return each
        raise self._foreign(newest.index + 1, newest.snapshot.head.fingerprint if newest.snapshot is not None else 0)

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
        (entry,) = self._entries(self.index + 1)
        batches = _batches_in(entry)
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
            noted = kept_notes(self.engine.memory)
        finally:
            self.engine.end_capture()
            self._sink.keeps = False
        executed, self._sink.executed = self._sink.executed, []
        return Played(entry, _those_of(batches, executed), executed, first_slot, noted)

    def _entries(self, last: int) -> list[Entry]:
        first = self.index + 1
        self._stop_at_successor(last)
        records = self.folder.read(first, READ_BYTES)
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
        for batch in _batches_in(entry):
            if batch.kind == KIND_COMMANDS:
                if batch.fingerprint != self.fingerprint:
                    raise self._foreign(entry.index, batch.fingerprint)
                self._is_own_seen = True

    def _foreign(self, index: int, fingerprint: int) -> ConfigurationError:
        service = self.engine.service
        return ConfigurationError(
            f"{self.folder.path}: log index {index}: expected entries of {service.name} version {service.version} "
            f"({service.fingerprint:#018x}), found those of {fingerprint:#018x}: name the service that wrote them with --service"
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
                f"{self.engine.memory.notes_bytes >> 30} GiB of state, found one that changes more, which cannot be stepped: step "
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


def _batches_in(entry: Entry) -> list[Batch]:
    if is_control(entry.payload):
        return []
    try:
        return split(entry.payload)
    except MalformedBatch:
        return []  # as at delivery: nobody executes it


def _those_of(batches: Sequence[Batch], executed: Sequence[Executed]) -> list[Batch]:
    """The batch that each was: the first of its session with its sequence, for a second one is a repetition."""
    named: dict[tuple[int, int], Batch] = {}
    for batch in batches:
        if batch.kind == KIND_COMMANDS:
            named.setdefault((batch.session, batch.sequence), batch)
    return [named[each.session, each.sequence] for each in executed]
