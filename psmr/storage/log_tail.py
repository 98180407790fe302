"""The newest bytes of a log that is not synced: in memory that outlives the process, and on their way to the segment behind it.

A record of such a log counts as written once the kernel has it. By way of the page cache that takes a new page for every 4 KiB,
and a page that was not used for long is dear: 1 to 2 µs, and up to 13 µs in a virtual machine whose host may have to give
it first, which was up to half of all that a replicated command cost. So what is appended goes into a mapped file, a
ring whose pages are used again and again (0.1 µs), and a thread writes whole pages of it to the segment, past the page
cache (0.3 µs).

    append ──► ring, mapped from `log-tail.seg` ──► thread ──► segment
                  └── after SIGKILL: `settle_tail` writes what the segment lacks, before the log is opened

The ring holds the byte at offset `o` of a segment at `o % RING_BYTES`. A page in front of it says which segment, and from
which offset on the segment may lack something, in two places that are written by turns. Where the log ends is not said there:
scanning tells, as it does for a segment. What the ring held before cannot be taken for what follows the end, since its
indexes are smaller; a cut, behind which they are not, clears it.
"""

from __future__ import annotations

import errno
import mmap
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from xxhash import xxh3_64_intdigest

from psmr.errors import ConfigurationError, LogDamaged
from psmr.storage.files import FULL, PAGE_BYTES, Files, read_fully, write_fully
from psmr.storage.record import Buffer
from psmr.storage.scan import later_flush, scan_segment
from psmr.storage.segment import Segment, segment_name

TAIL_NAME = "log-tail.seg"
"""Named as segments are, so that whoever replaces a folder's log replaces this too."""
RING_BYTES = 8 << 20
PIECE_BYTES = 1 << 20
"""So much is written to the segment at a time."""

