"""How many snapshots were taken and fetched in a run, by looking at the replicas now and then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from psmr.cluster.status import ReplicaStatus

FETCHED = "starts again from it"
"""What a replica says when it has fetched a snapshot."""


class SnapshotCounts:
    """`taken`: snapshots that statuses showed; `fetched`: those that replicas' own output, in `folder`, tells of."""

    def __init__(self) -> None:
        self.taken = 0
        self.fetched = 0
        self._seen: dict[int | None, tuple[int, int]] = {}

    def look(self, statuses: Sequence[ReplicaStatus], folder: Path) -> None:
        """Count what is new since the last look. A replica counts from 0 again when it starts again."""
        for status in statuses:
            if status.reachable:
                uptime_us, count = int(status.get("uptime_us")), int(status.get("snapshots"))
                uptime_before_us, before = self._seen.get(status.id, (0, 0))
                self.taken += count - (before if uptime_us >= uptime_before_us else 0)
                self._seen[status.id] = (uptime_us, count)
        self.fetched = sum(fetches(log) for log in folder.glob("replica-*.log"))


def fetches(log: Path) -> int:
    """How many snapshots a replica has fetched, by its output."""
    return log.read_text(errors="replace").count(FETCHED)
