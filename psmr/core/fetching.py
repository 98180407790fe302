"""Fetching a snapshot from another replica, part by part: what the one that lacks it asks for, and when. Pure.

    leader   ──offer(index, size)──►  fetching  ──ask(index, offset, count)──►  leader  ──part(index, offset)──►  …

The one that lacks it drives: it asks for a few parts ahead, in the file's order, and asks again from the first that is missing
when nothing has come for a while. The other side keeps no state, so either may start again at any time; messages may be
lost, repeated or overtaken.
"""

from __future__ import annotations

from msgspec import Struct

PART_BYTES = 256 << 10
PARTS_AHEAD = 8
PATIENCE_US = 200_000
"""Without a part for so long, what is missing is asked for again."""
GIVE_UP_US = 1_000_000
"""Without a part for so long, another replica's offer is taken."""
NEVER_US = 1 << 62


class Ask(Struct, frozen=True, gc=False):
    """Ask replica `to` for the `count` bytes at `offset` of its snapshot at `index`."""

    to: int
    index: int
    offset: int
    count: int


class Fetching:
    """One snapshot on its way to this replica, at most: of log position `index`, `size_bytes` long, from `sender`."""

    __slots__ = ("_asked_to", "_heard_us", "_part_bytes", "_retry_us", "held_bytes", "index", "sender", "size_bytes")

    def __init__(
        self,
        sender: int,
        index: int,
        size_bytes: int,
        now_us: int,
        held_bytes: int = 0,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._part_bytes = part_bytes
        self.sender = sender
        self.index = index
        self.size_bytes = size_bytes
        self.held_bytes = held_bytes  # the file's beginning, without gaps
        self._asked_to = held_bytes
        self._heard_us = now_us
        self._retry_us = now_us + PATIENCE_US

    @property
    def is_complete(self) -> bool:
        """Whether all of it is here."""
        return self.held_bytes == self.size_bytes

    @property
    def due_us(self) -> int:
        """When `pass_time` is to be called."""
        return NEVER_US if self.is_complete else self._retry_us

    def yields_to(self, sender: int, index: int, now_us: int) -> bool:
        """Whether to begin anew with this offer.

        With a later snapshot of the same sender's, once parts of this one have ceased to come: it may be gone. With anybody's,
        when this one has come to nothing.
        """
        silent_us = now_us - self._heard_us
        return silent_us >= GIVE_UP_US or (silent_us >= PATIENCE_US and sender == self.sender and index > self.index)

    def wants(self, index: int, offset: int, count: int) -> bool:
        """Whether a part that came is the next one, and lies within the file."""
        return index == self.index and offset == self.held_bytes and 0 < count <= self.size_bytes - offset

    def take(self, count: int, now_us: int) -> list[Ask]:
        """The next part is here."""
        self.held_bytes += count
        self._heard_us = now_us
        self._retry_us = now_us + PATIENCE_US
        return self.ask()

    def ask(self) -> list[Ask]:
        """What to ask for now."""
        asks: list[Ask] = []
        until = min(self.size_bytes, self.held_bytes + PARTS_AHEAD * self._part_bytes)
        while self._asked_to < until:
            count = min(self._part_bytes, self.size_bytes - self._asked_to)
            asks.append(Ask(self.sender, self.index, self._asked_to, count))
            self._asked_to += count
        return asks

    def pass_time(self, now_us: int) -> list[Ask]:
        """Ask again from the first part that is missing, if nothing has come for a while."""
        if self.is_complete or now_us < self._retry_us:
            return []
        self._retry_us = now_us + PATIENCE_US
        self._asked_to = self.held_bytes
        return self.ask()