MAGIC = 0x544C5350
FORMAT_VERSION = 1
HEAD_PLACES = (0, PAGE_BYTES // 2)
_FIELDS = Struct("<IIQQQQ")
_CHECKSUM = Struct("<Q")
HEAD_BYTES = _FIELDS.size + _CHECKSUM.size
_NOBODY = 0
_UNMAPPABLE = (errno.ENODEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOMEM)
_LOOKS_MAX = 20
_REPAIR = (
    "Restore this replica from a peer: stop the cluster, replace the log-*.seg and snapshot-*.snap files of this folder by "
    "those of the replica with the longest log, remove commit-mark, start all again."
)


@dataclass(frozen=True, slots=True)
class TailHead:
    """What the first page says: the segment with `first_index` may lack what is behind `start`. None does if it is 0."""

    cluster_id: int
    turn: int
    first_index: int
    start: int

    def packed(self) -> bytes:
        """The bytes of one of its two places."""
        fields = _FIELDS.pack(MAGIC, FORMAT_VERSION, self.cluster_id, self.turn, self.first_index, self.start)
        return fields + _CHECKSUM.pack(xxh3_64_intdigest(fields))


class LogTail:
    """The tail of the newest segment of the log in `folder`; one thread, the owner, calls this. Methods raise OSError.

    Between `follow` and `rest` it is the segment's only writer. Where the file system knows no way past the page cache, or
    the disk has no room for a ring, it writes through the cache, at once.
    """

    def __init__(self, files: Files, folder: Path, cluster_id: int) -> None:
        self._files = files
        self._path = folder / TAIL_NAME
        self._cluster_id = cluster_id
        self._map: mmap.mmap | None = None
        self._ring = memoryview(b"")
        self._turn = 0
        self._first_index = _NOBODY
        self._fd = self._direct = -1
        self._start = self._handed_over = self._end = 0
        self._in_file = 0
        self._thread: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None

    @property
    def is_following(self) -> bool:
        """Whether there is a segment to write to."""
        return self._fd != -1

    @property
    def in_file(self) -> int:
        """Everything before this offset is in the segment's file."""
        return self._in_file

    def follow(self, path: Path, fd: int, first_index: int, end: int) -> None:
        """Write to the segment at `path`, open as `fd`, which ends at `end`; before this nobody was followed."""
        self._fd = fd
        self._end = self._in_file = end
        if self._files.size_bytes(fd) > end:
            self._files.truncate(fd, end)  # zeros, from when the log was synced: behind the end there is to be nothing
        self._direct = self._files.open_direct(path)
        if self._direct != -1 and not self._has_ring():
            self._files.close(self._direct)
            self._direct = -1
        if self._direct != -1:
            self._first_index = first_index
            self._begin()
            self._save_head()  # both places have one now, before there is anything to lose

    def write(self, buffers: Sequence[Buffer], end: int) -> None:
        """Take what belongs behind all that was written, up to `end`; when this returns, a killed process leaves it behind."""
        if self._direct == -1 or end - self._end > RING_BYTES // 2:
            self._write_through(buffers, end)
            return
        if self._writing is not None and self._writing.done():
            self._finish()
        if end - self._start > RING_BYTES:
            self._make_room(end)
        at = self._end
        for each in buffers:
            self._put(at, each)
            at += len(each)
        self._end = end
        if self._writing is None and end - self._handed_over >= PIECE_BYTES:
            self._hand_over()

    def check(self) -> None:
        """Raise what the thread has met, if it has: nothing more gets to the disk."""
        if self._writing is not None and self._writing.done():
            self._writing.result()

    def settle(self) -> None:
        """Have everything in the segment's file."""
        self._finish()
        if self._in_file < self._end:
            write_fully(self._files, self._fd, self._parts(self._handed_over, self._end), self._handed_over)
            self._in_file = self._end
            self._start = self._handed_over = self._end & -PAGE_BYTES
            self._save_head()

    def rest(self) -> None:
        """Settle, and follow nobody."""
        if self.is_following:
            self.settle()
            self._leave()

    def clear(self) -> None:
        """Rest, and keep nothing: what is cut off from a segment after this must not be found in the ring."""
        self.rest()
        if self._map is not None:
            self._first_index = _NOBODY
            self._save_head()
            self._ring[:] = bytes(RING_BYTES)

    def close(self) -> None:
        """Let go of everything; of the ring's file too, if all is in the segment: `rest` before."""
        if self._thread is not None:
            self._thread.shutdown()
        is_settled = self._in_file == self._end
        self._leave()
        if self._map is not None:
            self._ring = memoryview(b"")
            self._map = None  # unmapped when nobody looks at it any more: a failure that is kept may
            if is_settled:
                with suppress(
                    OSError
                ):  # what is left there is in the segment, and removed by whoever opens the log next
                    self._files.unlink(self._path)

    def _has_ring(self) -> bool:
        """Make the ring if there is none; a disk without room for one may have some for the log."""
        if self._map is None:
            try:
                self._map = self._files.create_mapped(self._path, PAGE_BYTES + RING_BYTES)
            except OSError as error:
                if error.errno not in (*FULL, *_UNMAPPABLE):
                    raise
                return False
            self._ring = memoryview(self._map)[PAGE_BYTES:]
        return True

    def _leave(self) -> None:
        if self._direct != -1:
            self._files.close(self._direct)
        self._fd = self._direct = -1

    def _write_through(self, buffers: Sequence[Buffer], end: int) -> None:
        """Where there is no other way, or more comes at once than the ring is good for."""
        self.settle()
        write_fully(self._files, self._fd, buffers, self._end)
        self._end = self._in_file = end
        if self._direct != -1:
            self._begin()

    def _begin(self) -> None:
        """Go on behind what is in the file; the last page of it is the beginning of the next to be written."""
        self._start = self._handed_over = self._end & -PAGE_BYTES
        begun = bytearray(self._end - self._start)
        with memoryview(begun) as target:
            read_fully(self._files, self._fd, target, self._start)
        self._put(self._start, begun)
        self._save_head()

    def _put(self, offset: int, data: Buffer) -> None:
        at = offset % RING_BYTES
        room = RING_BYTES - at
        if len(data) <= room:
            self._ring[at : at + len(data)] = data
        else:
            view = memoryview(data)
            self._ring[at:] = view[:room]
            self._ring[: len(data) - room] = view[room:]

    def _parts(self, start: int, stop: int) -> list[Buffer]:
        """The ring's memory with the bytes from `start` to `stop`."""
        at, count = start % RING_BYTES, stop - start
        if at + count <= RING_BYTES:
            return [self._ring[at : at + count]]
        return [self._ring[at:], self._ring[: at + count - RING_BYTES]]

    def _hand_over(self) -> None:
        start, stop = self._handed_over, self._end & -PAGE_BYTES
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "log-tail")
        self._writing = self._thread.submit(self._write_pages, start, stop, self._fd, self._direct)
        self._handed_over = stop

    def _write_pages(self, start: int, stop: int, fd: int, direct: int) -> None:
        parts = self._parts(start, stop)
        try:
            write_fully(self._files, direct, parts, start)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # The file system wants larger pages, or another alignment.
            write_fully(self._files, fd, parts, start)

    def _make_room(self, end: int) -> None:
        """The disk is behind: whoever brings more waits for it."""
        self._finish()
        if end - self._start > RING_BYTES:
            self._hand_over()
            self._finish()

    def _finish(self) -> None:
        """Wait for the thread; what it wrote makes room."""
        writing = self._writing
        if writing is not None:
            writing.result()  # a failure stays, to be raised again
            self._writing = None
            self._start = self._handed_over
            self._in_file = max(self._in_file, self._start)
            self._save_head()

    def _save_head(self) -> None:
        assert self._map is not None
        self._turn += 1
        head = TailHead(self._cluster_id, self._turn, self._first_index, self._start).packed()
        at = HEAD_PLACES[self._turn % 2]
        self._map[at : at + len(head)] = head


