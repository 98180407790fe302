"""Room in a ring for pieces of any size, given back in the order in which they were taken. Pure.

    | wrapped pieces | free | oldest … newest | free |      next = end of the wrapped pieces
    | free | oldest … newest | free                  |      next = end of the newest

Pieces do not wrap. Every piece has at least `ALIGNMENT` bytes and ends strictly before the oldest one when it lies below it:
so `next` never equals the place of the oldest, and the two pictures cannot be taken for each other.
"""

from __future__ import annotations

from collections import deque

from cdep.compiled import compiled

ALIGNMENT = 128


@compiled
def place_beside(free: int, oldest: int, need: int, size_bytes: int, soft_bytes: int) -> int:
    """Where `need` bytes (a multiple of `ALIGNMENT`) go while pieces are out, or −1 while there is no room.

    `free` is where the newest piece ends, `oldest` where the oldest begins. From `soft_bytes` on a piece goes back to the start
    when there is room: a small ring stays in the cache.
    """
    if free < oldest:
        return free if free + need < oldest else -1
    if need < oldest and (free > soft_bytes or free + need > size_bytes):
        return 0
    return free if free + need <= size_bytes else -1


class Ring:
    """Offsets in `size_bytes` of memory. When no piece is out, it starts at 0 again and stays in the cache."""

    def __init__(self, size_bytes: int, soft_bytes: int) -> None:
        self.size_bytes = size_bytes // ALIGNMENT * ALIGNMENT
        self._soft_bytes = soft_bytes
        self._next = 0
        self._out: deque[int] = deque()

    def take(self, size_bytes: int) -> int | None:
        """The offset of a piece, or None while there is no room. Raises ValueError for one that never has room."""
        if size_bytes > self.size_bytes:
            raise ValueError(f"expected a piece of at most {self.size_bytes} bytes, the whole ring; found {size_bytes}")
        need = max(1, -(-size_bytes // ALIGNMENT)) * ALIGNMENT
        start = place_beside(self._next, self._out[0], need, self.size_bytes, self._soft_bytes) if self._out else 0
        if start < 0:
            return None
        self._next = start + need
        self._out.append(start)
        return start

    def give_back(self) -> None:
        """The oldest piece is free again."""
        self._out.popleft()

    def take_back(self) -> None:
        """The newest piece is free again: it was not needed."""
        self._next = self._out.pop()
