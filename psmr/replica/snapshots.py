"""When a replica takes a snapshot, and what goes into it.

    delivery ──enough log since the last──► drain: nothing executing ──► capture begins ──► delivery goes on
                                                                            │
    log compacted, older ones removed ◄── on the disk ◄── state, sessions ◄─┘ in the background

The pause is the draining, some milliseconds, whatever the size of the state. Replicas take theirs by themselves, at places of
the log that differ, so that they do not all write at once; all of them take one where a new version takes over.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from psmr.core.override import Overridden
from psmr.core.service_version import ServiceVersion
from psmr.core.sessions import Remembered
from psmr.errors import DiskFailed
from psmr.execution.capture import Capture
from psmr.execution.engine import Engine
from psmr.log.port import Base, OrderedLog
from psmr.replica.delivery import Delivery

NEVER_BYTES = 1 << 62


class VersionReached(Exception):
    """All up to `index` is executed and on the disk; another version executes what follows: the replica starts again."""

    def __init__(self, index: int, version: ServiceVersion) -> None:
        super().__init__(f"{version} takes over behind log index {index}")


class Taken(Struct, frozen=True, gc=False):
    """How a snapshot ended: on the disk, or, as `failure` says, not."""

    index: int
    size_bytes: int = 0
    failure: str = ""


class SnapshotTaker(Protocol):
    """Writes one snapshot at a time, beside the replica's loop."""

    def sources(self) -> list[int]:
        """Descriptors that are readable when `finished` has something to say."""

    def begin(
        self,
        base: Base,
        newest: int,
        remembered: list[Remembered],
        capture: Capture,
        fingerprint: int | None,
        overrides: tuple[Overridden, ...] = (),
    ) -> None:
        """Write sessions and captured state as a snapshot at `base`.

        `fingerprint`: the service that executes what follows, where it is another one. `overrides`: as delivery knows them.
        """

    def finished(self) -> Taken | None:
        """What became of it, once; None while it is being written."""

    def close(self) -> None:
        """Give up what is being written."""


class SnapshotPlan:
    """One a replica: `every_bytes` of log between two snapshots, the first of them after `first_bytes`.

    `index` is that of the newest, at first of the one that the replica began with; `count` says how many were taken since.
    """

    def __init__(self, taker: SnapshotTaker, every_bytes: int, first_bytes: int, index: int = 0) -> None:
        self.index = index
        self.count = 0
        self.size_bytes = 0
        self.failure = ""
        self._taker = taker
        self._every_bytes = every_bytes
        self._due_bytes = first_bytes
        self._is_writing = False

    def sources(self) -> list[int]:
        """Descriptors to wait for."""
        return self._taker.sources()

    def wants_quiet(self, delivery: Delivery) -> bool:
        """Whether a snapshot is due: nothing more is to be delivered until it has begun."""
        return not self._is_writing and (delivery.log_bytes >= self._due_bytes or delivery.successor is not None)

    def begin(self, delivery: Delivery, engine: Engine, log: OrderedLog) -> None:
        """Capture what has been delivered; only while delivery is idle."""
        # Counted from where it was due, not from here: replicas that all come late would else take theirs together ever after.
        late_bytes = delivery.log_bytes - self._due_bytes
        self._due_bytes += self._every_bytes * (1 + late_bytes // self._every_bytes)
        self._is_writing = True
        newest, remembered = delivery.sessions.remembered()
        follows = delivery.successor.fingerprint if delivery.successor is not None else None
        known = delivery.overrides
        self._taker.begin(log.base_at(delivery.delivered), newest, remembered, engine.capture(), follows, known)

    def settle(self, delivery: Delivery, engine: Engine, log: OrderedLog) -> None:
        """If a snapshot has been written, let the log forget what it holds.

        Raises VersionReached when that was the one at which a new version takes over, DiskFailed when it could not be
        written: it cannot be done without.
        """
        taken = self._taker.finished() if self._is_writing else None
        if taken is None:
            return
        self._is_writing = False
        engine.end_capture()
        self.failure = taken.failure
        if not taken.failure:
            self.index, self.size_bytes = taken.index, taken.size_bytes
            self.count += 1
            log.compact(taken.index)
        if delivery.successor is not None and taken.index == delivery.delivered:
            if taken.failure:
                raise DiskFailed(f"snapshot at log index {taken.index}, where a version takes over: {taken.failure}")
            raise VersionReached(taken.index, delivery.successor)

    def close(self) -> None:
        """Give up what is being written."""
        self._taker.close()
