"""The segment files of one log: append durably, cut durably, read.

One thread writes (`append`, `cut`, `drop_before`); another may `read` what it knows to be written. The lock guards the
segments and their offsets, never a system call.

Ahead of the last record a segment holds zeros that were written, not merely allocated: a later flush then overwrites
blocks the filesystem already knows, and its fdatasync writes data alone instead of data and a journal entry. The
zeros travel at the end of a flush that has outgrown the last ones. Measured, one 24 KB append and fdatasync in a loop,
2,000 times, ext4 on a virtual disk, two cores, medians of three runs (median of an append, appends/s over all):

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

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from psmr.errors import LogDamaged
from psmr.storage import record
from psmr.storage.files import Files, disk_errors, read_fully, replace_file, write_fully
from psmr.storage.log_tail import LogTail
from psmr.storage.record import Buffer, Record
from psmr.storage.recovery import advice
from psmr.storage.segment import FLUSH_BYTES, HEADER_BYTES, Segment, flush_mark, segment_header, segment_name

ZERO_AHEAD_UP_TO = 256 << 10
FLUSH_BYTES_MAX = 8 << 20
"""However much has queued up, what is written is reported after each so many, so that a backlog shows progress."""

ZEROS = bytes(1 << 20)

PAGE_BYTES = 4096
UNCACHED_BYTES = 1 << 20
"""So much that is synced leaves the page cache at a time, and the next pages get its memory; the newest records are in a cache.

