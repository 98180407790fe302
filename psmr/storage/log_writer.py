"""The writer of the log: whatever has queued up goes to disk in one write and one fdatasync (group commit), by a thread.

A log that is not synced has nothing to wait for: its records go to the kernel in the owner's own thread, when it asks what has
been written. So what it hands over before it asks is one write, and what it does first, sending the records to others for one,
does not wait for the write.

So do, in a log that is synced, a few records while the thread rests: to wake it and be woken takes as long as their sync does. The
owner does nothing else meanwhile, so a sync that took longer than SLOW_S leaves all of them to the thread for RESPITE_S.

The owner puts work in; reports come out with an eventfd that an event loop can poll. When the disk fails, the thread
ends there: nothing queued is written, nothing is reported, and `check` raises from then on. A failed fdatasync is never
tried again, since the kernel may have dropped the pages it could not write and would report success.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from msgspec import Struct

from psmr.errors import DiskFailed, Violation
from psmr.storage.commit_mark import CommitMark
from psmr.storage.files import Files, disk_errors
from psmr.storage.record import Record
from psmr.storage.removing import Remover
from psmr.storage.segments import Segments

MARK_PERIOD_S = 1.0
FEW_BYTES = 16 << 10
"""So much at most is written and synced by the owner itself."""
SLOW_S = 0.002
RESPITE_S = 1.0


class Synced(Struct, frozen=True, gc=False):
    """Everything up to `index` is written (and synced); `epoch` counts the cuts made before."""

    epoch: int
    index: int
    term: int


class Cut(Struct, frozen=True, gc=False):
    """Discard from `from_index`; when that is done, `synced` is so."""

    from_index: int
    synced: Synced


class Compact(Struct, frozen=True, gc=False):
    """Drop the segments before the one that starts at `first_index`; nothing is reported, and their files go later."""

    first_index: int


class _Stop(Struct, frozen=True, gc=False):
    """Write what was queued before this, then end."""


_Task = list[Record] | Cut | Compact | _Stop


class LogWriter:
    """Owns the segments for writing; all its methods are the owner's, `_run` is the thread. `threaded`: whether there is one.

    What is dropped goes beside both, to `archive` if there is one: appends would wait for it.
    """

    def __init__(
        self,
        segments: Segments,
        commit_mark: CommitMark,
        files: Files,
        folder: Path,
        archive: Path | None = None,
        *,
        threaded: bool = True,
    ) -> None:
        self._segments = segments
        self._commit_mark = commit_mark
        self._files = files
        self._folder = folder
        self._queue: SimpleQueue[_Task] = SimpleQueue()
        self._held: list[Record] = []
        self._held_bytes = 0
        self._queued = self._taken = self._done = 0
        self._thread_only_until_s = 0.0
        self._reports: deque[Synced] = deque()
        self._event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._has_rung = False
        self._epoch = 0
        self._stopping = False
        self._ended = False
        self._failure: DiskFailed | None = None
        self.mark_wanted = commit_mark.index
        self._mark_saved_at_s = time.monotonic()
        self._remover = Remover(files, archive, self._ring, sync=threaded)
        self._thread: Thread | None = None
        if threaded:
            self._thread = Thread(target=self._run, name="log-writer", daemon=True)
            self._thread.start()

    def append(self, records: list[Record]) -> None:
        """Queue records, to be reported when written; the list is the writer's from now on."""
        if self._thread is not None and not self._may_hold(records):
            self._queue_up(records)
        elif self._held:
            self._held += records
        else:
            self._held = records

    def _may_hold(self, records: list[Record]) -> bool:
        """Whether the owner itself is to sync them: few enough with those held already, nothing before them, a quick disk."""
        if self._queued != self._done or time.monotonic() < self._thread_only_until_s:
            return False
        size_bytes = self._held_bytes + sum(len(record.raw) for record in records)
        if size_bytes > FEW_BYTES:
            return False
        self._held_bytes = size_bytes
        return True

    def cut(self, cut: Cut) -> None:
        """Queue a cut, behind what is queued already."""
        self._hand_over(cut)

    def compact(self, compact: Compact) -> None:
        """Queue a compaction, behind what is queued already."""
        self._hand_over(compact)

    @property
    def has_reports(self) -> bool:
        """Whether `take_reports` would give any."""
        return bool(self._held or self._reports)

    def _hand_over(self, task: Cut | Compact) -> None:
        if self._thread is not None:
            self._queue_up(task)
        else:
            self._perform_here([self._take_held(), task])

    def _queue_up(self, task: _Task) -> None:
        """Behind what is held, for the thread."""
        for each in (self._take_held(), task) if self._held else (task,):
            self._queued += 1
            self._queue.put(each)

    def fileno(self) -> int:
        """Readable when the thread has written something, or ended: `take_reports` says what, or raises.

        Without a thread it is when something that was dropped could not be removed: `has_reports` tells of the rest.
        """
        return self._event_fd

    def take_reports(self) -> list[Synced]:
        """What was written since the last call, oldest first; what is held is written now. Raises like `check`."""
        # Before the reports: one that comes in between signals anew. Unsignalled ones may be here as well.
        if self._thread is not None or self._has_rung:
            self._has_rung = False
            with suppress(BlockingIOError):
                os.eventfd_read(self._event_fd)
        self.check()
        if self._held:
            self._perform_here([self._take_held()])
        return [self._reports.popleft() for _ in range(len(self._reports))]

    def _take_held(self) -> list[Record]:
        held, self._held, self._held_bytes = self._held, [], 0
        return held

    def _perform_here(self, tasks: list[_Task]) -> None:
        began_s = time.monotonic()
        try:
            self._perform(tasks, self._reports.append)
            if self._thread is None:
                self._save_mark(at_once=False)
        except DiskFailed as failure:
            self._failure = failure
            raise
        ended_s = time.monotonic()
        if ended_s - began_s > SLOW_S:
            self._thread_only_until_s = ended_s + RESPITE_S

    def check(self) -> None:
        """Raise DiskFailed once the disk has failed; Violation when the thread ended for any other reason."""
        failure = self._failure or self._remover.failure
        if failure is not None:
            raise DiskFailed(str(failure)) from failure
        if self._thread is None:
            self._check_here()
        if self._ended and not self._stopping:
            raise Violation(
                f"the log writer of {self._folder} ended with an error, written to stderr: restart the replica"
            )

    def close(self) -> None:
        """Write what is queued, end the thread, let go of its files."""
        self._stopping = True
        if self._thread is not None:
            self._queue_up(_Stop())
            self._thread.join()
        elif self._failure is None:
            self._finish_here()
        self._remover.close()
        self._segments.close()
        self._commit_mark.close()
        os.close(self._event_fd)

    def _run(self) -> None:
        try:
            while self._perform(self._take(), self._report):
                self._save_mark(at_once=False)
                self._done = self._taken
            self._save_mark(at_once=True)
        except DiskFailed as failure:
            self._failure = failure
        finally:
            self._ended = True
            self._ring()

    def _ring(self) -> None:
        # In this order: an owner that believed in a ring before it is there would take back nothing, and be woken for ever.
        os.eventfd_write(self._event_fd, 1)
        self._has_rung = True

    def _take(self) -> list[_Task]:
        """All that is queued, consecutive appends made one; empty after a period without any."""
        try:
            taken: list[_Task] = [self._queue.get(timeout=MARK_PERIOD_S)]
        except Empty:
            return []
        more = self._queue.qsize()
        self._taken += 1 + more
        for _ in range(more):
            task = self._queue.get()
            last = taken[-1]
            if isinstance(task, list) and isinstance(last, list):
                last += task
            else:
                taken.append(task)
        return taken

    def _perform(self, tasks: list[_Task], report: Callable[[Synced], None]) -> bool:
        for task in tasks:
            if isinstance(task, _Stop):
                return False
            if isinstance(task, Cut):
                self._segments.cut(task.from_index)
                self._epoch = task.synced.epoch
                report(task.synced)
            elif isinstance(task, Compact):
                self._remover.remove(self._segments.drop_before(task.first_index))
            else:
                self._append(task, report)
        return True

    def _append(self, records: list[Record], report: Callable[[Synced], None]) -> None:
        at = 0
        while at < len(records):
            at = self._segments.append(records, at)
            report(Synced(self._epoch, records[at - 1].index, records[at - 1].term))

    def _report(self, synced: Synced) -> None:
        """From the thread: the owner may sleep."""
        self._reports.append(synced)
        self._ring()

    def _check_here(self) -> None:
        try:
            self._segments.check()
        except DiskFailed as failure:
            self._failure = failure
            raise

    def _finish_here(self) -> None:
        try:
            self._perform([self._take_held()], self._reports.append)
            self._segments.settle()
            self._save_mark(at_once=True)
        except DiskFailed as failure:
            self._failure = failure

    def _save_mark(self, *, at_once: bool) -> None:
        wanted = self.mark_wanted
        now_s = time.monotonic()
        if wanted == self._commit_mark.index or not (at_once or now_s - self._mark_saved_at_s >= MARK_PERIOD_S):
            return
        with disk_errors(self._files, self._folder / "commit-mark", "writing the commit mark"):
            self._commit_mark.save(wanted)
        self._mark_saved_at_s = now_s
