"""The log of one replica on its disk: appended to, cut, read; it says what has become durable.

One thread, the owner, calls everything here. Appending queues; a second thread writes and syncs whatever is queued and
reports through a file descriptor. Reading sees what was appended, written or not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from psmr.errors import InvalidCall, Violation
from psmr.storage.commit_mark import CommitMark
from psmr.storage.files import Files, disk_errors, make_folder
from psmr.storage.log_writer import Cut, LogWriter, Synced
from psmr.storage.record import Record
from psmr.storage.record_cache import RecordCache
from psmr.storage.recovery import Recovery
from psmr.storage.segments import Segments

SEGMENT_BYTES = 64 << 20
CACHE_BYTES = 64 << 20


class LogStore:
    """Records `first_index` to `last_index`, in segment files of a folder.

    `sync`: records count as written once fdatasync returned; without it once the kernel has them, which survives any
    process's death, not the machine's. `first_index`: where a new log starts, and an old one must not start above.
    `recovered` says what a crash cut short and opening removed, or is None.

    Opening raises LogDamaged (bytes below what was synced or committed are not what was written), ConfigurationError
    (another cluster's log, or a newer format) and DiskFailed. Once the disk has failed every call that writes or
    reports raises DiskFailed, and nothing is acknowledged any more.
    """

    def __init__(
        self,
        folder: Path,
        sync: bool,
        segment_bytes: int = SEGMENT_BYTES,
        *,
        cluster_id: int = 0,
        first_index: int = 1,
        cache_bytes: int = CACHE_BYTES,
        files: Files | None = None,
    ) -> None:
        files = files or Files()
        with disk_errors(files, folder / "commit-mark", "opening the commit mark"):
            make_folder(files, folder)
            mark = CommitMark(folder, files, cluster_id)
        with ExitStack() as undo:
            undo.callback(mark.close)
            found = Recovery(folder, files, cluster_id, first_index, mark.index, sync=sync).run()
            with disk_errors(files, folder / "log", "opening the newest segment"):
                segments = Segments(folder, files, found.segments, cluster_id, segment_bytes, sync=sync)
            undo.pop_all()
        self.recovered = found.cut
        self._first_index = found.segments[0].first_index if found.segments else first_index
        self._last_index = self._written_index = found.last_index
        self._runs = found.runs
        self._committed = mark.index
        self._cache = RecordCache(cache_bytes)
        self._segments = segments
        self._epoch = 0
        self._closed = False
        self._writer = LogWriter(segments, mark, files, folder, at_once=not sync)

    @property
    def first_index(self) -> int:
        """The index of the oldest record, or of the one that will be the first."""
        return self._first_index

    @property
    def last_index(self) -> int:
        """The index of the newest record appended; `first_index - 1` in an empty log."""
        return self._last_index

    @property
    def written_index(self) -> int:
        """The newest index reported as written (and synced), as of the last `take_synced`."""
        return self._written_index

    @property
    def committed_index(self) -> int:
        """The newest index marked as committed; after opening, what the folder remembered."""
        return self._committed

    def term_runs(self) -> list[tuple[int, int]]:
        """(first index, term) of each run of records of one term, oldest first."""
        return self._runs.copy()

    def term_at(self, index: int) -> int:
        """The term of the record at `index`; 0 where the log has none."""
        if not self._first_index <= index <= self._last_index:
            return 0
        return self._runs[bisect_right(self._runs, index, key=lambda run: run[0]) - 1][1]

    def append(self, records: Sequence[Record]) -> None:
        """Queue `records`, which follow the last one; `take_synced` tells when they are written.

        Raises Violation when an index does not follow or a term decreases, DiskFailed when the disk has failed.
        """
        self._writer.check()
        expected = self._last_index + 1
        term = self._runs[-1][1] if self._runs else 0
        for at, record in enumerate(records, expected):
            if record.index != at or record.term < term:
                raise Violation(
                    f"append: expected a record with index {at} and a term of at least {term}, found {record!r}"
                )
            term = record.term
        for record in records:
            if not self._runs or record.term != self._runs[-1][1]:
                self._runs.append((record.index, record.term))
            self._cache.add(record)
        if records:
            self._last_index = records[-1].index
            self._writer.append(list(records))

    def truncate(self, from_index: int) -> None:
        """Discard all records from `from_index` on, after what is queued; they are gone for `read` at once.

        Raises Violation when one of them is committed or `from_index` lies below the log, DiskFailed like `append`.
        """
        self._writer.check()
        lowest = max(self._first_index, self._committed + 1)
        if from_index < lowest:
            raise Violation(
                f"truncate: expected an index of at least {lowest}, the first uncommitted, found {from_index}"
            )
        if from_index > self._last_index:
            return
        self._cache.cut(from_index, self._last_index)
        self._last_index = from_index - 1
        self._written_index = min(self._written_index, self._last_index)
        while self._runs and self._runs[-1][0] >= from_index:
            self._runs.pop()
        self._epoch += 1
        self._writer.cut(Cut(from_index, Synced(self._epoch, self._last_index, self.term_at(self._last_index))))

    def read(self, first: int, max_bytes: int) -> list[Record]:
        """Consecutive records from `first` on, whole, together at most `max_bytes` but at least one if there is any.

        Raises InvalidCall when `first` is not within the log or right behind it, LogDamaged when a record read from
        its file is not what was written, DiskFailed when it cannot be read.
        """
        if not self._first_index <= first <= self._last_index + 1:
            raise InvalidCall(
                f"read: expected an index from {self._first_index} to {self._last_index + 1}, found {first}"
            )
        records: list[Record] = []
        size_bytes = 0
        while first <= self._last_index and (not records or size_bytes < max_bytes):
            cached = self._cache.get(first)
            found = [cached] if cached else self._segments.read(first, self._written_index, max_bytes - size_bytes)
            for record in found:
                size_bytes += len(record.raw)
                if records and size_bytes > max_bytes:
                    return records
                records.append(record)
            first += len(found)
        return records

    def fileno(self) -> int:
        """Readable when `take_synced` has something to say: register it with the event loop."""
        return self._writer.fileno()

    def take_synced(self) -> tuple[int, int] | None:
        """(index, term) up to which the log is written (and synced), if that was reported since the last call.

        A report from before a cut that is queued or done is not given: it may speak of records since discarded.
        Raises DiskFailed once the disk has failed.
        """
        synced: tuple[int, int] | None = None
        for report in self._writer.take_reports():
            if report.epoch == self._epoch:
                synced = (report.index, report.term)
        if synced is not None:
            self._written_index = synced[0]
            self._pass_on_mark()
            self._cache.shrink(self._written_index)
        return synced

    @property
    def has_synced(self) -> bool:
        """Whether `take_synced` may have something to say."""
        return self._writer.has_reports

    def check(self) -> None:
        """Raise DiskFailed if the disk has failed."""
        self._writer.check()

    def mark_committed(self, index: int) -> None:
        """Remember, lazily, that everything up to `index` is committed: it is never cut off, and its loss is damage."""
        if index > self._committed:
            self._committed = index
            self._pass_on_mark()

    def close(self) -> None:
        """Write what is queued and let go of everything; if the disk has failed, raise DiskFailed after that."""
        if self._closed:
            return
        self._closed = True
        self._writer.close()
        self._writer.check()

    def __enter__(self) -> LogStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pass_on_mark(self) -> None:
        """What is committed by a majority need not be on this disk yet; the mark vouches only for what is."""
        self._writer.mark_wanted = min(self._committed, self._written_index)
