"""Snapshots of a real replica: written by a thread, kept in its folder, sent and received as files."""

from __future__ import annotations

from pathlib import Path

from psmr.core.override import Overridden
from psmr.core.rolling import Rolling
from psmr.core.sessions import Remembered
from psmr.core.sessions_record import encode_sessions
from psmr.errors import ConfigurationError, DiskFailed, LogDamaged
from psmr.execution.capture import Capture, CaptureAbandoned
from psmr.log.port import Base
from psmr.replica.beside import Beside, Threads, Work
from psmr.replica.event_stream import EventStream
from psmr.replica.snapshot_content import About, head_of
from psmr.replica.snapshots import Taken
from psmr.storage import SnapshotFile, SnapshotReceiver, SnapshotWriter, remove_older
from psmr.storage.files import Files
from psmr.storage.record import Buffer


class SnapshotFolder:
    """The newest snapshot of a folder, for others to fetch; `keep` puts another in its place.

    One that somebody is fetching just then can be read on, though its name is gone from the folder, for as long as it is read
    between each snapshot and the next.
    """

    def __init__(
        self, folder: Path, files: Files, cluster_id: int, newest: SnapshotFile | None, beside: Beside | None = None
    ) -> None:
        self.folder = folder
        self.files = files
        self.cluster_id = cluster_id
        self.beside = beside or Threads()
        self._newest = newest
        self._sent: SnapshotFile | None = None
        self._was_read: set[int] = set()
        self._removal: Work | None = None
        self._failure: DiskFailed | None = None

    def newest(self) -> tuple[int, int] | None:
        """Log index and size in bytes of the newest."""
        return None if self._newest is None else (self._newest.head.index, self._newest.size_bytes)

    def keep(self, snapshot: SnapshotFile) -> None:
        """A newer one is on the disk: the others may go, in their own time. Raises DiskFailed if the last ones would not."""
        self.settle()
        replaced = [each for each in (self._sent, self._newest) if each is not None]
        # The oldest first: it will be complete before the other. What was read is open, so it outlives its name.
        self._sent = next((each for each in replaced if each.head.index in self._was_read), None)
        self._was_read.clear()
        self._newest = snapshot
        gone = [each for each in replaced if each is not self._sent]
        sent = None if self._sent is None else self._sent.path
        self._removal = self.beside.start(lambda: self._remove(gone, snapshot, sent), "snapshot-removal")

    def settle(self) -> None:
        """Wait until what was replaced is gone. Raises DiskFailed if it could not be removed."""
        if self._removal is not None:
            self._removal.join()
            self._removal = None
        if self._failure is not None:
            raise self._failure

    def _remove(self, gone: list[SnapshotFile], newest: SnapshotFile, sent: Path | None) -> None:
        """In a thread, for a large file takes long to free, and the folder's sync as long as the disk is busy."""
        try:
            remove_older(self.folder, self.files, newest.head.index, sent)
            for each in gone:
                each.close()
        except DiskFailed as failure:
            self._failure = failure

    def read(self, index: int, offset: int, count: int) -> bytes | None:
        """Bytes of the snapshot at `index`; None when it is gone, or has not so many."""
        found = self._find(index)
        if found is None or offset + count > found.size_bytes:
            return None
        self._was_read.add(index)
        return found.read(offset, count)

    def size_of(self, index: int) -> int | None:
        """The size in bytes of the snapshot at `index`; None when it is gone."""
        found = self._find(index)
        return None if found is None else found.size_bytes

    def _find(self, index: int) -> SnapshotFile | None:
        kept = (each for each in (self._newest, self._sent) if each is not None and each.head.index == index)
        return next(kept, None)

    def receive(self, index: int, size_bytes: int) -> IncomingFile:
        """Make room for another replica's."""
        receiver = SnapshotReceiver(self.folder, self.files, self.cluster_id, index, size_bytes)
        return IncomingFile(receiver, self.beside)


