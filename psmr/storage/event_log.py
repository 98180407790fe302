"""The events of one replica, in files beside its log: appended, kept up to a size, read from any position that is kept.

    events/events-<position of its first event>.evt      header, then frames (`psmr.core.event_frame`), one behind the other

    header   magic "PSEL": u32, format version: u32, cluster id: u64, first position: u64, checksum: u64 (xxh3-64 of the others)

Events follow from the log, so their files need no syncing of their own: what a crash takes, the replay of the log makes again. Only
what lies before a snapshot could not be made again; so it is synced (`sync`) before the snapshot counts. A start at a snapshot
verifies what lies behind its position, cuts what a crash has torn, and compares with the rest whatever replay appends. Without
syncs, where a power cut takes what it likes, the log is right, and events that differ from what it gives again are cut.

One thread appends and reads; another may `sync`. How a stream is written: `psmr/storage/event_tail.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from threading import Lock

from xxhash import xxh3_64_intdigest

from psmr.core.event_frame import PART_BYTES, FrameHead, MalformedFrame, frame_at, head_at, whole_frames
from psmr.errors import DiskFailed, LogDamaged
from psmr.storage.event_tail import EventTail
from psmr.storage.files import Files, disk_errors, make_folder, read_fully, replace_file

FORMAT_VERSION = 1
FILE_MAGIC = 0x4C455350
FILE_BYTES_MAX = 64 << 20
_HEADER = Struct("<IIQQ")
HEADER_BYTES = _HEADER.size + 8
_SPARSE_BYTES = 64 << 10
_WALK_BYTES = 4 << 20
_FRAME_ROOM = PART_BYTES + (64 << 10)
"""More than any frame has: a part ends with the event that fills it."""


@dataclass(slots=True)
class EventFile:
    """One file: where it ends, and, for every so many bytes of its beginning, the position and offset of a frame."""

    path: Path
    first: int
    size_bytes: int = HEADER_BYTES
    places: list[tuple[int, int]] = field(default_factory=list)
    walked: tuple[int, int] = (0, 0)

    def note(self, position: int, offset: int, end: int, end_offset: int) -> None:
        """A frame was written, or found, behind those known."""
        if not self.places or offset - self.places[-1][1] >= _SPARSE_BYTES:
            self.places.append((position, offset))
        self.walked = (end, end_offset)

    @property
    def is_walked(self) -> bool:
        """Whether all its frames are known."""
        return self.walked[1] == self.size_bytes


def file_name(first: int) -> str:
    """The name of the file that begins at a position; names sort as positions do."""
    return f"events-{first:020d}.evt"


def file_header(cluster_id: int, first: int) -> bytes:
    """The first HEADER_BYTES of a file."""
    fields = _HEADER.pack(FILE_MAGIC, FORMAT_VERSION, cluster_id, first)
    return fields + xxh3_64_intdigest(fields).to_bytes(8, "little")


class EventLog:
    """The event files in `folder`; `start` is the position at which delivery goes on, that of a snapshot or 0.

    `earliest` and `end` are the first position kept and the one behind the last. `notice` says what was found amiss, and done.
    Raises DiskFailed.
    """

    def __init__(self, folder: Path, files: Files, *, cluster_id: int, start: int, bytes_max: int, sync: bool) -> None:
        self._folder = folder
        self._disk = files
        self._cluster_id = cluster_id
        self._bytes_max = bytes_max
        self._file_bytes = min(FILE_BYTES_MAX, max(bytes_max // 8, 1 << 20))
        self._sync = sync
        self._lock = Lock()
        self._unsynced: set[Path] = set()
        self._failure: DiskFailed | None = None
        self._pending: list[tuple[FrameHead, bytes]] = []
        self._fd = -1
        self._tail: EventTail | None = None
        self.notice = ""
        self.end = start
        with disk_errors(files, folder, "opening the event files"):
            make_folder(files, folder)
            self._files = self._found()
            self._compared, self._compare_end = self._verified(start)
            self._open_newest(self._compare_end)

    @property
    def earliest(self) -> int:
        """The first position that is kept."""
        return self._files[0].first

    @property
    def written(self) -> int:
        """The position behind the last event that can be read: none that replay has not come to."""
        return min(self.end, self._files[-1].walked[0])

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(each.size_bytes for each in self._files)

    def append(self, frame: bytes) -> None:
        """Take the next frame: behind `end`, to be written by `flush`. Raises LogDamaged where another is there already."""
        head = head_at(frame)
        if head is None or head.position != self.end:
            raise ValueError(f"events: expected a frame at position {self.end}, found {head}")
        self.end = head.end
        if head.position >= self._compare_end:
            self._pending.append((head, frame))
        elif head.position >= self.earliest:
            self._compare(frame, head.position)

    def flush(self) -> None:
        """Write what was appended, or have it written soon where much comes; it can be read at once. Raises DiskFailed."""
        if not self._pending:
            if self._tail is not None and self._tail.recent:
                with disk_errors(self._disk, self._files[-1].path, "writing events"):
                    self._tail.rest()
            return
        pending, self._pending = self._pending, []
        done = 0
        while done < len(pending):
            if self._files[-1].size_bytes >= self._file_bytes:
                self._roll(pending[done][0].position)
            newest = self._files[-1]
            until, offset = done, newest.size_bytes
            while until < len(pending) and offset < self._file_bytes:
                head = pending[until][0]
                newest.note(head.position, offset, head.end, offset + head.size_bytes)
                offset += head.size_bytes
                until += 1
            with disk_errors(self._disk, newest.path, f"writing events at offset {newest.size_bytes}"):
                self._opened().put(pending[done:until])
            newest.size_bytes = offset
            with self._lock:
                self._unsynced.add(newest.path)
            done = until

    def settle(self) -> None:
        """Have all that was appended in the file, to be synced. Raises DiskFailed."""
        self.flush()
        if self._tail is not None:
            with disk_errors(self._disk, self._files[-1].path, "writing events"):
                self._tail.settle()

    def sync(self) -> None:
        """Have all that was settled on the disk; from any thread. Raises DiskFailed: if one sync failed, for ever after."""
        if not self._sync:
            return
        if self._failure is not None:
            raise self._failure  # the pages that were not written may be gone: another sync would only seem to succeed
        with self._lock:
            unsynced = sorted(self._unsynced)
            self._unsynced.clear()
        try:
            for path in unsynced:
                with disk_errors(self._disk, path, "syncing events"):
                    self._sync_file(path)
            with disk_errors(self._disk, self._folder, "syncing the folder of events"):
                self._disk.sync_folder(self._folder)
        except DiskFailed as failure:
            self._failure = failure
            raise

    def read(self, position: int, bytes_max: int) -> bytes | None:
        """Whole frames, from the one with the event at `position` on: about `bytes_max`, at least one; empty at the end.

        None while the file has still to be looked through: ask again. The frames are not verified. Raises DiskFailed; ValueError
        for a position that is no longer kept.
        """
        if position < self.earliest:
            raise ValueError(f"events: expected a position of at least {self.earliest}, found {position}")
        which = bisect_right(self._files, position, key=lambda each: each.first) - 1
        chosen = self._files[which]
        if position >= self.written:
            return b""
        if self._tail is not None and (recent := self._tail.read(position, bytes_max)) is not None:
            return recent
        with disk_errors(self._disk, chosen.path, "reading events"):
            fd = self._disk.open_file(chosen.path)
            try:
                if chosen.walked[0] <= position and not self._walk(fd, chosen):
                    self._forget(which)
                    return None
                return self._read(fd, chosen, position, bytes_max) if position < chosen.walked[0] else None
            finally:
                self._disk.close(fd)

    def close(self) -> None:
        """Write what is left and let go of the files."""
        if self._fd != -1:
            try:
                self.settle()
            finally:
                self._close_newest()

    def _read(self, fd: int, chosen: EventFile, position: int, bytes_max: int) -> bytes:
        place = bisect_right(chosen.places, position, key=lambda each: each[0]) - 1
        offset = chosen.places[place][1]
        wanted = min(chosen.size_bytes - offset, bytes_max + _SPARSE_BYTES + 2 * _FRAME_ROOM)
        data = self._bytes(fd, offset, wanted)
        start, end = whole_frames(data, position, self.written, bytes_max)
        return bytes(data[start:end])

    def _walk(self, fd: int, chosen: EventFile) -> bool:
        """Look through some more of a file that this process has not written; False where no frame follows."""
        position, offset = chosen.walked if chosen.walked[1] else (chosen.first, HEADER_BYTES)
        data = self._bytes(fd, offset, min(_WALK_BYTES, chosen.size_bytes - offset))
        place = 0
        while (head := head_at(data, place)) is not None:
            if head.position != position or place + head.size_bytes > len(data):
                break
            chosen.note(position, offset + place, head.end, offset + place + head.size_bytes)
            position, place = head.end, place + head.size_bytes
        return place > 0

    def _forget(self, which: int) -> None:
        """Let go of a file that is not whole, and of those before it: what is kept has no gaps."""
        self.notice = f"{self._files[which].path}: not whole; events are kept from {self._files[which + 1].first} on"
        self._remove(each.path for each in self._files[: which + 1])
        del self._files[: which + 1]

    def _bytes(self, fd: int, offset: int, count: int) -> memoryview:
        data = memoryview(bytearray(count))
        return data[: read_fully(self._disk, fd, data, offset)]

    def _compare(self, frame: bytes, position: int) -> None:
        """What replay appends is there already, and must be the same."""
        which, offset = self._compared
        while offset >= self._files[which].size_bytes:
            which, offset = which + 1, HEADER_BYTES
        chosen = self._files[which]
        with disk_errors(self._disk, chosen.path, "reading events"):
            fd = self._disk.open_file(chosen.path)
            try:
                found = bytes(self._bytes(fd, offset, len(frame)))
            finally:
                self._disk.close(fd)
        if found != frame and not self._sync:
            # Neither log nor events were synced: a power cut may have taken more of the log, and others were ordered since.
            self._go_on_at(which, offset, position)
            self._pending.append((frame_at(frame), frame))
        elif found != frame:
            raise LogDamaged(
                f"{chosen.path}: offset {offset}: expected the events that the log gives again at position {position}, "
                "found others: remove the folder of events, and this replica keeps them from here on"
            )
        self._compared = which, offset + len(frame)

    def _go_on_at(self, which: int, offset: int, position: int) -> None:
        """Cut what lies behind a place, and append there from now on."""
        chosen = self._files[which]
        chosen.places = [place for place in chosen.places if place[1] < offset]
        chosen.walked = position, offset
        self._compare_end = position
        self._close_newest()
        with disk_errors(self._disk, chosen.path, "cutting events"):
            self._cut(which, offset, position)
            self._open_newest(position)

    def _sync_file(self, path: Path) -> None:
        try:
            fd = self._disk.open_file(path)
        except FileNotFoundError:
            return  # removed meanwhile: nobody needs it
        try:
            self._disk.fdatasync(fd)
        finally:
            self._disk.close(fd)

    def _found(self) -> list[EventFile]:
        """The files that are there, in order. One without a proper header is removed, and what lies before it if more follow."""
        found: list[EventFile] = []
        gone: list[Path] = []
        for path in sorted(self._folder.glob("events-*.evt")):
            fd = self._disk.open_file(path)
            try:
                header, size_bytes = bytes(self._bytes(fd, 0, HEADER_BYTES)), self._disk.size_bytes(fd)
            finally:
                self._disk.close(fd)
            first = _HEADER.unpack_from(header)[3] if len(header) == HEADER_BYTES else 0
            if header != file_header(self._cluster_id, first) or path.name != file_name(first):
                gone.append(path)
                continue
            if gone:
                gone += [each.path for each in found]
                found.clear()
            found.append(EventFile(path, first, size_bytes))
        if gone:
            self._remove(gone)
            self.notice = f"{self._folder}: expected event files, found others in {len(gone)} places: removed"
        return found

    def _verified(self, start: int) -> tuple[tuple[int, int], int]:
        """Where replay from `start` on is to be compared, (file, offset), and up to which position. Cuts what is torn."""
        first = max(0, bisect_right(self._files, start, key=lambda each: each.first) - 1)
        compared, end = (first, HEADER_BYTES), self._files[first].first if self._files else 0
        for which in range(first, len(self._files)):
            chosen = self._files[which]
            if chosen.first != end:
                self._cut(which, 0, end)
                break
            size_bytes, whole = chosen.size_bytes, self._scan(chosen, start)
            if chosen.first <= start and any(start == position for position, _ in whole):
                compared = which, next(offset for position, offset in whole if position == start)
            end = chosen.walked[0] if whole else chosen.first
            if chosen.walked[1] < size_bytes:
                self._cut(which, chosen.walked[1], end)
                break
            if end == start:
                compared = which, chosen.size_bytes
        if end < start and self._files:
            self.notice = f"{self._folder}: events kept up to position {end}, and this replica goes on at {start}: they are removed"
            self._remove(each.path for each in self._files)
            self._files.clear()
        return compared, end if self._files else start

    def _scan(self, chosen: EventFile, start: int) -> list[tuple[int, int]]:
        """Verify a file's frames, noting them; (position, offset) of each. None that the log goes on in the middle of is its."""
        fd = self._disk.open_file(chosen.path)
        try:
            data = self._bytes(fd, 0, chosen.size_bytes)
        finally:
            self._disk.close(fd)
        position, offset = chosen.first, HEADER_BYTES
        chosen.walked = (position, offset)
        found: list[tuple[int, int]] = []
        while offset < len(data):
            try:
                head = frame_at(data, offset)
            except MalformedFrame:
                break
            if head.position != position or position < start < head.end:
                break
            chosen.note(position, offset, head.end, offset + head.size_bytes)
            found.append((position, offset))
            position, offset = head.end, offset + head.size_bytes
        return found

    def _remove(self, paths: Iterable[Path]) -> None:
        """Have files go for good: one that came back would stand before a gap, and what is kept begin with it."""
        for path in paths:
            self._disk.unlink(path)
        if self._sync:
            self._disk.sync_folder(self._folder)

    def _cut(self, which: int, size_bytes: int, end: int) -> None:
        """End with the first `size_bytes` of a file, and none behind it: the rest was torn by a crash, or does not follow."""
        self.notice = f"{self._folder}: events behind position {end} were not whole; they are made again from the log"
        for each in self._files[which + 1 :]:
            self._disk.unlink(each.path)
        chosen = self._files[which]
        if size_bytes <= HEADER_BYTES and which > 0:
            self._disk.unlink(chosen.path)
            del self._files[which:]
            return
        del self._files[which + 1 :]
        fd = self._disk.open_file(chosen.path)
        try:
            self._disk.truncate(fd, size_bytes)
        finally:
            self._disk.close(fd)
        chosen.size_bytes = size_bytes

    def _roll(self, position: int) -> None:
        """Begin another file, and let the oldest go when there are too many bytes."""
        if self._tail is not None:
            with disk_errors(self._disk, self._files[-1].path, "writing events"):
                self._tail.settle()
        self._close_newest()
        with disk_errors(self._disk, self._folder, "beginning an event file"):
            self._create(position)
            while len(self._files) > 1 and self.size_bytes > self._bytes_max - self._file_bytes:
                oldest = self._files.pop(0)
                self._disk.unlink(oldest.path)
                which, offset = self._compared
                self._compared = which - 1, offset

    def _open_newest(self, end: int) -> None:
        """Be ready to append at position `end`: to the last file, or to a new one."""
        if self._files and self._files[-1].is_walked:
            self._fd = self._disk.open_file(self._files[-1].path)
        else:
            self._create(end)

    def _opened(self) -> EventTail:
        """The end of the newest file. Raises OSError."""
        if self._tail is None:
            newest = self._files[-1]
            self._tail = EventTail(self._disk, newest.path, self._fd, newest.size_bytes)
        return self._tail

    def _close_newest(self) -> None:
        if self._tail is not None:
            self._tail.close()
            self._tail = None
        self._disk.close(self._fd)
        self._fd = -1

    def _create(self, first: int) -> None:
        path = self._folder / file_name(first)
        replace_file(self._disk, path, file_header(self._cluster_id, first), sync=False)
        with self._lock:
            self._unsynced.add(path)
        self._fd = self._disk.open_file(path)
        self._files.append(EventFile(path, first, walked=(first, HEADER_BYTES)))
