"""Where the digests of single commands are, which workers keep of the newest they have executed (`psmr.execution.folding`).

Nothing is done for a batch but to count its commands: workers note by slot what they kept, and that is put together when
somebody asks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from psmr.execution import layout as at
from psmr.execution.memory import Memory

_ROW = np.uint64((1 << 64 - at.DIGEST_BITS) - 1)


class RowDigests:
    """The newest command digests, by the number of the command: how many came before it since the start, reads not counted."""

    def __init__(self, memory: Memory) -> None:
        self.count = 0
        """Commands of the batches taken."""
        self._memory = memory
        self._slots = 0
        self._places: dict[int, Any] = {}

    def start(self) -> None:
        """Have the workers, which have not started, keep them."""
        for frame, digests in zip(self._memory.frames, self._memory.digests, strict=True):
            self._memory.set(frame + at.FRAME_DIGESTS, digests)

    def take(self, slot: int, count: int, places: Any) -> None:
        """Slot `slot` was executed, `count` commands. `places`: the row of the batch that each executed row is, if another."""
        self._slots = slot + 1
        self.count += count
        if places is not None:
            self._places[slot] = places
            self._places.pop(slot - at.DIGEST_SLOTS, None)

    def read(self, first: int, count: int) -> bytes | None:
        """Of the commands from number `first` on, 8 bytes each, little endian; None where they are not kept any more."""
        found = np.zeros(count, np.uint64)
        left = count
        end = self.count
        for slot in range(self._slots - 1, max(-1, self._slots - 1 - at.DIGEST_SLOTS), -1):
            if end <= first or not left:
                break
            pieces = self._pieces(slot)
            if pieces is None:
                return None
            number = end - sum(size for _, _, size in pieces)
            if number < min(end, first + count):
                rows = self._rows(slot, end - number, pieces)
                if rows is None:
                    return None
                lowest, highest = max(first, number), min(first + count, end)
                found[lowest - first : highest - first] = rows[lowest - number : highest - number]
                left -= highest - lowest
            end = number
        return found.tobytes() if left == 0 else None

    def _pieces(self, slot: int) -> list[tuple[int, int, int]] | None:
        """What workers have kept of a slot: (worker, its number of its first, how many); None where a newer slot is instead."""
        found = []
        for worker, ring in enumerate(self._memory.digests):
            record = ring + at.DIGEST_RING_BYTES + at.DIGEST_SLOT_BYTES * (slot % at.DIGEST_SLOTS)
            kept, first, count = self._memory.words(record, at.DIGEST_SLOT_BYTES >> 3)
            if kept > slot:
                return None
            if kept == slot and count:
                found.append((worker, first, count))
        return found

    def _rows(self, slot: int, size: int, pieces: list[tuple[int, int, int]]) -> NDArray[np.uint64] | None:
        """The command digests of a slot, in the order of its batch's rows."""
        memory, found = self._memory, np.zeros(size, np.uint64)
        places = self._places.get(slot)
        for worker, first, count in pieces:
            place = (memory.digests[worker] - memory.region.address) >> 3
            place += first & (at.DIGESTS - 1)
            kept = memory.region.words[place : place + count].view(np.uint64).copy()
            # Looked at afterwards: the worker goes on meanwhile. What it is about to write it has counted before.
            if memory.get(memory.frames[worker] + at.FRAME_DIGESTS_NEXT) - first > at.DIGESTS:
                return None
            rows = (kept & _ROW).astype(np.int64)
            found[rows if places is None else places[rows]] = kept & ~_ROW
        return found
