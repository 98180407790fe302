"""The end of a log that is synced: what is appended goes to the disk past the page cache, in whole pages, and is there on return.

By way of the page cache each flush is copied into pages that `fdatasync` has to find again. Measured, 72 KiB a flush in a loop on a
virtual disk, processor time and time in all of one flush, medians:

    page cache, fdatasync              54 µs, 127 µs
    past the page cache, fdatasync     41 µs, 116 µs   (taken)

The last page of a flush is filled with zeros, and written again, with what follows, by the next one.

Ahead of the last record a segment holds zeros that were written, not merely allocated: a later flush then overwrites
blocks the filesystem already knows, and its fdatasync writes data alone instead of data and a journal entry. The
zeros travel at the end of a flush that has outgrown the last ones. Measured, one 24 KB append and fdatasync in a loop, by way
of the page cache, 2,000 times, ext4 on a virtual disk, two cores, medians of three runs (median of an append, appends/s over all):

    file grows with each append                         203 µs     4,786
    posix_fallocate of the whole segment                194 µs     5,101
    posix_fallocate ahead, 4 MiB a time                 203 µs     4,886
    zeros ahead, 1 MiB a time                           115 µs     7,440   (taken)
    zeros ahead, 4 MiB a time                           124 µs     4,678
    zeros ahead, 16 MiB a time                          136 µs     6,109
    the whole segment of zeros first, in its own time   116 µs     7,830   (stalls 80 ms at each new segment)

A flush of ZERO_AHEAD_UP_TO bytes or more pays for its journal entry without noticing, and gets no zeros.
"""

from __future__ import annotations

import errno
import mmap
from collections.abc import Sequence
from pathlib import Path

from psmr.storage.files import PAGE_BYTES, Files, read_fully, write_fully
from psmr.storage.record import Buffer

ZERO_AHEAD_UP_TO = 256 << 10
ZEROS = memoryview(mmap.mmap(-1, 1 << 20))
"""Begins on a page, as what goes past the page cache must. Nobody writes there."""

STAGE_BYTES = 1 << 20
UNCACHED_BYTES = 1 << 20
"""Without a way past the page cache: so much that is synced leaves it at a time, and the next pages get its memory.

A page that was not used for long is dear in a virtual machine, whose host may have to give it first: 2 to 13 µs each were
measured, more than all else that a log's writer does with it.
"""


class SyncedEnd:
    """The end of the newest segment of a log; one thread calls this. Methods raise OSError.

    Between `follow` and `rest` it is the segment's only writer. Where the file system knows no way past the page cache, it
    writes through it.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._fd = self._direct = -1
        self._stage: memoryview | None = None
        self._end = self._written_to = self._cached_from = 0

    @property
    def is_following(self) -> bool:
        """Whether there is a segment to write to."""
        return self._fd != -1

    @property
    def in_file(self) -> int:
        """Everything before this offset is in the segment's file."""
        return self._end

    def follow(self, path: Path, fd: int, first_index: int, end: int) -> None:
        """Write to the segment at `path`, open as `fd`, which ends at `end`; before this nobody was followed."""
        self._fd = fd
        self._end = end
        self._cached_from = end & -PAGE_BYTES
        self._written_to = self._files.size_bytes(fd)
        self._direct = self._files.open_direct(path)
        if self._direct != -1:
            if self._stage is None:
                self._stage = memoryview(mmap.mmap(-1, STAGE_BYTES))
            with self._stage[: end % PAGE_BYTES] as begun:
                read_fully(self._files, fd, begun, end - end % PAGE_BYTES)

    def write(self, buffers: Sequence[Buffer], end: int) -> None:
        """Write what belongs behind all that was written, up to `end`; it is on the disk when this returns."""
        wants_zeros = end > self._written_to and end - self._end < ZERO_AHEAD_UP_TO
        if self._direct == -1 or not self._stage_and_write(buffers, wants_zeros=wants_zeros):
            write_fully(self._files, self._fd, [*buffers, ZEROS] if wants_zeros else buffers, self._end)
        self._files.fdatasync(self._fd)
        self._written_to = max(self._written_to, end + len(ZEROS) if wants_zeros else end)
        self._end = end
        if self._direct == -1:
            self._uncache()

    def check(self) -> None:
        """Nothing can have failed that was not raised."""

    def settle(self) -> None:
        """Have everything in the segment's file, where it is."""

    def rest(self) -> None:
        """Follow nobody."""
        if self._direct != -1:
            self._files.close(self._direct)
        self._fd = self._direct = -1

    def clear(self) -> None:
        """As `rest`: nothing is kept."""
        self.rest()

    def close(self) -> None:
        """Let go of everything."""
        self.rest()
        self._stage = None

    def _stage_and_write(self, buffers: Sequence[Buffer], *, wants_zeros: bool) -> bool:
        """Write whole pages past the page cache; False if the file system takes none such after all."""
        assert self._stage is not None
        stage, held = self._stage, self._end % PAGE_BYTES
        offset = self._end - held
        try:
            for each in buffers:
                done = 0
                while done < len(each):
                    count = min(len(each) - done, STAGE_BYTES - held)
                    stage[held : held + count] = memoryview(each)[done : done + count]
                    done += count
                    held += count
                    if held == STAGE_BYTES:
                        write_fully(self._files, self._direct, [stage], offset)
                        offset, held = offset + held, 0
            self._write_last(held, offset, wants_zeros=wants_zeros)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._files.close(self._direct)
            self._direct = -1
            return False
        return True

    def _write_last(self, held: int, offset: int, *, wants_zeros: bool) -> None:
        """What is staged still, in whole pages; the last of them stays, for the next flush begins with it."""
        assert self._stage is not None
        stage, padded = self._stage, -(-held // PAGE_BYTES) * PAGE_BYTES
        stage[held:padded] = ZEROS[: padded - held]
        parts = [stage[:padded]] * (padded > 0) + [ZEROS] * wants_zeros
        if parts:
            write_fully(self._files, self._direct, parts, offset)
        last = held - held % PAGE_BYTES
        if last:
            stage[: held - last] = stage[last:held]

    def _uncache(self) -> None:
        """Have the next pages be written in the memory of the ones before, all but the one that is written on."""
        if self._end - self._cached_from >= UNCACHED_BYTES:
            self._files.uncache(self._fd, self._cached_from, self._end - self._cached_from)
            self._cached_from = self._end & -PAGE_BYTES
