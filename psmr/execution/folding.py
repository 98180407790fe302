"""What commands did, in 64 bits each: the *command digests*, by which replicas find out that they have parted. The worker's part.

The undo notes of a command name every word that it has changed. When it ends, each of them is mixed with its place, counted from
where the state begins, and all are added up, with its events and its reply. So a digest says
what the command did, not how the state lies: it costs what was done and no look at the state, and replicas that began alike, and
whose commands all have equal digests, hold equal state. It is the same on every replica whatever the number of workers: addresses
differ with that, places in the state do not. Left out are words that are derived from others, and hints, which lie behind the
rest of the state: neither is replicated. A command that raises has only its reply.

The digest of a slot is the sum of those of its commands, each by its row; every worker adds up its own, and the replica the
workers' sums. So nothing of a command has to be fetched by the replica's loop; some bits of each stay with the worker, for
whoever asks which command it was. The part of an early stage is carried to the main stage, which adds its own.
"""

from __future__ import annotations

import numpy as np

from cdep.compiled import compiled, inlined, int64
from cdep.hashing import PRIME, hash_bytes
from proxies.layout import REPLY_IN_BLOB, REPLY_WIDE
from psmr.execution.layout import (
    DIGEST_BITS,
    DIGEST_SLOT,
    DIGEST_SLOT_BYTES,
    DIGEST_SLOT_COUNT,
    DIGEST_SLOT_FIRST,
    DIGEST_SLOTS,
    DIGESTS,
    FRAME_DIGEST_SUM,
    FRAME_DIGESTING,
    FRAME_DIGESTS,
    FRAME_DIGESTS_FIRST,
    FRAME_DIGESTS_NEXT,
    FRAME_EARLY_FOLD,
    FRAME_REPLY_BLOB,
    FRAME_REPLY_STRIDE,
    FRAME_ROW,
    FRAME_STATE,
    FRAME_STATE_BYTES,
)
from psmr.state.frame import DERIVED, EVENT_NEXT, EVENT_START, NOTE_BYTES, UNDO_BASE, UNDO_COUNT
from psmr.state.words import load_i64, load_u8, load_u16, load_u32, load_u64, store_i64, store_u64

_1 = np.uint64(1)
_32 = np.uint64(32)
_STEP = np.uint64(0x9E3779B97F4A7C16)
"""Between the factors of a reply's words: even, so that all are odd."""
_BITS = np.uint64(DIGEST_BITS)
_KEPT = np.uint64((1 << DIGEST_BITS) - 1)
_KIND_AND_LENGTH = 0xFFF8FFFF
"""Of an event's first word: neither its row nor whether a main stage has emitted it."""


@inlined
def _spread(word: np.uint64) -> np.uint64:
    """Every bit of a word in many: half of `mix`, which is what so short a sum needs."""
    word = (word ^ (word >> _32)) * PRIME
    return word ^ (word >> _32)


@inlined
def _with_word(digest: np.uint64, word: np.uint64) -> np.uint64:
    digest = (digest ^ word) * PRIME
    return digest ^ (digest >> _32)


@inlined
def fold(frame: int) -> np.uint64:
    """What the current command, or stage, has written and emitted so far."""
    total = np.uint64(0)
    count = load_i64(frame + UNDO_COUNT)
    if count != 0:
        state = load_i64(frame + FRAME_STATE)
        size_bytes = load_i64(frame + FRAME_STATE_BYTES)
        note = load_i64(frame + UNDO_BASE)
        end = note + NOTE_BYTES * count
        while note < end:
            address = load_i64(note)
            place = address - state
            if place & DERIVED == 0 and place < size_bytes:
                total += _spread(load_u64(address) ^ (np.uint64(place) * PRIME))
            note += NOTE_BYTES
    event = load_i64(frame + EVENT_START)
    last = load_i64(frame + EVENT_NEXT)
    if event < last:
        total += _events(event, last)
    return total


@compiled
def _events(event: int, last: int) -> np.uint64:
    """Of events, in their order."""
    digest = np.uint64(0)
    while event < last:
        digest = _with_word(digest, np.uint64(load_u32(event) & _KIND_AND_LENGTH))
        end = event + (int64(load_u16(event + 2)) & ~7)
        event += 8
        while event < end:
            digest = _with_word(digest, load_u64(event))
            event += 8
    return digest


@compiled
def _content(value: int, length: int) -> np.uint64:
    """Of a reply in the blob: where it lies there depends on what is before it."""
    return _spread(hash_bytes(value, length))


@inlined
def _reply(frame: int, record: int, stride: int) -> np.uint64:
    """Of a reply record, its words by odd factors: whatever one word differs by, the sum differs."""
    total = np.uint64(0)
    factor = PRIME
    if load_u8(record + REPLY_IN_BLOB) != 0:
        value = load_i64(frame + FRAME_REPLY_BLOB) + int64(load_u32(record + REPLY_WIDE))
        total = _content(value, int64(load_u32(record + REPLY_WIDE + 4)))
        total += load_u64(record) * factor
    else:
        for place in range(0, stride, 8):
            total += load_u64(record + place) * factor
            factor += _STEP
    return total


@inlined
def keep_digest(frame: int, record: int, stride: int) -> None:
    """Keep the digest of the current command, if digests are wanted: once, when all but its reply's being counted is done."""
    ring = load_i64(frame + FRAME_DIGESTING)
    if ring != 0:
        total = fold(frame)
        early = load_u64(frame + FRAME_EARLY_FOLD)
        if early != 0:
            total += early
            store_i64(frame + FRAME_EARLY_FOLD, 0)
        digest = _spread(total + _reply(frame, record, stride))
        row = np.uint64(load_i64(frame + FRAME_ROW))
        count = load_i64(frame + FRAME_DIGESTS_NEXT)
        store_u64(ring + 8 * (count & (DIGESTS - 1)), (row << _BITS) | (digest & _KEPT))
        store_i64(frame + FRAME_DIGESTS_NEXT, count + 1)
        store_u64(frame + FRAME_DIGEST_SUM, load_u64(frame + FRAME_DIGEST_SUM) + digest * (row + row + _1))


@inlined
def keep_slot(frame: int, slot: int) -> None:
    """At the end of a slot: keep where the digests of its commands are."""
    first = load_i64(frame + FRAME_DIGESTS_FIRST)
    place = load_i64(frame + FRAME_DIGESTS) + 8 * DIGESTS + DIGEST_SLOT_BYTES * (slot & (DIGEST_SLOTS - 1))
    store_i64(place + DIGEST_SLOT, slot)
    store_i64(place + DIGEST_SLOT_FIRST, first)
    store_i64(place + DIGEST_SLOT_COUNT, load_i64(frame + FRAME_DIGESTS_NEXT) - first)


@inlined
def fold_of_stage(frame: int) -> np.uint64:
    """The fold of the early stage that ends; 0 where no digests are wanted."""
    if load_i64(frame + FRAME_DIGESTING) != 0:
        return fold(frame)
    return np.uint64(0)


@compiled
def keep_digest_slowly(frame: int, record: int) -> None:
    """`keep_digest`, for interpreted code."""
    keep_digest(frame, record, load_i64(frame + FRAME_REPLY_STRIDE))
