"""What the tests of snapshot files share."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, settings

from psmr.fuzzing.unsynced import UnsyncedFiles
from psmr.storage import Files, SnapshotFile, SnapshotHead, SnapshotWriter
from psmr.storage.record import Buffer

CLUSTER_ID = 7

in_one_folder = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class FailingFiles(UnsyncedFiles):
    """The call in `fails` raises that the disk is full."""

    fails = ""

    def _call(self, name: str) -> None:
        if name == self.fails:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def create_file(self, path: Path) -> int:
        self._call("create_file")
        return super().create_file(path)

    def pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        self._call("pwritev")
        return super().pwritev(fd, buffers, offset)

    def fsync(self, fd: int) -> None:
        self._call("fsync")

    def rename(self, source: Path, target: Path) -> None:
        self._call("rename")
        super().rename(source, target)

    def truncate(self, fd: int, size_bytes: int) -> None:
        self._call("truncate")
        super().truncate(fd, size_bytes)


def head_of(index: int, body_bytes: int, meta: bytes = b"meta") -> SnapshotHead:
    return SnapshotHead(index, 3, 1_000 * index, 0xFEED, meta, body_bytes)


def body_of(index: int, size: int) -> bytes:
    return random.Random(index).randbytes(size)


def take(folder: Path, index: int, size: int = 300, meta: bytes = b"meta", files: Files | None = None) -> SnapshotFile:
    """A snapshot at `index`, whose body is `body_of(index, size)`."""
    writer = SnapshotWriter(folder, files or UnsyncedFiles(), cluster_id=CLUSTER_ID, index=index)
    writer.write(0, [body_of(index, size)])
    return writer.finish(head_of(index, size, meta))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
