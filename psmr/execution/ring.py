"""Room in a ring for pieces of any size, given back in the order in which they were taken. Pure."""

from __future__ import annotations

from collections import deque

ALIGNMENT = 128


class Ring:
    """Offsets in `size_bytes` of memory. Pieces do not wrap; when none is out, it starts at 0 again and stays in the cache."""

    def __init__(self, size_bytes: int, soft_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._soft_bytes = soft_bytes
        self._next = 0
        self._out: deque[int] = deque()

    def take(self, size_bytes: int) -> int | None:
        """The offset of a piece, or None while there is no room."""
        size_bytes = -(-size_bytes // ALIGNMENT) * ALIGNMENT
        start = self._start(size_bytes)
        if start is not None:
            self._next = start + size_bytes
            self._out.append(start)
        return start

    def give_back(self) -> None:
        """The oldest piece is free again."""
        self._out.popleft()

    def take_back(self) -> None:
        """The newest piece is free again: it was not needed."""
        self._next = self._out.pop()

    def _start(self, size_bytes: int) -> int | None:
        if not self._out:
            return 0 if size_bytes <= self._size_bytes else None
        oldest = self._out[0]
        if self._next <= oldest:
            return self._next if self._next + size_bytes < oldest else None
        if self._next > self._soft_bytes and size_bytes < oldest:
            return 0
        if self._next + size_bytes <= self._size_bytes:
            return self._next
        return 0 if size_bytes < oldest else None
