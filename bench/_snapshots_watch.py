"""When replicas take snapshots: seen from outside, by looking at their folders again and again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from psmr.storage.snapshot_file import NEW_SUFFIX

_LOOK_S = 0.005
_SNAPSHOT = "snapshot-"


@dataclass(frozen=True, slots=True)
class SnapshotSeen:
    """A snapshot being written, by `time.perf_counter_ns`, to within two looks of 5 ms."""

    replica: int
    began_ns: int
    ended_ns: int

    @property
    def seconds(self) -> float:
        """From the first byte to the file in its place."""
        return (self.ended_ns - self.began_ns) / 1e9


class SnapshotWatch:
    """Looks at the folders of replicas, by id, from entering to leaving; `seen` is whole after that."""

    def __init__(self, folders: Mapping[int, Path]) -> None:
        self.seen: list[SnapshotSeen] = []
        self._folders = folders
        self._known = {replica: set(_names(folder)) for replica, folder in folders.items()}
        self._began_ns: dict[tuple[int, str], int] = {}
        self._looked_ns = time.perf_counter_ns()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> SnapshotWatch:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            self._look()

    def _look(self) -> None:
        now_ns = time.perf_counter_ns()
        for replica, folder in self._folders.items():
            known = self._known[replica]
            names = set(_names(folder))
            for name in names - known:
                if name.endswith(NEW_SUFFIX):
                    self._began_ns[replica, name.removesuffix(NEW_SUFFIX)] = now_ns
                elif name.endswith(".snap"):
                    began_ns = self._began_ns.pop((replica, name), self._looked_ns)
                    self.seen.append(SnapshotSeen(replica, began_ns, now_ns))
            self._known[replica] = names
        self._looked_ns = now_ns


def _names(folder: Path) -> Iterator[str]:
    return (name for name in os.listdir(folder) if name.startswith(_SNAPSHOT))


def wait_for_quiet(folders: Mapping[int, Path], patience_s: float = 60.0) -> None:
    """Return when no replica is writing a snapshot, or after that time."""
    give_up_s = time.monotonic() + patience_s
    while time.monotonic() < give_up_s:
        if not any(name.endswith(NEW_SUFFIX) for folder in folders.values() for name in _names(folder)):
            return
        time.sleep(_LOOK_S)