def _verified(data: Buffer) -> list[tuple[int, TailHead]]:
    """The heads in the first page, each with its format version."""
    found: list[tuple[int, TailHead]] = []
    for at in HEAD_PLACES:
        fields = bytes(data[at : at + _FIELDS.size])
        checksum = bytes(data[at + _FIELDS.size : at + HEAD_BYTES])
        if len(checksum) == _CHECKSUM.size and _CHECKSUM.unpack(checksum)[0] == xxh3_64_intdigest(fields):
            magic, version, *rest = _FIELDS.unpack(fields)
            if magic == MAGIC:
                found.append((version, TailHead(*rest)))
    return found


def tail_head(data: Buffer, cluster_id: int) -> TailHead | None:
    """The newer of the heads in the first page, or None when nothing there is one of this cluster's."""
    heads = [head for version, head in _verified(data) if version == FORMAT_VERSION and head.cluster_id == cluster_id]
    return max(heads, key=lambda each: each.turn, default=None)


def _laid_over(data: bytes, tail: bytes, head: TailHead) -> tuple[bytes, Segment]:
    """What a segment's file has before the tail's start, and the ring from there on; and what that holds."""
    ring = tail[PAGE_BYTES:]
    at = head.start % RING_BYTES
    whole = data[: head.start] + ring[at:] + ring[:at]
    segment = Segment(Path(segment_name(head.first_index)), head.first_index)
    scan_segment(memoryview(whole), segment, head.cluster_id, 0)
    return whole, segment


def whole_segment(path: Path, data: bytes, tail: bytes, cluster_id: int) -> bytes:
    """A segment's bytes, and behind them what only the tail of its folder has of it, up to the last whole record.

    `data` is what its file holds, `tail` the bytes of TAIL_NAME.
    """
    head = tail_head(tail, cluster_id)
    if head is None or path.name != segment_name(head.first_index) or len(data) < head.start:
        return data
    whole, segment = _laid_over(data, tail, head)
    return whole[: segment.end] if segment.end > len(data) and _agree(whole, data, head.start) else data


