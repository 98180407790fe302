"""What the schedules of `psmr sim` amounted to together."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from psmr.simulation.cluster import ClusterResult

_COUNTS = (
    "steps",
    "operations",
    "answered",
    "entries",
    "elections",
    "crashes",
    "restarts",
    "torn_writes",
    "events",
    "followed",
    "snapshots",
    "installed",
    "changes",
    "erred",
    "parted",
)


class Tally:
    """Adds up clean schedules, `count` of them so far; the clock runs from here on."""

    def __init__(self) -> None:
        self.count = 0
        self.last: ClusterResult | None = None
        self._began_s = time.monotonic()
        self._processor_s = 0.0
        self._sums = dict.fromkeys(_COUNTS, 0)

    def add(self, result: ClusterResult, processor_s: float) -> None:
        """One more, and the processor time that it took, in whichever process."""
        self.count += 1
        self.last = result
        self._processor_s += processor_s
        for name in _COUNTS:
            self._sums[name] += getattr(result, name)

    @property
    def pace(self) -> str:
        """How fast, by the clock and by processor time."""
        document = self.document()
        by_processor = document["schedules_per_processor_minute"]
        return f"{document['schedules_per_minute']} a minute, {by_processor} a minute of processor time"

    @property
    def means(self) -> dict[str, float]:
        """A schedule's counts, on average."""
        return {name: total / max(self.count, 1) for name, total in self._sums.items()}

    def document(self) -> dict[str, Any]:
        """All of it, for programs."""
        elapsed_s = time.monotonic() - self._began_s
        return {
            "schedules": self.count,
            "elapsed_s": round(elapsed_s, 1),
            "processor_s": round(self._processor_s, 1),
            "schedules_per_minute": round(self.count / max(elapsed_s, 1e-9) * 60),
            "schedules_per_processor_minute": round(self.count / max(self._processor_s, 1e-9) * 60),
            "mean": {name: round(mean, 2) for name, mean in self.means.items()},
            "last": None if self.last is None else asdict(self.last),
        }