A page that was not used for long is dear in a virtual machine, whose host may have to give it first: 2 to 13 µs each were
measured, more than all else that a log's writer does with it.
"""


class Segments:
    """The log's files, oldest first; the last one is appended to."""

    def __init__(
        self,
        folder: Path,
        files: Files,
        found: list[Segment],
        cluster_id: int,
        segment_bytes: int,
        *,
        sync: bool,
    ) -> None:
        self._folder = folder
        self._files = files
        self._cluster_id = cluster_id
        self._sync = sync
        self._segment_bytes = segment_bytes
        self._lock = Lock()
        self._segments = found
        self._fd = files.open_file(found[-1].path) if found else -1
        self._written_to = files.size_bytes(self._fd) if found else 0
        self._cached_from = 0
        self._tail = LogTail(files, folder, cluster_id)

    def append(self, records: Sequence[Record], at: int) -> int:
        """Write records from `records[at]` on as one flush, at the end; the position behind the last one written.

        At least one, at most what the segment has room for and FLUSH_BYTES_MAX. With `sync` they are on the disk when
        this returns. Raises DiskFailed.
        """
        if not self._segments or not self._fits(self._segments[-1], records[at]):
            self._roll(records[at].index)
        segment = self._segments[-1]
        flush = self._one_flush(segment, records, at)
        self._flush(segment, flush)
        return at + len(flush)

    def cut(self, from_index: int) -> None:
        """Discard all records from `from_index` on. Raises DiskFailed.

        Newest segments go first and the file is shortened before anything is written behind the cut, each step durable
        before the next: a crash leaves a shorter prefix or a longer one, and discarded bytes never follow newer ones.
        """
        with disk_errors(self._files, self._folder / segment_name(from_index), "discarding records"):
            self._tail.clear()
            while len(self._segments) > 1 and self._segments[-1].first_index >= from_index:
                self._drop_last()
            if self._segments and from_index <= self._segments[-1].last_index:
                self._shorten(self._segments[-1], from_index)

    @property
    def size_bytes(self) -> int:
        """How much of the files is in use: without the zeros written ahead."""
        with self._lock:
            return sum(segment.end for segment in self._segments)

    def start_if_compacted(self, index: int) -> int:
        """Where the log may begin when nobody needs the records up to `index`; 0 while there is no segment.

        That is at the beginning of the newest segment that holds none above `index`, not behind it: whoever is a little
        behind is served from it. The segment that is appended to is none of those.
        """
        with self._lock:
            if not self._segments:
                return 0
            unneeded = [each.first_index for each in self._segments[:-1] if each.last_index <= index]
            return unneeded[-1] if unneeded else self._segments[0].first_index

    def drop_before(self, first_index: int) -> list[Path]:
        """Forget the segments that lie before the one that starts at `first_index`: their files, which may go, oldest first.

        In that order, each durably before the next, so that what a crash leaves has no gap.
        """
        dropped: list[Path] = []
        with self._lock:
            while self._segments[0].first_index < first_index:
                dropped.append(self._segments.pop(0).path)
        return dropped

    def read(self, index: int, last_index: int, max_bytes: int) -> list[Record]:
        """Records from `index` to at most `last_index`, verified, of one segment and about `max_bytes`, at least one.

        The caller knows them to be written. Raises LogDamaged, DiskFailed.
        """
        with self._lock:
            segment = self._segments[bisect_right(self._segments, index, key=lambda each: each.first_index) - 1]
            offsets, stop = segment.span(index, last_index, max_bytes)
            path = segment.path
            is_newest = segment is self._segments[-1]
        if is_newest and self._tail.is_following and stop > self._tail.in_file:
            self.settle()
        data = bytearray(stop - offsets[0])
        with disk_errors(self._files, path, "reading records"):
            fd = self._files.open_file(path)
            try:
                with memoryview(data) as target:
                    read_fully(self._files, fd, target, offsets[0])
            finally:
                self._files.close(fd)
        return [self._verified(path, data, at - offsets[0], at, index + i) for i, at in enumerate(offsets)]

    def settle(self) -> None:
        """Have everything in the segments' files. Raises DiskFailed."""
        if self._tail.is_following:
            with disk_errors(self._files, self._segments[-1].path, "writing the tail of the log"):
                self._tail.settle()

    def close(self) -> None:
        """Let go of the file that is written; `settle` before."""
        self._tail.close()
        self._close_file()

    def _close_file(self) -> None:
        if self._fd != -1:
            self._files.close(self._fd)
            self._fd = -1

    def _fits(self, segment: Segment, first: Record) -> bool:
        """Whether a segment takes one record more; an empty one takes any, so that a large record has a large one."""
        return not segment.offsets or segment.end + FLUSH_BYTES + len(first.raw) <= self._segment_bytes

    def _one_flush(self, segment: Segment, records: Sequence[Record], at: int) -> Sequence[Record]:
        start = segment.end + FLUSH_BYTES
        room = min(self._segment_bytes - start, FLUSH_BYTES_MAX)
        until = at
        while until < len(records):
            room -= len(records[until].raw)
            if room < 0 and until > at:
                break
            until += 1
        return records[at:until]

    def _flush(self, segment: Segment, records: Sequence[Record]) -> None:
        start = segment.end
        buffers: list[Buffer] = [flush_mark(self._cluster_id, records[0].index, start)]
        offsets: list[int] = []
        end = start + FLUSH_BYTES
        for each in records:
            buffers.append(each.raw)
            offsets.append(end)
            end += len(each.raw)
        written_to = max(self._written_to, end)
        if self._sync and end > self._written_to and end - start < ZERO_AHEAD_UP_TO:
            buffers.append(ZEROS)
            written_to = end + len(ZEROS)
        with disk_errors(self._files, segment.path, f"writing {end - start} bytes at offset {start}"):
            if self._sync:
                write_fully(self._files, self._fd, buffers, start)
                self._files.fdatasync(self._fd)
                self._uncache(end)
            else:
                if not self._tail.is_following:
                    self._tail.follow(segment.path, self._fd, segment.first_index, start)
                self._tail.write(buffers, end)
        self._written_to = written_to
        with self._lock:
            segment.offsets.extend(offsets)
            segment.end = end

    def _uncache(self, end: int) -> None:
        """Have the next pages be written in the memory of the ones before, all but the one that is written on."""
        if end - self._cached_from >= UNCACHED_BYTES:
            self._files.uncache(self._fd, self._cached_from, end - self._cached_from)
            self._cached_from = end & -PAGE_BYTES

    def _roll(self, first_index: int) -> None:
        """Start a segment; the one before it is synced already, by the flush that filled it."""
        path = self._folder / segment_name(first_index)
        with disk_errors(self._files, path, "creating a segment"):
            self._tail.rest()
            replace_file(self._files, path, segment_header(self._cluster_id, first_index), sync=self._sync)
            self._close_file()
            self._fd = self._files.open_file(path)
        self._written_to = HEADER_BYTES
        self._cached_from = 0
        with self._lock:
            self._segments.append(Segment(path, first_index))

    def _drop_last(self) -> None:
        with self._lock:
            dropped = self._segments.pop()
        self._close_file()
        self._files.unlink(dropped.path)
        if self._sync:
            self._files.sync_folder(self._folder)
        self._fd = self._files.open_file(self._segments[-1].path)
        self._written_to = self._files.size_bytes(self._fd)

    def _shorten(self, segment: Segment, from_index: int) -> None:
        position = from_index - segment.first_index
        with self._lock:
            segment.end = segment.offsets[position]
            del segment.offsets[position:]
        self._files.truncate(self._fd, segment.end)
        if self._sync:
            self._files.fsync(self._fd)
        self._written_to = segment.end

    def _verified(self, path: Path, data: bytearray, at: int, offset: int, index: int) -> Record:
        why = record.defect(data, at)
        if why is None:
            found = record.decode_unchecked(data, at)
            if found.index == index:
                return found
            why = f"expected index {index}, found a record with index {found.index}"
        raise LogDamaged(f"{path}: offset {offset}, index {index}: {why}. {advice(self._folder)}")
