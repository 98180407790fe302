"""The segment files of one log: append durably, cut durably, read.

One thread writes (`append`, `cut`, `drop_before`); another may `read` what it knows to be written. The lock guards the
segments and their offsets, never a system call.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from psmr.errors import LogDamaged
from psmr.storage import record
from psmr.storage.files import Files, disk_errors, read_fully, replace_file
from psmr.storage.log_tail import LogTail
from psmr.storage.record import Buffer, Record
from psmr.storage.recovery import advice
from psmr.storage.segment import FLUSH_BYTES, Segment, flush_mark, segment_header, segment_name
from psmr.storage.synced_end import SyncedEnd

FLUSH_BYTES_MAX = 8 << 20
"""However much has queued up, what is written is reported after each so many, so that a backlog shows progress."""


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
        self._end: SyncedEnd | LogTail = SyncedEnd(files) if sync else LogTail(files, folder, cluster_id)

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
            self._end.clear()
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
        if is_newest and self._end.is_following and stop > self._end.in_file:
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

    def check(self) -> None:
        """Raise DiskFailed if what was appended cannot get to the disk."""
        if self._end.is_following:
            with disk_errors(self._files, self._segments[-1].path, "writing the tail of the log"):
                self._end.check()

    def settle(self) -> None:
        """Have everything in the segments' files. Raises DiskFailed."""
        if self._end.is_following:
            with disk_errors(self._files, self._segments[-1].path, "writing the tail of the log"):
                self._end.settle()

    def close(self) -> None:
        """Let go of the file that is written; `settle` before."""
        self._end.close()
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
        with disk_errors(self._files, segment.path, f"writing {end - start} bytes at offset {start}"):
            if not self._end.is_following:
                self._end.follow(segment.path, self._fd, segment.first_index, start)
            self._end.write(buffers, end)
        with self._lock:
            segment.offsets.extend(offsets)
            segment.end = end

    def _roll(self, first_index: int) -> None:
        """Start a segment; the one before it is synced already, by the flush that filled it."""
        path = self._folder / segment_name(first_index)
        with disk_errors(self._files, path, "creating a segment"):
            self._end.rest()
            replace_file(self._files, path, segment_header(self._cluster_id, first_index), sync=self._sync)
            self._close_file()
            self._fd = self._files.open_file(path)
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

    def _shorten(self, segment: Segment, from_index: int) -> None:
        position = from_index - segment.first_index
        with self._lock:
            segment.end = segment.offsets[position]
            del segment.offsets[position:]
        self._files.truncate(self._fd, segment.end)
        if self._sync:
            self._files.fsync(self._fd)

    def _verified(self, path: Path, data: bytearray, at: int, offset: int, index: int) -> Record:
        why = record.defect(data, at)
        if why is None:
            found = record.decode_unchecked(data, at)
            if found.index == index:
                return found
            why = f"expected index {index}, found a record with index {found.index}"
        raise LogDamaged(f"{path}: offset {offset}, index {index}: {why}. {advice(self._folder)}")
