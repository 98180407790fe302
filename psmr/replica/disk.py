"""What a replica's folder holds besides the log: the snapshot to begin with, those it takes, those it sends and fetches."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psmr.core.rolling import Rolling
from psmr.core.sessions import Sessions
from psmr.execution.engine import Engine
from psmr.log.raft_log import ORIGIN
from psmr.replica.beside import Beside
from psmr.replica.event_stream import EventStream
from psmr.replica.snapshot_content import Restored, restore, rolling_of
from psmr.replica.snapshot_thread import SnapshotFolder, SnapshotThread
from psmr.storage import SnapshotFile, newest_snapshot
from psmr.storage.event_log import EventLog
from psmr.storage.files import Files

_log = logging.getLogger("psmr.replica")


@dataclass(frozen=True, slots=True)
class Disk:
    """`found`: the newest snapshot, which this start begins with; `kept`: the newest at any time; `taker` writes others.

    `warn` is told what was found amiss, and done about it.
    """

    found: SnapshotFile | None
    kept: SnapshotFolder
    taker: SnapshotThread
    warn: Callable[[str], None]

    @classmethod
    def opened(
        cls,
        folder: Path,
        cluster_id: int,
        fingerprint: int,
        files: Files | None = None,
        beside: Beside | None = None,
        warn: Callable[[str], None] = _log.warning,
    ) -> Disk:
        """Look for snapshots in `folder`, and remove what a crash left of some. Raises LogDamaged, DiskFailed."""
        files = files or Files()
        skipped: list[str] = []
        newest = newest_snapshot(folder, files, cluster_id, skipped)
        for text in skipped:
            warn(text)
        kept = SnapshotFolder(folder, files, cluster_id, newest, beside)
        return cls(newest, kept, SnapshotThread(kept, fingerprint), warn)

    def restore(self, engine: Engine) -> Restored:
        """Fill the engine, which has not started; what else there was at the snapshot, or at the beginning."""
        return Restored(ORIGIN, Sessions()) if self.found is None else restore(self.found, engine)

    def rolling(self) -> Rolling:
        """What the commands up to there did, to go on from; snapshots taken from now on say it of theirs. Raises LogDamaged."""
        rolling = Rolling() if self.found is None else rolling_of(self.found)
        self.taker.remember(rolling)
        return rolling

    def open_events(self, engine: Engine, position: int, *, bytes_max: int, sync: bool) -> EventStream:
        """The events from `position` on, kept in files if the service declares any. Raises DiskFailed."""
        log = None
        if engine.memory.has_events:
            folder, cluster_id = self.kept.folder / "events", self.kept.cluster_id
            log = EventLog(
                folder, self.kept.files, cluster_id=cluster_id, start=position, bytes_max=bytes_max, sync=sync
            )
            if log.notice:
                self.warn(log.notice)
        stream = EventStream(position, engine.service.fingerprint, log)
        self.taker.follow(stream)
        return stream
