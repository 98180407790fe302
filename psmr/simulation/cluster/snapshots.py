"""Snapshots of simulated replicas: taken over some time, kept whole or not at all, sent and fetched in small parts."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

import msgspec
from xxhash import xxh3_64_intdigest

from psmr.core.override import Overridden
from psmr.core.sessions import Remembered, Sessions
from psmr.core.sessions_record import decode_sessions, encode_sessions
from psmr.errors import DiskFailed, LogDamaged
from psmr.log.port import Base
from psmr.replica.snapshots import Taken
from psmr.simulation.conditions import Delay
from psmr.simulation.scheduler import Scheduler

if TYPE_CHECKING:
    from psmr.simulation.cluster.disk import SimulatedStore


class StoredSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """All of a snapshot."""

    base: Base
    sessions: bytes
    state: dict[int, int]

    def restored_sessions(self) -> Sessions:
        """The sessions as they were."""
        return decode_sessions(self.sessions)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(StoredSnapshot)


def to_bytes(snapshot: StoredSnapshot) -> bytes:
    """The file."""
    body = _ENCODER.encode(snapshot)
    return body + xxh3_64_intdigest(body).to_bytes(8, "little")


def from_bytes(data: bytes) -> StoredSnapshot:
    """The snapshot of a file. Raises LogDamaged."""
    if xxh3_64_intdigest(data[:-8]).to_bytes(8, "little") != data[-8:]:
        raise LogDamaged("expected a snapshot, found bytes that do not verify")
    return _DECODER.decode(data[:-8])


class SimulatedTaker:
    """`SnapshotTaker` on a simulated disk: what it writes is there after a while, unless the replica crashes first.

    `captured` is told the index of each that is begun; `notify` that one is written.
    """

    def __init__(
        self,
        store: SimulatedStore,
        scheduler: Scheduler,
        random: Random,
        delay: Delay,
        captured: Callable[[int], None],
        notify: Callable[[], None],
    ) -> None:
        self._captured = captured
        self._store = store
        self._scheduler = scheduler
        self._random = random
        self._delay = delay
        self._notify = notify
        self._taken: Taken | None = None

    def sources(self) -> list[int]:
        """None: the replica looks in every turn."""
        return []

    def begin(
        self,
        base: Base,
        newest: int,
        remembered: list[Remembered],
        capture: dict[int, int],
        fingerprint: int | None,
        overrides: tuple[Overridden, ...] = (),
    ) -> None:
        """Write it, some time from now. Every version is the same here, and nobody overrides anything."""
        self._captured(base.index)
        snapshot = StoredSnapshot(base, encode_sessions(newest, remembered), capture)
        self._scheduler.after(self._delay.draw_us(self._random), self._written, self._store.life, snapshot)

    def finished(self) -> Taken | None:
        """What became of it, once."""
        taken, self._taken = self._taken, None
        return taken

    def close(self) -> None:
        """Nothing to let go of."""

    def _written(self, life: int, snapshot: StoredSnapshot) -> None:
        if life == self._store.life:
            try:
                self._store.keep(snapshot)
                self._taken = Taken(snapshot.base.index, len(to_bytes(snapshot)))
            except DiskFailed as failed:
                self._taken = Taken(snapshot.base.index, failure=str(failed))
            self._notify()


class SimulatedSnapshots:
    """`Snapshots` of a simulated disk."""

    def __init__(self, store: SimulatedStore) -> None:
        self._store = store

    def newest(self) -> tuple[int, int] | None:
        """Log index and size of the newest."""
        snapshot = self._store.snapshot
        return None if snapshot is None else (snapshot.base.index, len(to_bytes(snapshot)))

    def size_of(self, index: int) -> int | None:
        """The size of the one at `index`."""
        newest = self.newest()
        return newest[1] if newest is not None and newest[0] == index else None

    def read(self, index: int, offset: int, count: int) -> bytes | None:
        """Bytes of it."""
        snapshot = self._store.snapshot
        if snapshot is None or snapshot.base.index != index:
            return None
        data = to_bytes(snapshot)
        return data[offset : offset + count] if offset + count <= len(data) else None

    def receive(self, index: int, size_bytes: int) -> IncomingSnapshot:
        """Make room for another replica's."""
        return IncomingSnapshot(self._store, index, size_bytes)


class IncomingSnapshot:
    """A snapshot on its way; on the disk once it is whole."""

    def __init__(self, store: SimulatedStore, index: int, size_bytes: int) -> None:
        self._store = store
        self._index = index
        self._size_bytes = size_bytes
        self._data = bytearray()

    @property
    def held_bytes(self) -> int:
        """How much of its beginning is here."""
        return len(self._data)

    def write(self, data: bytes) -> None:
        """Put the next bytes behind those held."""
        self._data += data

    def finish(self) -> bool:
        """Keep it. Raises LogDamaged."""
        snapshot = from_bytes(bytes(self._data))
        if snapshot.base.index != self._index:
            raise LogDamaged(f"expected a snapshot at {self._index}, found one at {snapshot.base.index}")
        self._store.keep(snapshot)
        return True

    def abandon(self) -> None:
        """Nothing of it is on the disk."""
