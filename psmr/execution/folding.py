"""What commands did, in 64 bits each: the *command digests*, by which replicas find out that they have parted. The worker's part.

The undo notes of a command name every word that it has changed. When it ends, each of them is mixed with its place, counted from
where the state begins, and all are added up, with its events; when the slot ends, the replies follow in one go. So a digest says
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
    DIGESTS,
    FRAME_DIGEST_SUM,
    FRAME_DIGESTS,
    FRAME_DIGESTS_FIRST,
    FRAME_DIGESTS_NEXT,
    FRAME_EARLY_FOLD,
    FRAME_REPLY_BLOB,
    FRAME_REPLY_COUNT,
    FRAME_REPLY_RECORDS,
    FRAME_REPLY_ROWS,
    FRAME_REPLY_STRIDE,
    FRAME_STATE,
    FRAME_STATE_BYTES,
)
from psmr.state.frame import DERIVED, EVENT_NEXT, EVENT_START, NOTE_BYTES, UNDO_BASE, UNDO_COUNT
from psmr.state.words import load_i64, load_u8, load_u16, load_u32, load_u64, store_i64, store_u64

_32 = np.uint64(32)
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


@inlined
def keep_fold(frame: int) -> None:
    """Keep the fold of the current command, if digests are wanted: once, before its reply is counted."""
    digests = load_i64(frame + FRAME_DIGESTS)
    if digests != 0:
        count = load_i64(frame + FRAME_DIGESTS_NEXT)
        store_u64(digests + 8 * (count & (DIGESTS - 1)), fold(frame) + load_u64(frame + FRAME_EARLY_FOLD))
        store_i64(frame + FRAME_EARLY_FOLD, 0)
        store_i64(frame + FRAME_DIGESTS_NEXT, count + 1)


@compiled
def add_replies(frame: int) -> None:
    """At the end of a slot: make digests of the folds kept in it, add them up, and keep some of each."""
    digests, first = load_i64(frame + FRAME_DIGESTS), load_i64(frame + FRAME_DIGESTS_FIRST)
    rows, stride = load_i64(frame + FRAME_REPLY_ROWS), load_i64(frame + FRAME_REPLY_STRIDE)
    record, blob = load_i64(frame + FRAME_REPLY_RECORDS), load_i64(frame + FRAME_REPLY_BLOB)
    total = np.uint64(0)
    for reply in range(load_i64(frame + FRAME_REPLY_COUNT)):
        row = int64(load_u32(rows + 4 * reply)) if rows != 0 else reply
        place = digests + 8 * ((first + reply) & (DIGESTS - 1))
        digest = load_u64(place)
        end = record + stride
        word = record
        if load_u8(record + REPLY_IN_BLOB) != 0:
            # Where in the blob it lies depends on what is before it.
            value = blob + int64(load_u32(record + REPLY_WIDE))
            digest = _with_word(digest, hash_bytes(value, int64(load_u32(record + REPLY_WIDE + 4))))
            end = record + 8
        while word < end:
            digest = _with_word(digest, load_u64(word))
            word += 8
        record += stride
        total += digest * np.uint64(2 * row + 1)
        store_u64(place, (np.uint64(row) << _BITS) | (digest & _KEPT))
    store_u64(frame + FRAME_DIGEST_SUM, total)


@inlined
def fold_of_stage(frame: int) -> np.uint64:
    """The fold of the early stage that ends; 0 where no digests are wanted."""
    if load_i64(frame + FRAME_DIGESTS) != 0:
        return fold(frame)
    return np.uint64(0)


@compiled
def keep_fold_slowly(frame: int) -> None:
    """`keep_fold`, for interpreted code."""
    keep_fold(frame)
