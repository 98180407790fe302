"""The log of one replica on its disk: appended to, cut, read; it says what has become durable.

One thread, the owner, calls everything here. Appending queues; a second thread writes and syncs whatever is queued and
reports through a file descriptor. Reading sees what was appended, written or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from psmr.errors import InvalidCall, Violation
from psmr.storage.commit_mark import CommitMark
from psmr.storage.files import Files, disk_errors, make_folder
from psmr.storage.log_writer import Compact, Cut, LogWriter, Synced
from psmr.storage.record import Record
from psmr.storage.record_cache import RecordCache
from psmr.storage.recovery import Recovery
from psmr.storage.segments import Segments
from psmr.storage.term_runs import runs_above, term_of

SEGMENT_BYTES = 64 << 20
CACHE_BYTES = 64 << 20
ARCHIVE_NAME = "archive"


class LogStore:
    """Records `first_index` to `last_index`, in segment files of a folder; `base` is the position before them.

    `sync`: records count as written once fdatasync returned; without it once the kernel has them, which survives any
    process's death, not the machine's. `base`: (index, term) at which the newest snapshot was taken, (0, 0) without one. The
    log must not start above the record behind it; a log that ends before it, or has another term there, is removed, and
    the next record follows the snapshot. `recovered` says what opening removed, or is None. With `archive`, what `compact`
    drops is moved to a folder of that name. `control_indexes`: records found on opening that are the log's own.

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
        base: tuple[int, int] = (0, 0),
        cache_bytes: int = CACHE_BYTES,
        files: Files | None = None,
        archive: bool = False,
    ) -> None:
        files = files or Files()
        with disk_errors(files, folder / "commit-mark", "opening the commit mark"):
            make_folder(files, folder)
            mark = CommitMark(folder, files, cluster_id)
        with ExitStack() as undo:
            undo.callback(mark.close)
            found = Recovery(folder, files, cluster_id, base, mark.index, sync=sync).run()
            if base[0] > mark.index:
                # Were the snapshot lost that replaced a log, the folder would look like a new replica's: the mark tells.
                with disk_errors(files, folder / "commit-mark", "writing the commit mark"):
                    mark.save(base[0])
            aside = folder / ARCHIVE_NAME if archive else None
            with disk_errors(files, folder / "log", "opening the newest segment"):
                segments = Segments(folder, files, found.segments, cluster_id, segment_bytes, sync=sync)
            undo.pop_all()
        self.recovered = found.cut
        self.control_indexes = found.controls
        self._base = found.base
        self._last_index = self._written_index = found.last_index
        self._runs = found.runs
        self._committed = mark.index
        self._cache = RecordCache(cache_bytes)
        self._segments = segments
        self._epoch = 0
        self._closed = False
        self._writer = LogWriter(segments, mark, files, folder, aside, threaded=sync)

    @property
    def base(self) -> tuple[int, int]:
        """(index, term) of the position before the oldest record, (0, 0) in a log that never was compacted.

        After opening a compacted log this may be the oldest record still on the disk, which then counts as gone.
        """
        return self._base

    @property
    def first_index(self) -> int:
        """The index of the oldest record, or of the one that will be the first."""
        return self._base[0] + 1

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

    @property
    def last_term(self) -> int:
        """The term of the newest record; the base's in an empty log."""
        return self._runs[-1][1] if self._runs else self._base[1]

    @property
    def size_bytes(self) -> int:
        """How much the segment files hold, what is queued not yet counted and what is to be dropped still."""
        return self._segments.size_bytes

    def term_runs(self) -> list[tuple[int, int]]:
        """(first index, term) of each run of records of one term, oldest first."""
        return self._runs.copy()

    def term_at(self, index: int) -> int:
        """The term of the record at `index`, or of the base; 0 elsewhere."""
        if index == self._base[0]:
            return self._base[1]
        return term_of(self._runs, index) if self.first_index <= index <= self._last_index else 0

    def append(self, records: Sequence[Record]) -> None:
        """Queue `records`, which follow the last one; `take_synced` tells when they are written.

        Raises Violation when an index does not follow or a term decreases, DiskFailed when the disk has failed.
        """
        self._writer.check()
        expected = self._last_index + 1
        term = self.last_term
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
        lowest = max(self.first_index, self._committed + 1)
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

    def compact(self, index: int) -> int:
        """Drop the segments that nobody needs when everything up to `index` is in a durable snapshot; the new `first_index`.

        Whole segments go, those that hold no record above `index`, but the newest of them stays. They are gone for `read`
        at once; their files go in their own time. A crash in between leaves a log that opens with any base from
        `first_index - 1` to a record that it holds.

        Raises Violation when `index` lies behind the log's end, DiskFailed like `append`.
        """
        self._writer.check()
        if index > self._last_index:
            raise Violation(f"compact: expected an index of at most {self._last_index}, the last one, found {index}")
        self.mark_committed(index)
        first_index = self._segments.start_if_compacted(index)
        if first_index > self.first_index:
            self._base = (first_index - 1, self.term_at(first_index - 1))
            self._runs = runs_above(self._runs, first_index - 1, self._last_index)
            self._writer.compact(Compact(first_index))
        return self.first_index

    def read(self, first: int, max_bytes: int) -> list[Record]:
        """Consecutive records from `first` on, whole, together at most `max_bytes` but at least one if there is any.

        Raises InvalidCall when `first` is not within the log or right behind it, LogDamaged when a record read from
        its file is not what was written, DiskFailed when it cannot be read.
        """
        if not self.first_index <= first <= self._last_index + 1:
            raise InvalidCall(
                f"read: expected an index from {self.first_index} to {self._last_index + 1}, found {first}"
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
