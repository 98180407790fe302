"""The disk as the storage layer uses it, and what its failures become.

Every effect on a file goes through `Files`, so that a test can put a full, torn or broken disk in its place.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Sequence
from pathlib import Path

from psmr.errors import DiskFailed
from psmr.storage.record import Buffer

IOV_MAX = 1024
PAGE_BYTES = 4096
"""What goes past the page cache begins at a multiple of this, in memory and in the file, and is as many bytes."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a disk answers that has no room."""


class Files:
    """System calls on files, one method each; they raise OSError."""

    def open_file(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def create_file(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)

    def open_direct(self, path: Path) -> int:
        """Once more, for whole pages to be written past the page cache; -1 where the file system knows no such way."""
        try:
            return os.open(path, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return -1

    def close(self, fd: int) -> None:
        os.close(fd)

    def size_bytes(self, fd: int) -> int:
        return os.fstat(fd).st_size

    def preadv(self, fd: int, buffers: Sequence[bytearray | memoryview], offset: int) -> int:
        return os.preadv(fd, buffers, offset)

    def map_file(self, fd: int, size_bytes: int) -> memoryview:
        return memoryview(mmap.mmap(fd, size_bytes, access=mmap.ACCESS_READ))

    def create_mapped(self, path: Path, size_bytes: int) -> mmap.mmap:
        """Make a file of zeros that has its place on the disk, mapped for writing: what is in it outlives the process."""
        fd = self.create_file(path)
        try:
            os.posix_fallocate(fd, 0, size_bytes)
            return mmap.mmap(fd, size_bytes)
        except OSError:
            self.unlink(path)
            raise
        finally:
            self.close(fd)

    def pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        return os.pwritev(fd, buffers, offset)

    def truncate(self, fd: int, size_bytes: int) -> None:
        os.ftruncate(fd, size_bytes)

    def fdatasync(self, fd: int) -> None:
        os.fdatasync(fd)

    def uncache(self, fd: int, offset: int, count: int) -> None:
        """Let go of the memory that holds bytes of the file which are on the disk."""
        os.posix_fadvise(fd, offset, count, os.POSIX_FADV_DONTNEED)

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def rename(self, source: Path, target: Path) -> None:
        os.rename(source, target)

    def unlink(self, path: Path) -> None:
        os.unlink(path)

    def sync_folder(self, folder: Path) -> None:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def free_bytes(self, folder: Path) -> int:
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize


class disk_errors:  # noqa: N801 - it is used as a function is, and a generator would cost what the block does
    """Turn an OSError of the block into a DiskFailed naming the path, the error, the space left and what to do."""

    __slots__ = ("_doing", "_files", "_path")

    def __init__(self, files: Files, path: Path, doing: str) -> None:
        self._files = files
        self._path = path
        self._doing = doing

    def __enter__(self) -> None:
        """Nothing has failed yet."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise DiskFailed(_failure_text(self._files, self._path, self._doing, error)) from error


def write_fully(files: Files, fd: int, buffers: Sequence[Buffer], offset: int) -> None:
    """Write all of `buffers`, none of them empty, at `offset`, however little each system call takes."""
    at = 0
    rest: Buffer = b""
    while at < len(buffers) or rest:
        window = buffers[at : at + IOV_MAX - 1]
        written = files.pwritev(fd, [rest, *window] if rest else window, offset)
        if written <= 0:
            raise OSError(errno.EIO, "the disk took no byte of a write and gave no reason")
        offset += written
        if written < len(rest):
            rest = memoryview(rest)[written:]
            continue
        written -= len(rest)
        rest = b""
        for buffer in window:
            at += 1
            if written < len(buffer):
                rest = memoryview(buffer)[written:]
                break
            written -= len(buffer)


def read_fully(files: Files, fd: int, target: memoryview, offset: int) -> int:
    """Fill `target` from `offset`; the bytes read, fewer only at the file's end."""
    done = 0
    while done < len(target):
        found = files.preadv(fd, [target[done:]], offset + done)
        if found == 0:
            break
        done += found
    return done


def make_folder(files: Files, folder: Path) -> None:
    """Make `folder` and those above it that are missing; a power cut does not take them away again."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        files.sync_folder(each.parent)


def replace_file(files: Files, path: Path, data: bytes, *, sync: bool) -> None:
    """Make `path` hold `data`, whole or not at all whatever crashes: written aside, synced, renamed, folder synced."""
    aside = path.with_name(path.name + ".new")
    fd = files.create_file(aside)
    try:
        write_fully(files, fd, [data], 0)
        if sync:
            files.fsync(fd)
    finally:
        files.close(fd)
    files.rename(aside, path)
    if sync:
        files.sync_folder(path.parent)


def _failure_text(files: Files, path: Path, doing: str, error: OSError) -> str:
    name = errno.errorcode.get(error.errno or 0, "no errno")
    return (
        f"{path}: {doing} failed: {error.strerror or error} ({name}), {_free_text(files, path.parent)}. "
        f"Nothing after the last acknowledged record counts as written. {_advice(error.errno)}"
    )


def _free_text(files: Files, folder: Path) -> str:
    try:
        return f"{files.free_bytes(folder)} bytes free"
    except OSError:
        return "free space unknown"


def _advice(number: int | None) -> str:
    if number in FULL:
        return "Make room (or raise the quota or file size limit) and start this replica again."
    if number == errno.EROFS:
        return "Make the filesystem writable again (the kernel's log says why it is not) and start this replica again."
    return "Check the disk and the kernel's log; on a broken disk start this replica empty on another one."
