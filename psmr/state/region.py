"""One nameless piece of shared memory, at one address in a process and all it forks.

A memfd: it has no name to clean up and goes with the last process that maps it, also after SIGKILL. Its size is
reserved, not allocated: a page exists from its first write on.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref
from collections.abc import Iterator

import numpy as np

PAGE_BYTES = 4096
_KEEP_SIZE = 1
_PUNCH_HOLE = 2
_fallocate = ctypes.CDLL(None, use_errno=True).fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class Region:
    """Shared memory handed out piece by piece, before the fork; `take` returns addresses."""

    def __init__(self, size_bytes: int) -> None:
        self._descriptor = os.memfd_create("psmr", os.MFD_CLOEXEC)
        self._closing = weakref.finalize(self, os.close, self._descriptor)
        self.size_bytes = -(-size_bytes // PAGE_BYTES) * PAGE_BYTES
        os.ftruncate(self._descriptor, self.size_bytes)
        self._map = mmap.mmap(self._descriptor, self.size_bytes, flags=mmap.MAP_SHARED)
        self.memory = memoryview(self._map)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self.words = np.frombuffer(self._map, dtype="<i8")
        self._taken = 0

    def take(self, size_bytes: int) -> int:
        """The address of `size_bytes` zeroed bytes that begin on a page of their own."""
        place = self._taken
        if place + size_bytes > self.size_bytes:
            raise MemoryError(f"region of {self.size_bytes} bytes: {size_bytes} more wanted, {place} taken")
        self._taken += -(-size_bytes // PAGE_BYTES) * PAGE_BYTES
        return self.address + place

    def at(self, address: int, length: int) -> memoryview:
        """The `length` bytes at `address`, in place."""
        start = address - self.address
        return self.memory[start : start + length]

    def word(self, address: int) -> int:
        """The aligned int64 at `address`."""
        return int(self.words[(address - self.address) >> 3])

    def written_pages(self, address: int, length: int) -> Iterator[tuple[int, memoryview]]:
        """The pages of a piece that hold anything but zeros, as (page number in the piece, content); `address` on a page.

        Holes are skipped without being read: reading them would allocate them.
        """
        start = address - self.address
        for found, size in self.allocated(address, length):
            for place in range(found - self.address, found - self.address + size, PAGE_BYTES):
                if self.words[place >> 3 : (place + PAGE_BYTES) >> 3].any():
                    yield (place - start) // PAGE_BYTES, self.memory[place : place + PAGE_BYTES]

    def allocated(self, address: int, length: int) -> Iterator[tuple[int, int]]:
        """The parts of a piece that exist in memory, as (address, length), whole pages; everything else holds zeros."""
        place = address - self.address
        end = place + length
        while place < end:
            try:
                place = os.lseek(self._descriptor, place, os.SEEK_DATA)
            except OSError:
                return
            hole = min(os.lseek(self._descriptor, place, os.SEEK_HOLE), end)
            if place < hole:
                yield self.address + place, hole - place
            place = hole

    def give_back(self, address: int, length: int) -> None:
        """Have the whole pages of a piece hold zeros again and take no memory. No process may be using them."""
        start = -(-(address - self.address) // PAGE_BYTES) * PAGE_BYTES
        end = (address - self.address + length) // PAGE_BYTES * PAGE_BYTES
        if start < end and _fallocate(self._descriptor, _PUNCH_HOLE | _KEEP_SIZE, start, end - start) != 0:
            raise OSError(ctypes.get_errno(), "expected fallocate(2) to free pages of a memfd")

    def allocated_bytes(self) -> int:
        """How much of the region exists in memory."""
        return os.fstat(self._descriptor).st_blocks * 512
