"""What commands did, in 64 bits each: the *command digests*, by which replicas find out that they have parted.

A command digest is of the command's reply, the events it emitted, and the fold of what it wrote (`psmr.execution.folding`). It says
what the command did, not how the state lies: replicas that began alike, and whose commands all have equal digests, hold equal
state. That costs what was done, and no look at the state; and the first command that differs is known by its own digest.

A *batch digest* is of its command digests in the order of its rows. The last command digests are kept in a ring.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xxhash

from cdep.compiled import compiled, inlined, int64
from cdep.hashing import PRIME, hash_bytes
from proxies.layout import REPLY_IN_BLOB, REPLY_WIDE
from psmr.execution.layout import REPLIES_COUNT, REPLIES_FOLDS, REPLIES_ROWS
from psmr.state.words import load_i64, load_u8, load_u16, load_u32, load_u64, store_u64

KEPT_ROWS = 1 << 20
"""How many command digests are kept, those of the newest commands: 8 bytes each, of memory that comes with its use."""
_32 = np.uint64(32)
_LENGTH = 2
_ROW = 4
_AS_THEY_ARE = np.empty(0, np.uint32)
_NO_EVENTS = np.empty(0, np.uint8)
_NO_EVENTS.flags.writeable = False


@inlined
def _with_words(digest: np.uint64, place: int, end: int) -> np.uint64:
    """A digest, and the words from `place` to `end` in their order."""
    while place < end:
        digest = (digest ^ load_u64(place)) * PRIME
        digest ^= digest >> _32
        place += 8
    return digest


@inlined
def _with_reply(digest: np.uint64, record: int, stride: int, blob: int) -> np.uint64:
    """A digest, and a reply record with what belongs to it in the blob, wherever in the blob that lies."""
    if load_u8(record + REPLY_IN_BLOB) == 0:
        return _with_words(digest, record, record + stride)
    start, length = int64(load_u32(record + REPLY_WIDE)), int64(load_u32(record + REPLY_WIDE + 4))
    digest = (digest ^ hash_bytes(blob + start, length)) * PRIME
    return _with_words(digest ^ (digest >> _32), record, record + 8)


@compiled
def _digest_replies(header: int, body: int, count: int, stride: int, places: Any, found: int) -> None:
    """The command digests of one worker's replies, but for the events."""
    blob = body + count * stride
    folds = load_i64(header + REPLIES_FOLDS)
    rows = load_i64(header + REPLIES_ROWS)
    is_moved = len(places) > 0
    for reply in range(load_i64(header + REPLIES_COUNT)):
        row = int64(load_u32(rows + 4 * reply)) if rows != 0 else reply
        digest = _with_reply(load_u64(folds + 8 * reply), body + row * stride, stride, blob)
        store_u64(found + 8 * (int64(places[row]) if is_moved else row), digest)


@compiled
def _digest_events(event: int, end: int, found: int) -> None:
    """Add to the command digests what the commands emitted."""
    while event < end:
        place = found + 8 * int64(load_u32(event + _ROW))
        length = int64(load_u16(event + _LENGTH))
        store_u64(place, _with_words(load_u64(place), event, event + length))
        event += length


@compiled
def digest_rows(headers: Any, body: int, count: int, stride: int, places: Any, emitted: Any, found: Any) -> None:
    """Write the command digests of a batch to `found`, one a row of the batch.

    `headers`: where each worker's replies begin. `body`: where `count` reply records of `stride` bytes and then their blob are,
    in the order of execution. `places`: the row of the batch that each of them is, empty where the same. `emitted`: the bytes
    of the batch's events, in the order of its rows.
    """
    for header in headers:
        _digest_replies(header, body, count, stride, places, found.ctypes.data)
    if len(emitted) > 0:
        _digest_events(emitted.ctypes.data, emitted.ctypes.data + len(emitted), found.ctypes.data)


class RowDigests:
    """The newest command digests, by the number of the command: how many came before it since the start, reads not counted."""

    def __init__(self) -> None:
        self.count = 0
        self._ring = np.empty(KEPT_ROWS, np.uint64)

    def take(self, headers: Any, body: int, count: int, stride: int, places: Any, events: bytes) -> int:
        """Digest the commands of a batch, as `digest_rows`; the batch digest."""
        start = self.count & (KEPT_ROWS - 1)
        fits = start + count <= KEPT_ROWS
        found = self._ring[start : start + count] if fits else np.empty(count, np.uint64)
        emitted = np.frombuffer(events, np.uint8) if events else _NO_EVENTS
        digest_rows(headers, body, count, stride, _AS_THEY_ARE if places is None else places, emitted, found)
        if not fits:
            numbers = np.arange(self.count + max(0, count - KEPT_ROWS), self.count + count) & (KEPT_ROWS - 1)
            self._ring[numbers] = found[-len(numbers) :]
        self.count += count
        return xxhash.xxh3_64_intdigest(found.data)

    def read(self, first: int, count: int) -> bytes | None:
        """Command digests from number `first` on, 8 bytes each, little endian; None where they are not kept any more."""
        if first < self.count - KEPT_ROWS or first + count > self.count:
            return None
        return self._ring[np.arange(first, first + count) & (KEPT_ROWS - 1)].tobytes()


def warm_up() -> None:
    """Have the compiled code in memory before the workers are forked."""
    nothing = np.zeros(0, np.int64)
    digest_rows(nothing, 0, 0, 8, _AS_THEY_ARE, _NO_EVENTS, np.zeros(0, np.uint64))