def _agree(whole: bytes, data: bytes, start: int) -> bool:
    """Whether every page of the file from `start` on is the ring's, or was not written."""
    pages = ((data[at : at + PAGE_BYTES], at) for at in range(start, len(data), PAGE_BYTES))
    return all(page == whole[at : at + len(page)] or not any(page) for page, at in pages)


def segment_in(path: Path, cluster_id: int) -> bytes:
    """A segment as whoever only looks finds it, with what the tail beside it has; its replica may run. Raises OSError."""
    tail = _steady(path.parent / TAIL_NAME, cluster_id)
    return whole_segment(path, path.read_bytes(), tail, cluster_id)


def _steady(path: Path, cluster_id: int) -> bytes:
    """The tail's bytes, which nobody wrote over while they were read; none where there is none."""
    for _ in range(_LOOKS_MAX):
        try:
            tail = path.read_bytes()
            with open(path, "rb") as file:
                again = file.read(PAGE_BYTES)
        except FileNotFoundError:
            return b""
        if tail_head(tail, cluster_id) == tail_head(again, cluster_id):
            return tail
    return b""


def settle_tail(folder: Path, files: Files, cluster_id: int, *, sync: bool) -> None:
    """Write what only the tail in a folder has to the segment that lacks it, and remove the tail.

    Raises LogDamaged, ConfigurationError (another cluster's tail, or a newer format) and OSError; the tail stays then.
    """
    path = folder / TAIL_NAME
    if not path.exists():
        return
    tail = _content(path, files)
    head = _head_of(path, tail, cluster_id)
    segment = folder / segment_name(head.first_index) if head is not None else path
    if head is not None and segment.exists():
        data = _content(segment, files)
        _refuse_damage(path, segment, data, tail, head)
        whole = whole_segment(segment, data, tail, cluster_id)
        if whole is not data:
            _rewrite(segment, files, whole, head.start, sync=sync)
    files.unlink(path)


def _head_of(path: Path, tail: bytes, cluster_id: int) -> TailHead | None:
    """None where nothing was written yet: a process was killed before its first head was whole."""
    heads = _verified(tail)
    if not heads and all(any(tail[at : at + HEAD_BYTES]) for at in HEAD_PLACES):
        raise LogDamaged(f"{path}: offset 0: expected the head of a log's tail, found two that are damaged. {_REPAIR}")
    for version, head in heads:
        if version != FORMAT_VERSION or head.cluster_id != cluster_id:
            raise ConfigurationError(
                f"{path}: expected format {FORMAT_VERSION} of cluster {cluster_id:#018x}, found format {version} of cluster "
                f"{head.cluster_id:#018x}: run the version of psmr that wrote it, or give this replica a folder of its own"
            )
    return tail_head(tail, cluster_id)


def _refuse_damage(path: Path, segment: Path, data: bytes, tail: bytes, head: TailHead) -> None:
    """A killed process leaves in the ring what the file has, and no flush behind one that is not whole."""
    if head.first_index == _NOBODY or len(data) < head.start:
        return
    whole, found = _laid_over(data, tail, head)
    place = f"{segment}: offset {found.end}, index {found.last_index + 1}"
    if later_flush(whole, found, head.cluster_id) is not None:
        raise LogDamaged(f"{place}: expected a record, found none, and records written later follow. {_REPAIR}")
    if found.end > head.start and not _agree(whole, data, head.start):
        raise LogDamaged(f"{place}: expected what {path} has from offset {head.start} on, found other bytes. {_REPAIR}")


def _content(path: Path, files: Files) -> bytes:
    fd = files.open_file(path)
    try:
        data = bytearray(files.size_bytes(fd))
        with memoryview(data) as target:
            count = read_fully(files, fd, target, 0)
    finally:
        files.close(fd)
    return bytes(memoryview(data)[:count])


def _rewrite(path: Path, files: Files, whole: bytes, start: int, *, sync: bool) -> None:
    fd = files.open_file(path)
    try:
        write_fully(files, fd, [memoryview(whole)[start:]], start)
        files.truncate(fd, len(whole))
        if sync:
            files.fsync(fd)
    finally:
        files.close(fd)
