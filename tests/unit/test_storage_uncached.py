"""Where there is no way past the page cache, log leaves it once it is synced, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from psmr.fuzzing.unsynced import UnsyncedFiles
from psmr.storage import record
from psmr.storage.files import PAGE_BYTES
from psmr.storage.segments import Segments
from psmr.storage.synced_end import UNCACHED_BYTES


class Noting(UnsyncedFiles):
    """Remembers how long a file was when it was synced last, and what left the page cache."""

    def __init__(self) -> None:
        self.synced_bytes = 0
        self.uncached: list[tuple[int, int]] = []

    def open_direct(self, path: Path) -> int:
        return -1

    def fdatasync(self, fd: int) -> None:
        self.synced_bytes = self.size_bytes(fd)

    def uncache(self, fd: int, offset: int, count: int) -> None:
        assert offset + count <= self.synced_bytes
        super().uncache(fd, offset, count)
        self.uncached.append((offset, count))


@pytest.mark.parametrize("sync", [True, False])
def test_what_is_synced_leaves_the_page_cache(tmp_path: Path, sync: bool) -> None:
    files = Noting()
    segments = Segments(tmp_path, files, [], 7, 4 << 20, sync=sync)
    made = [record.decode(record.encode(index, 1, 5, bytes([index]) * 99_999)) for index in range(1, 60)]
    for each in made:
        segments.append([each], 0)
    for each in made:
        assert [found.raw for found in segments.read(each.index, each.index, 1)] == [each.raw]
    segments.close()
    if not sync:
        assert not files.uncached
        return
    begun = [offset for offset, _ in files.uncached]
    assert begun.count(0) == 2  # of two files
    for (offset, count), (following, _) in zip(files.uncached, files.uncached[1:], strict=False):
        assert count >= UNCACHED_BYTES
        assert following in (0, (offset + count) & -PAGE_BYTES)