class IncomingFile:
    """A snapshot's file on its way; verified and synced by a thread, for that takes long."""

    def __init__(self, receiver: SnapshotReceiver, beside: Beside) -> None:
        self._receiver = receiver
        self._beside = beside
        self._thread: Work | None = None
        self._failure: LogDamaged | DiskFailed | ConfigurationError | None = None

    @property
    def held_bytes(self) -> int:
        """How much of its beginning is here."""
        return self._receiver.missing()

    def write(self, data: bytes) -> None:
        """Put the next bytes behind those held."""
        self._receiver.write(self._receiver.missing(), data)

    def finish(self) -> bool:
        """Whether it is verified and on the disk. Raises LogDamaged, ConfigurationError, DiskFailed."""
        if self._thread is None:
            self._thread = self._beside.start(self._finish, "snapshot-check")
        if self._thread.is_alive():
            return False
        if self._failure is not None:
            raise self._failure
        return True

    def _finish(self) -> None:
        try:
            self._receiver.finish()
        except (LogDamaged, ConfigurationError, DiskFailed) as failure:
            self._failure = failure

    def abandon(self) -> None:
        """Remove what there is of it."""
        self._receiver.abandon()


class SnapshotThread:
    """Writes one snapshot at a time; `finished` tells the loop, whose poller watches `sources`."""

    def __init__(self, kept: SnapshotFolder, fingerprint: int) -> None:
        self._kept = kept
        self._fingerprint = fingerprint
        self._bell = kept.beside.bell()
        self._thread: Work | None = None
        self._written: SnapshotFile | None = None
        self._failure = ""
        self._index = 0
        self._closed = False
        self._events: EventStream | None = None
        self._rolling: Rolling | None = None

    def follow(self, events: EventStream) -> None:
        """A snapshot is to say how many events there were, and to count only once all of them are on the disk."""
        self._events = events

    def remember(self, rolling: Rolling) -> None:
        """A snapshot is to say what the commands before it did."""
        self._rolling = rolling

    def sources(self) -> list[int]:
        """Readable when a snapshot is written."""
        return self._bell.sources()

    def begin(
        self,
        base: Base,
        newest: int,
        remembered: list[Remembered],
        capture: Capture,
        fingerprint: int | None,
        overrides: tuple[Overridden, ...] = (),
    ) -> None:
        """Write sessions and captured state as a snapshot at `base`, for the service of that fingerprint or this one."""
        self._index, self._written, self._failure = base.index, None, ""
        events = 0
        if self._events is not None:
            self._events.settle()
            events = self._events.position
        follows = self._fingerprint if fingerprint is None else fingerprint
        mark = None if self._rolling is None else self._rolling.mark
        about = About(base, follows, events, overrides, mark)
        self._thread = self._kept.beside.start(lambda: self._run(about, newest, remembered, capture), "snapshot")

    def finished(self) -> Taken | None:
        """What became of it, once; None while it is being written."""
        thread = self._thread
        if thread is None or thread.is_alive():
            return None
        self._bell.silence()
        self._thread = None
        if self._written is None:
            return Taken(self._index, failure=self._failure or "the snapshot's thread ended with an error, on stderr")
        self._kept.keep(self._written)
        return Taken(self._index, self._written.size_bytes)

    def close(self) -> None:
        """Give up what is being written, and wait until nothing reads the state any more."""
        if self._closed:
            return
        self._closed = True
        if self._thread is not None:
            self._thread.join()
        self._kept.settle()
        self._bell.close()

    def _run(self, about: About, newest: int, remembered: list[Remembered], capture: Capture) -> None:
        try:
            if self._events is not None:
                self._events.sync()  # a restart from the snapshot cannot make again what lies before it
            self._written = self._write(about, encode_sessions(newest, remembered), capture)
        except DiskFailed as failure:
            self._failure = str(failure)
        except CaptureAbandoned:
            self._failure = "given up, as the replica ends"
        finally:
            self._bell.ring()

    def _put(self, writer: SnapshotWriter, offset: int, content: Buffer) -> None:
        if self._closed:
            raise CaptureAbandoned
        writer.write(offset, [content])

    def _write(self, about: About, sessions: bytes, capture: Capture) -> SnapshotFile:
        kept = self._kept
        writer = SnapshotWriter(kept.folder, kept.files, cluster_id=kept.cluster_id, index=about.base.index)
        try:
            writer.write(0, [sessions])
            result = capture.write(lambda offset, content: self._put(writer, len(sessions) + offset, content))
            head = head_of(about, len(sessions), result)
            return writer.finish(head)
        except BaseException:
            writer.abandon()
            raise
