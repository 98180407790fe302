"""A large file written past the page cache: what comes in order is gathered in memory, and goes to the disk in whole pages.

A snapshot is written by a thread beside a loop that has clients waiting, on the processors and the disk that all of them share. By
way of the page cache it takes a copy and a new page for every 4 KiB, and a sync then has to find those pages again. Measured on
two busy processors, 200 MiB in pieces of 2 MiB, each synced, medians of three runs:

    page cache            185 ms of processor time, 821 ms in all
    past the page cache    24 ms of processor time, 366 ms in all

What it costs: whoever reads the file soon after has to read it from the disk.
"""

from __future__ import annotations

import errno
import mmap
from pathlib import Path

import numpy as np

from psmr.storage.files import PAGE_BYTES, Files, read_fully, write_fully
from psmr.storage.record import Buffer

GATHERED_BYTES = 2 << 20


class Gathered:
    """Writes to the file at `path`, open as `fd`. Every method raises OSError.

    Until `settle` some of what was written is in memory only. Where there is no way past the page cache everything takes the
    usual one, at once.
    """

    def __init__(self, files: Files, path: Path, fd: int) -> None:
        self._files = files
        self._fd = fd
        self._direct = files.open_direct(path)
        self._start = self._settled = self._end = 0
        if self._direct != -1:
            self._pages = mmap.mmap(-1, GATHERED_BYTES)  # begins on a page, as it must
            self._bytes = np.frombuffer(self._pages, np.uint8)

    def write(self, offset: int, part: Buffer) -> None:
        """Write bytes, at least one."""
        if offset != self._end or self._direct == -1:
            self.settle()
            self._start = self._settled = self._end = offset
        if self._direct == -1 or self._start % PAGE_BYTES:
            write_fully(self._files, self._fd, [part], offset)
            self._start = self._settled = self._end = offset + len(part)
            return
        done = 0
        while done < len(part):
            held = self._end - self._start
            count = min(len(part) - done, GATHERED_BYTES - held)
            # By numpy, for that lets other threads go on while it copies.
            self._bytes[held : held + count] = np.frombuffer(part, np.uint8, count, done)
            done += count
            self._end += count
            if held + count == GATHERED_BYTES:
                self._put_whole()

    def settle(self) -> None:
        """Have everything that was written in the file."""
        if self._end > self._settled:
            with memoryview(self._pages)[self._settled - self._start : self._end - self._start] as rest:
                write_fully(self._files, self._fd, [rest], self._settled)
            self._keep_last_page()

    def follow(self, size_bytes: int) -> None:
        """Be ready for what follows the first `size_bytes` of the file, which are there."""
        self.settle()
        self._start = size_bytes & -PAGE_BYTES
        self._settled = self._end = size_bytes
        if self._direct != -1:
            with memoryview(self._pages)[: size_bytes - self._start] as begun:
                read_fully(self._files, self._fd, begun, self._start)

    @property
    def is_direct(self) -> bool:
        """Whether there is a way past the page cache."""
        return self._direct != -1

    @property
    def in_file(self) -> int:
        """Everything before this offset is in the file; from any thread."""
        return self._settled

    def _keep_last_page(self) -> None:
        """What is behind the last whole page stays, for the next page begins with it."""
        start = self._end & -PAGE_BYTES
        if start > self._start:
            self._bytes[: self._end - start] = self._bytes[start - self._start : self._end - self._start].copy()
        self._start, self._settled = start, self._end

    def close(self) -> None:
        """Forget what is not in the file."""
        self._start = self._settled = self._end
        self._let_go()

    def _put_whole(self) -> None:
        with memoryview(self._pages) as pages:
            try:
                write_fully(self._files, self._fd if self._direct == -1 else self._direct, [pages], self._start)
            except OSError as error:
                if error.errno != errno.EINVAL or self._direct == -1:
                    raise
                # The file system has it opened so, and wants larger pages or none.
                write_fully(self._files, self._fd, [pages], self._start)
                self._let_go()
        self._start = self._settled = self._end

    def _let_go(self) -> None:
        if self._direct != -1:
            self._files.close(self._direct)
            self._direct = -1
