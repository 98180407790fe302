"""Where a worker keeps the digests of a slot's commands: told at its opening, and kept at its end (`psmr.execution.layout`)."""

from __future__ import annotations

from cdep.compiled import inlined
from psmr.execution.layout import (
    DIGEST_RING_BYTES,
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
    FRAME_REPLY_COUNT,
)
from psmr.state.words import load_i64, store_i64


@inlined
def open_digests(frame: int, count: int, is_read: bool) -> None:
    """At the opening of a slot of `count` commands: where their digests go; nowhere for reads."""
    first = load_i64(frame + FRAME_DIGESTS_NEXT)
    ring = load_i64(frame + FRAME_DIGESTS)
    store_i64(frame + FRAME_DIGESTS_FIRST, first)
    store_i64(frame + FRAME_DIGEST_SUM, 0)
    if is_read or ring == 0:
        store_i64(frame + FRAME_DIGESTING, 0)
    else:
        store_i64(frame + FRAME_DIGESTING, ring + 8 * (first & (DIGESTS - 1)))
        store_i64(frame + FRAME_DIGESTS_NEXT, first + count)


@inlined
def keep_slot(frame: int, slot: int) -> None:
    """At the end of a slot that is no read: keep where the digests of its commands are."""
    first = load_i64(frame + FRAME_DIGESTS_FIRST)
    count = load_i64(frame + FRAME_REPLY_COUNT)
    place = load_i64(frame + FRAME_DIGESTS) + DIGEST_RING_BYTES + DIGEST_SLOT_BYTES * (slot & (DIGEST_SLOTS - 1))
    store_i64(place + DIGEST_SLOT, slot)
    store_i64(place + DIGEST_SLOT_FIRST, first)
    store_i64(place + DIGEST_SLOT_COUNT, count)
    store_i64(frame + FRAME_DIGESTS_NEXT, first + count)
