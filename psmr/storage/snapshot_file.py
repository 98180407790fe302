"""Snapshot files of a replica's folder: opening one, checking it, finding the newest that is whole.

A snapshot in place was synced before it got its name (see `aside`), so one that does not verify is damaged, without doubt. It is
moved aside for someone to look at, and the next older one is used, if the log still begins early enough for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xxhash import xxh3_64_intdigest

from psmr.errors import ConfigurationError, LogDamaged
from psmr.storage import snapshot_format as layout
from psmr.storage.files import Files, disk_errors, read_fully
from psmr.storage.recovery import advice
from psmr.storage.removing import remove_slowly
from psmr.storage.snapshot_format import Header, SnapshotHead

NEW_SUFFIX = ".new"
PART_SUFFIX = ".part"
DAMAGED_SUFFIX = ".damaged"


def snapshot_name(index: int) -> str:
    """The file name of the snapshot at `index`; names sort as indexes do."""
    return f"snapshot-{index:020d}.snap"


class SnapshotFile:
    """A snapshot in its place: `head` says of what, `checksum` stands for every byte of it.

    Opening verifies header and trailer, `verify` everything else. Raises LogDamaged, naming file and offset and `cure`, what is
    done about it; ConfigurationError (another cluster's, or a newer format) and DiskFailed.
    """

    def __init__(self, path: Path, files: Files, cluster_id: int, cure: str | None = None) -> None:
        self.path = path
        self._cure = cure or advice(path.parent)
        self._files = files
        self._fd = -1
        with disk_errors(files, path, "opening a snapshot"):
            fd = files.open_file(path)
            try:
                self.size_bytes = files.size_bytes(fd)
                header = self._read_header(fd, cluster_id)
                meta = self._read_trailer(fd, header)
            finally:
                files.close(fd)
        self.checksum = header.checksum
        self.head = SnapshotHead(header.index, header.term, header.time_us, header.fingerprint, meta, header.body_bytes)

    def read(self, offset: int, count: int) -> bytes:
        """The file's bytes from `offset` on, fewer than `count` only at its end; to be sent. Also when it was removed since."""
        with disk_errors(self._files, self.path, "reading a snapshot"):
            if self._fd == -1:
                self._fd = self._files.open_file(self.path)
            return self._read(self._fd, offset, max(0, min(count, self.size_bytes - offset)))

    def close(self) -> None:
        """Let go of what `read` keeps open."""
        if self._fd != -1:
            self._files.close(self._fd)
            self._fd = -1

    def verify(self) -> None:
        """Read all of it; raises LogDamaged at the first block that is not what was written, DiskFailed."""
        with disk_errors(self._files, self.path, "reading a snapshot"):
            fd = self._files.open_file(self.path)
            buffer = bytearray(min(layout.BLOCK_BYTES, self.head.body_bytes))
            try:
                for place, expected in enumerate(self._sums):
                    self._verify_block(fd, buffer, place, expected)
            finally:
                self._files.close(fd)

    @contextmanager
    def body(self) -> Iterator[memoryview]:
        """The body, to be read only; `verify` first, which also finds sectors that the disk cannot read."""
        with disk_errors(self._files, self.path, "mapping a snapshot"):
            fd = self._files.open_file(self.path)
            try:
                mapped = self._files.map_file(fd, self.size_bytes)
            finally:
                self._files.close(fd)
        # Mapped, since a copy would take as much memory again as the state. It goes when the last view of it does: closing it
        # here would raise over an error whose traceback still holds a view.
        yield mapped[layout.BODY_OFFSET : layout.BODY_OFFSET + self.head.body_bytes]

    def _read(self, fd: int, offset: int, count: int) -> bytes:
        data = bytearray(count)
        with memoryview(data) as target:
            found = read_fully(self._files, fd, target, offset)
        return bytes(data[:found])

    def _read_header(self, fd: int, cluster_id: int) -> Header:
        data = self._read(fd, 0, layout.BODY_OFFSET)
        header = layout.decode_header(data)
        if header is None:
            start = data[: layout.HEADER_BYTES].hex() or "nothing"
            raise self._damaged(0, f"expected the header of a snapshot, found {start}")
        if header.version != layout.FORMAT_VERSION:
            raise ConfigurationError(
                f"{self.path}: expected snapshot format {layout.FORMAT_VERSION} or older, found {header.version}: "
                "run the version of psmr that wrote it, or a newer one."
            )
        if header.cluster_id != cluster_id:
            raise ConfigurationError(
                f"{self.path}: expected a snapshot of cluster {cluster_id:#018x}, found one of cluster "
                f"{header.cluster_id:#018x}: give this replica a folder of its own."
            )
        expected = layout.size_bytes_of(header.body_bytes, header.meta_bytes)
        if self.size_bytes != expected or header.meta_bytes > layout.META_BYTES_MAX:
            raise self._damaged(
                0, f"expected {expected} bytes, of them {header.meta_bytes} of meta, found {self.size_bytes} bytes"
            )
        return header

    def _read_trailer(self, fd: int, header: Header) -> bytes:
        """The meta; fills the blocks' checksums."""
        offset = layout.trailer_offset(header.body_bytes)
        trailer = self._read(fd, offset, self.size_bytes - offset)
        found = xxh3_64_intdigest(trailer)
        if found != header.trailer_checksum:
            raise self._damaged(offset, f"expected checksum {header.trailer_checksum:#018x}, found {found:#018x}")
        end = layout.BODY_OFFSET + header.body_bytes
        meta, sums = trailer[: header.meta_bytes], layout.padded(header.meta_bytes)
        if any(trailer[header.meta_bytes : sums]) or any(self._read(fd, end, offset - end)):
            raise self._damaged(end, "expected zeros behind body and meta, found other bytes")
        self._sums = memoryview(trailer[sums:]).cast("Q")
        return meta

    def _verify_block(self, fd: int, buffer: bytearray, place: int, expected: int) -> None:
        start = place * layout.BLOCK_BYTES
        count = min(layout.BLOCK_BYTES, self.head.body_bytes - start)
        offset = layout.BODY_OFFSET + start
        with memoryview(buffer)[:count] as target:
            is_whole = read_fully(self._files, fd, target, offset) == count
            found = xxh3_64_intdigest(target)
        if found != expected or not is_whole:
            raise self._damaged(offset, f"expected {count} bytes with checksum {expected:#018x}, found {found:#018x}")

    def _damaged(self, offset: int, why: str) -> LogDamaged:
        return LogDamaged(f"{self.path}: offset {offset}: {why}. {self._cure}")


def newest_snapshot(
    folder: Path, files: Files, cluster_id: int, skipped: list[str] | None = None
) -> SnapshotFile | None:
    """The newest snapshot of `folder` of which every byte verifies, or None; for a replica's start.

    Damaged ones are renamed and reported in `skipped`; what a crash left half made or half received is removed. Raises
    ConfigurationError, DiskFailed.
    """
    _remove_leftovers(folder, files)
    for path in sorted(folder.glob("snapshot-*.snap"), reverse=True):
        aside = path.with_name(path.name + DAMAGED_SUFFIX)
        try:
            return _verified(
                path, files, cluster_id, f"Left aside as {aside.name}; an older one is used, if there is any."
            )
        except LogDamaged as damaged:
            with disk_errors(files, path, "moving a damaged snapshot aside"):
                files.rename(path, aside)
                files.sync_folder(folder)
            if skipped is not None:
                skipped.append(str(damaged))
    return None


def remove_older(folder: Path, files: Files, keep_index: int, sent: Path | None = None) -> None:
    """Remove the snapshots taken before the one at `keep_index`, durably. Raises DiskFailed.

    Of the one at `sent`, which is open and read on, only the name goes.
    """
    with disk_errors(files, folder / snapshot_name(keep_index), "removing older snapshots"):
        for path in sorted(folder.glob("snapshot-*.snap")):
            if path.name >= snapshot_name(keep_index):
                continue
            if path == sent:
                files.unlink(path)
                files.sync_folder(folder)
            else:
                remove_slowly(files, path, sync=True)


def _verified(path: Path, files: Files, cluster_id: int, cure: str) -> SnapshotFile:
    found = SnapshotFile(path, files, cluster_id, cure)
    if path.name != snapshot_name(found.head.index):
        raise LogDamaged(f"{path}: expected a snapshot of that index, found one at index {found.head.index}. {cure}")
    found.verify()
    return found


def _remove_leftovers(folder: Path, files: Files) -> None:
    with disk_errors(files, folder / "snapshot", "removing unfinished snapshots"):
        for suffix in (NEW_SUFFIX, PART_SUFFIX):
            for path in folder.glob(f"snapshot-*.snap{suffix}"):
                files.unlink(path)
