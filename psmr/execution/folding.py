"""What commands did, in 64 bits each: the *command digests*, by which replicas find out that they have parted. The worker's part.

The undo notes of a command name every word that it has changed. When it ends, each of them is mixed with its place, counted from
where the state begins, and all are added up, with its events and its reply. So a digest says
what the command did, not how the state lies: it costs what was done and no look at the state, and replicas that began alike, and
whose commands all have equal digests, hold equal state. It is the same on every replica whatever the number of workers: addresses
differ with that, places in the state do not. Left out are words that are derived from others, and hints, which lie behind the
rest of the state: neither is replicated. A command that raises has only its reply.

A command's row is part of its digest, and the digest of a slot is the sum of those of its commands; every worker adds up its
own, and the replica the workers' sums. So nothing of a command has to be fetched by the replica's loop; some bits of each stay
with the worker, for whoever asks which command it was. The part of an early stage is carried to the main stage, which adds its own.
"""

from __future__ import annotations

import numpy as np

from cdep.compiled import compiled, inlined, int64
from proxies.layout import NONE, REPLY_IN_BLOB, REPLY_NARROW, REPLY_WIDE
from psmr.execution.layout import (
    DIGEST_BITS,
    FRAME_DIGEST_SUM,
    FRAME_DIGESTING,
    FRAME_EARLY_FOLD,
    FRAME_REPLY_BLOB,
    FRAME_REPLY_COUNT,
    FRAME_REPLY_STRIDE,
    FRAME_ROW,
    FRAME_STATE,
    FRAME_STATE_BYTES,
)
from psmr.state.frame import EVENT_NEXT, EVENT_START, NOTE_BYTES, UNDO_BASE, UNDO_COUNT
from psmr.state.product import content, pair, placed, record_content
from psmr.state.words import load_i64, load_u8, load_u16, load_u32, load_u64, store_i64, store_u64

_1 = np.uint64(1)
_63 = np.uint64(63)
_IN_BLOB = np.uint64(1 << 8 * REPLY_IN_BLOB)
_NONE = np.uint64(NONE)
_NARROW = np.uint64(8 * REPLY_NARROW)
_EMPTY = np.uint64(0)
_KEPT = np.uint64((1 << 64) - (1 << 64 - DIGEST_BITS))
_KIND_AND_LENGTH = 0xFFF8FFFF
"""Of an event's first word: neither its row nor whether a main stage has emitted it."""


@inlined
def _writes(frame: int) -> np.uint64:
    """What the current command, or stage, has written so far."""
    total = np.uint64(0)
    count = load_i64(frame + UNDO_COUNT)
    if count != 0:
        state = load_i64(frame + FRAME_STATE)
        words = np.uint64(load_i64(frame + FRAME_STATE_BYTES)) >> _1
        note = load_i64(frame + UNDO_BASE)
        end = note + NOTE_BYTES * count
        while note < end:
            address = load_i64(note)
            place = np.uint64(address - state)
            # Turned right by a bit, which is set where a word is derived: one comparison leaves out those and hints.
            place = (place >> _1) | (place << _63)
            if place < words:
                total += placed(load_u64(address), place)
            note += NOTE_BYTES
    return total


@inlined
def _emitted(frame: int) -> np.uint64:
    """What the current command, or stage, has emitted so far."""
    event = load_i64(frame + EVENT_START)
    last = load_i64(frame + EVENT_NEXT)
    return _events(event, last) if event < last else np.uint64(0)


@inlined
def _events(event: int, last: int) -> np.uint64:
    """Of events, in their order."""
    total = np.uint64(0)
    place = np.uint64(0)
    while event < last:
        total += placed(np.uint64(load_u32(event) & _KIND_AND_LENGTH), ~place)
        end = event + (int64(load_u16(event + 2)) & ~7)
        event += 8
        while event < end:
            place += _1
            total += placed(load_u64(event), ~place)
            event += 8
        place += _1
    return total


