"""A disk that counts what goes past the page cache, for the tests of what is written so."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from psmr.fuzzing.unsynced import UnsyncedFiles
from psmr.storage.files import PAGE_BYTES
from psmr.storage.record import Buffer


class Ways(UnsyncedFiles):
    """Counts the pages; there may be no way past the page cache (`knows`), or one on which every write fails with `failure`.

    What goes that way must be whole pages at a page's beginning, as a real disk asks.
    """

    def __init__(self, *, knows: bool = True, failure: int = 0) -> None:
        self.knows, self.failure = knows, failure
        self.direct: set[int] = set()
        self.pages = 0

    def open_direct(self, path: Path) -> int:
        # An ordinary descriptor, so that it does not depend on the machine's file system.
        fd = self.open_file(path) if self.knows else -1
        self.direct.add(fd)
        return fd

    def close(self, fd: int) -> None:
        self.direct.discard(fd)
        super().close(fd)

    def pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        if fd in self.direct:
            size_bytes = sum(map(len, buffers))
            assert offset % PAGE_BYTES == size_bytes % PAGE_BYTES == 0
            if self.failure:
                raise OSError(self.failure, os.strerror(self.failure))
            self.pages += size_bytes // PAGE_BYTES
        return super().pwritev(fd, buffers, offset)
