"""Removing large files while others are synced on the same disk: durably gone first, then freed a little at a time.

While the space of a large file is freed at once every sync on that disk waits: 28 to 58 ms for 232 MiB, 5 to 22 a little at a
time. To remove one of 16 MiB took 16 to 23 ms on busy processors: whoever has clients waiting leaves it to a `Remover`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from psmr.errors import DiskFailed
from psmr.storage.files import Files, disk_errors, make_folder

_FREED_BYTES = 8 << 20


def remove_slowly(files: Files, path: Path, *, sync: bool) -> None:
    """Remove a file; with `sync`, durably before any of it is freed, so that no crash leaves a shorter one. Raises OSError."""
    fd = files.open_file(path)
    try:
        files.unlink(path)
        if sync:
            files.sync_folder(path.parent)
        for size_bytes in range(files.size_bytes(fd), 0, -_FREED_BYTES):
            files.truncate(fd, max(0, size_bytes - _FREED_BYTES))
    finally:
        files.close(fd)


class Remover:
    """Removes files, or moves them to `archive`, one after another in a thread that begins with the first of them.

    Each is gone durably before the next, if `sync`. `failure`: why it has ended, after which `failed` was called in its thread.
    """

    def __init__(self, files: Files, archive: Path | None, failed: Callable[[], None], *, sync: bool) -> None:
        self._files = files
        self._archive = archive
        self._failed = failed
        self._sync = sync
        self._queue: SimpleQueue[Path | None] = SimpleQueue()
        self._thread: Thread | None = None
        self.failure: DiskFailed | None = None

    def remove(self, paths: Sequence[Path]) -> None:
        """Have these go, in their order, behind those of earlier calls."""
        for path in paths:
            self._queue.put(path)
        if paths and self._thread is None:
            self._thread = Thread(target=self._run, name="segment-removal", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Wait until all are gone, or it has failed."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        try:
            while (path := self._queue.get()) is not None:
                with disk_errors(self._files, path, "removing a segment that nobody needs"):
                    self._take_away(path)
        except DiskFailed as failure:
            self.failure = failure
            self._failed()

    def _take_away(self, path: Path) -> None:
        if self._archive is None:
            remove_slowly(self._files, path, sync=self._sync)
            return
        make_folder(self._files, self._archive)
        self._files.rename(path, self._archive / path.name)
        if self._sync:
            self._files.sync_folder(self._archive)
            self._files.sync_folder(path.parent)
