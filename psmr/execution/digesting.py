"""The command digests of a batch (`psmr.execution.folding`), collected from the workers, and its *batch digest*: of all of them.

The newest command digests are kept, in a ring: so the first command that differs is known where batches do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xxhash

from cdep.compiled import compiled, int64
from psmr.execution.layout import REPLIES_COUNT, REPLIES_FOLDS, REPLIES_ROWS
from psmr.execution.memory import Memory
from psmr.state.words import load_i64, load_u32, load_u64

KEPT_ROWS = 1 << 20
"""How many command digests are kept, those of the newest commands: 8 bytes each, of memory that comes with its use."""
_AS_THEY_ARE = np.empty(0, np.uint32)


@compiled
def collect_digests(headers: Any, places: Any, found: Any) -> None:
    """Write the command digests of a batch to `found`, one a row of the batch.

    `headers`: where each worker's replies begin. `places`: the row of the batch that each executed row is, empty where the same.
    """
    for header in headers:
        digests = load_i64(header + REPLIES_FOLDS)
        rows = load_i64(header + REPLIES_ROWS)
        for reply in range(load_i64(header + REPLIES_COUNT)):
            row = int64(load_u32(rows + 4 * reply)) if rows != 0 else reply
            if len(places) > 0:
                row = int64(places[row])
            found[row] = load_u64(digests + 8 * reply)


class RowDigests:
    """The newest command digests, by the number of the command: how many came before it since the start, reads not counted."""

    def __init__(self, memory: Memory) -> None:
        self.count = 0
        self._memory = memory
        self._ring = np.empty(KEPT_ROWS, np.uint64)
        self._bytes = self._ring.data.cast("B")

    def take(self, headers: Sequence[int], records: int, count: int, places: Any) -> int:
        """Keep the command digests of a batch; the batch digest. Arguments as for `collect_digests`.

        `records`: where the reply records of the only worker begin, behind its digests.
        """
        if len(headers) == 1 and places is None:
            found = self._memory.region.at(records - 8 * count, 8 * count)
        else:
            collected = np.empty(count, np.uint64)
            collect_digests(np.array(headers, np.int64), _AS_THEY_ARE if places is None else places, collected)
            found = collected.data.cast("B")
        start = 8 * (self.count & (KEPT_ROWS - 1))
        end = start + len(found)
        if end <= 8 * KEPT_ROWS:
            self._bytes[start:end] = found
            found = self._bytes[start:end]
        else:
            newest = min(count, KEPT_ROWS)
            numbers = np.arange(self.count + count - newest, self.count + count) & (KEPT_ROWS - 1)
            self._ring[numbers] = np.frombuffer(found, np.uint64)[-newest:]
        self.count += count
        return xxhash.xxh3_64_intdigest(found)

    def read(self, first: int, count: int) -> bytes | None:
        """Command digests from number `first` on, 8 bytes each, little endian; None where they are not kept any more."""
        if first < self.count - KEPT_ROWS or first + count > self.count:
            return None
        return self._ring[np.arange(first, first + count) & (KEPT_ROWS - 1)].tobytes()


def warm_up() -> None:
    """Have the compiled code in memory before the workers are forked."""
    collect_digests(np.zeros(0, np.int64), _AS_THEY_ARE, np.zeros(0, np.uint64))
