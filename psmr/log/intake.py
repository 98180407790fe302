"""Payloads on their way into the log: gathered between two steps, to share entries."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

ENTRY_BYTES = 1 << 18
"""Payloads handed in between two steps share an entry up to this size."""


class Payloads(Struct, frozen=True, gc=False):
    """Payloads that will share an entry, not yet encoded: the leader gives them index, term and time."""

    parts: tuple[bytes, ...]


class Intake:
    """What a leader has taken in and not yet proposed: its own payloads, and what followers forwarded, `waiting` together."""

    def __init__(self) -> None:
        self.waiting: list[bytes] = []
        self._forwarded_by: set[int] = set()
        self.size_bytes = 0

    def add(self, payloads: Sequence[bytes], forwarded_by: int | None = None) -> None:
        """Take payloads in, of this member or of a follower."""
        self.waiting.extend(payloads)
        self.size_bytes += sum(map(len, payloads))
        if forwarded_by is not None:
            self._forwarded_by.add(forwarded_by)

    def take(self) -> tuple[tuple[Payloads, ...], tuple[int, ...]]:
        """Everything, as entries in the order of arrival, and the followers that some of it came from."""
        entries: list[Payloads] = []
        parts: list[bytes] = []
        size_bytes = 0
        for payload in self.waiting:
            if parts and size_bytes + len(payload) > ENTRY_BYTES:
                entries.append(Payloads(tuple(parts)))
                parts, size_bytes = [], 0
            parts.append(payload)
            size_bytes += len(payload)
        entries.append(Payloads(tuple(parts)))
        self.waiting.clear()
        self.size_bytes = 0
        forwarded_by = tuple(sorted(self._forwarded_by))
        self._forwarded_by.clear()
        return tuple(entries), forwarded_by