# Of replies. A record is its first two words, the rest if there is any, and what lies in the blob: where depends on what is
# before it. Compiled code has the words at hand as it writes them; to read them back would wait for the writes.


@inlined
def reply_none() -> np.uint64:
    """Of a reply that is None, where another value could be."""
    return pair(_NONE, _EMPTY)


@inlined
def reply_nothing() -> np.uint64:
    """Of a command without a reply."""
    return pair(_EMPTY, _EMPTY)


@inlined
def reply_narrow(value: np.uint64) -> np.uint64:
    """Of a number of up to 4 bytes."""
    return pair(value << _NARROW, _EMPTY)


@inlined
def reply_wide(value: np.uint64) -> np.uint64:
    """Of a number of 8 bytes."""
    return pair(_EMPTY, value)


@inlined
def reply_fixed(frame: int, record: int) -> np.uint64:
    """Of the bytes in a record."""
    end = record + load_i64(frame + FRAME_REPLY_STRIDE)
    return reply_wide(load_u64(record + REPLY_WIDE)) + record_content(record + REPLY_WIDE + 8, end)


@inlined
def reply_bytes(frame: int, address: int, length: int) -> np.uint64:
    """Of bytes in the blob; 0 where no digests are wanted."""
    if load_i64(frame + FRAME_DIGESTING) != 0:
        return pair(_IN_BLOB, content(address, length))
    return _EMPTY


@inlined
def _reply_of_record(frame: int, record: int) -> np.uint64:
    """Of any reply, from its record."""
    wide = load_u64(record + REPLY_WIDE)
    if load_u8(record + REPLY_IN_BLOB) != 0:
        value = load_i64(frame + FRAME_REPLY_BLOB) + int64(load_u32(record + REPLY_WIDE))
        wide = content(value, int64(load_u32(record + REPLY_WIDE + 4)))
    total = pair(load_u64(record), wide)
    return total + record_content(record + REPLY_WIDE + 8, record + load_i64(frame + FRAME_REPLY_STRIDE))


@inlined
def _keep(frame: int, ring: int, done: np.uint64) -> None:
    row = np.uint64(load_i64(frame + FRAME_ROW))
    digest = placed(done, row)
    store_u64(ring + 8 * load_i64(frame + FRAME_REPLY_COUNT), (digest & _KEPT) | row)
    store_u64(frame + FRAME_DIGEST_SUM, load_u64(frame + FRAME_DIGEST_SUM) + digest)


@inlined
def keep_digest(frame: int, reply: np.uint64) -> None:
    """Keep the digest of the current command, if digests are wanted: once, when all but its reply's being counted is done.

    `reply`: of its reply. The command has no early stage and emits nothing; `keep_whole_digest` is for those that may.
    """
    ring = load_i64(frame + FRAME_DIGESTING)
    if ring != 0:
        _keep(frame, ring, _writes(frame) + reply)


@inlined
def keep_whole_digest(frame: int, reply: np.uint64) -> None:
    """As `keep_digest`, of any command."""
    ring = load_i64(frame + FRAME_DIGESTING)
    if ring != 0:
        early = load_u64(frame + FRAME_EARLY_FOLD)
        if early != 0:
            store_i64(frame + FRAME_EARLY_FOLD, 0)
        _keep(frame, ring, _writes(frame) + _emitted(frame) + early + reply)


@inlined
def fold_of_stage(frame: int) -> np.uint64:
    """What the early stage that ends has written and emitted; 0 where no digests are wanted."""
    if load_i64(frame + FRAME_DIGESTING) != 0:
        return _writes(frame) + _emitted(frame)
    return np.uint64(0)


@compiled
def keep_digest_slowly(frame: int, record: int) -> None:
    """`keep_whole_digest`, for interpreted code, of whatever the reply record says."""
    keep_whole_digest(frame, _reply_of_record(frame, record))
