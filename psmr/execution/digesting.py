"""The digests of batches, added up from those of their workers, and what is kept of each command's (`psmr.execution.folding`).

What workers keep stays in rings of theirs. Here is where in them a batch's are, for as long as they have not come round.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from psmr.execution import layout as at
from psmr.execution.memory import Memory

KEPT_BATCHES = 1 << 16
"""Of so many of the newest batches it is known where their command digests are."""
_NUMBER, _COUNT, _WORKERS = 0, 1, 2
_MASK = (1 << 64) - 1
_DIGEST = np.uint64((1 << at.DIGEST_BITS) - 1)
_BITS = np.uint64(at.DIGEST_BITS)


class Part(NamedTuple):
    """What a worker's replies say of digests: how many commands, since which of its own, and their part of the slot's digest."""

    worker: int
    commands: int
    first: int
    digest: int


class RowDigests:
    """The newest command digests, by the number of the command: how many came before it since the start, reads not counted."""

    def __init__(self, memory: Memory) -> None:
        self.count = 0
        self._memory = memory
        self._batches = 0
        self._words = struct.Struct(f"<{_WORKERS + 2 * memory.workers}q")
        self._known: NDArray[np.int64] = np.zeros((KEPT_BATCHES, _WORKERS + 2 * memory.workers), np.int64)
        self._bytes = self._known.data.cast("B")
        self._places: dict[int, Any] = {}

    def start(self) -> None:
        """Have the workers, which have not started, keep them."""
        for frame, digests in zip(self._memory.frames, self._memory.digests, strict=True):
            self._memory.set(frame + at.FRAME_DIGESTS, digests)

    def take(self, parts: Sequence[Part], count: int, places: Any) -> int:
        """Note a batch of `count` commands; the batch digest. `places`: the row of the batch that each executed row is."""
        words = [self.count, count, *[0] * (2 * self._memory.workers)]
        total = 0
        for part in parts:
            words[_WORKERS + 2 * part.worker : _WORKERS + 2 * part.worker + 2] = part.first, part.commands
            total += part.digest
        slot = self._batches % KEPT_BATCHES
        self._words.pack_into(self._bytes, slot * self._words.size, *words)
        if places is not None:
            self._places[slot] = places
        elif self._places:
            self._places.pop(slot, None)
        self._batches += 1
        self.count += count
        return total & _MASK

    def read(self, first: int, count: int) -> bytes | None:
        """Of the commands from number `first` on, 8 bytes each, little endian; None where they are not kept any more."""
        found = np.zeros(count, np.uint64)
        left = count
        for batch in range(self._batches - 1, max(-1, self._batches - 1 - KEPT_BATCHES), -1):
            number, size = self._known[batch % KEPT_BATCHES, :_WORKERS].tolist()
            if number + size <= first:
                break
            if number >= first + count or not size:
                continue
            rows = self._rows(batch % KEPT_BATCHES, size)
            if rows is None:
                return None
            begin, end = max(first, number), min(first + count, number + size)
            found[begin - first : end - first] = rows[begin - number : end - number]
            left -= end - begin
        return found.tobytes() if left == 0 else None

    def _rows(self, slot: int, size: int) -> NDArray[np.uint64] | None:
        """The command digests of a batch, in the order of its rows."""
        memory, found = self._memory, np.zeros(size, np.uint64)
        for worker, (ring, frame) in enumerate(zip(memory.digests, memory.frames, strict=True)):
            first, count = self._known[slot, _WORKERS + 2 * worker : _WORKERS + 2 * worker + 2].tolist()
            place = (ring - memory.region.address) >> 3
            kept = memory.region.words[place + (np.arange(first, first + count) & (at.DIGESTS - 1))].view(np.uint64)
            # Looked at afterwards: the worker goes on meanwhile. What it writes next it has not counted yet.
            if count and memory.get(frame + at.FRAME_DIGESTS_NEXT) - first >= at.DIGESTS:
                return None
            rows = (kept >> _BITS).astype(np.int64)
            places = self._places.get(slot)
            found[rows if places is None else places[rows]] = kept & _DIGEST
        return found
