"""What a replica's folder holds besides the log: the snapshot to begin with, those it takes, those it sends and fetches."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from psmr.core.sessions import Sessions
from psmr.execution.engine import Engine
from psmr.log.port import Base
from psmr.log.raft_log import ORIGIN
from psmr.replica.snapshot_content import restore
from psmr.replica.snapshot_thread import SnapshotFolder, SnapshotThread
from psmr.storage import SnapshotFile, newest_snapshot
from psmr.storage.files import Files

_log = logging.getLogger("psmr.replica")


@dataclass(frozen=True, slots=True)
class Disk:
    """`found`: the newest snapshot, which this start begins with; `kept`: the newest at any time; `taker` writes others."""

    found: SnapshotFile | None
    kept: SnapshotFolder
    taker: SnapshotThread

    @classmethod
    def opened(cls, folder: Path, cluster_id: int, fingerprint: int) -> Disk:
        """Look for snapshots in `folder`, and remove what a crash left of some. Raises LogDamaged, DiskFailed."""
        files = Files()
        skipped: list[str] = []
        newest = newest_snapshot(folder, files, cluster_id, skipped)
        for text in skipped:
            _log.warning("%s", text)
        kept = SnapshotFolder(folder, files, cluster_id, newest)
        return cls(newest, kept, SnapshotThread(kept, fingerprint))

    def restore(self, engine: Engine) -> tuple[Base, Sessions]:
        """Fill the engine, which has not started; where the log goes on, and the sessions there."""
        return (ORIGIN, Sessions()) if self.found is None else restore(self.found, engine)
