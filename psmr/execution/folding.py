"""What a command has written, as one word: the worker's part of its digest (`psmr.execution.digesting`).

The undo notes of a command name every word that it has changed. When it ends, each of them is mixed with its place, counted from
where the state begins, and all are added up. So the *fold* costs what was written, not what there is, and is the same on every
replica whatever the number of workers: addresses in a region differ with that, places in the state do not. Left out are words that
are derived from others, and hints, which lie behind the rest of the state: neither is replicated.

A slot's folds are with its replies (`psmr.execution.layout`), in the order of those. A command that raises has written nothing.
What an early stage has folded is carried to the main stage, which adds its own.
"""

from __future__ import annotations

import numpy as np

from cdep.compiled import compiled, inlined
from cdep.hashing import PRIME, mix
from psmr.execution.layout import FRAME_EARLY_FOLD, FRAME_FOLDS, FRAME_REPLY_COUNT, FRAME_STATE, FRAME_STATE_BYTES
from psmr.state.frame import DERIVED, NOTE_BYTES, UNDO_BASE, UNDO_COUNT
from psmr.state.words import load_i64, load_u64, store_i64, store_u64


@inlined
def fold(frame: int) -> np.uint64:
    """The fold of what the current command, or stage, has written so far."""
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
                total += mix(load_u64(address) ^ (np.uint64(place) * PRIME))
            note += NOTE_BYTES
    return total


@inlined
def keep_fold(frame: int) -> None:
    """Put the fold of the current command with the reply that is about to be counted, if folds are wanted."""
    folds = load_i64(frame + FRAME_FOLDS)
    if folds != 0:
        total = fold(frame) + load_u64(frame + FRAME_EARLY_FOLD)
        store_u64(folds + 8 * load_i64(frame + FRAME_REPLY_COUNT), total)
        store_i64(frame + FRAME_EARLY_FOLD, 0)


@inlined
def fold_of_stage(frame: int) -> np.uint64:
    """The fold of the early stage that ends; 0 where none are wanted."""
    if load_i64(frame + FRAME_FOLDS) != 0:
        return fold(frame)
    return np.uint64(0)


@compiled
def keep_fold_slowly(frame: int) -> None:
    """`keep_fold`, for interpreted code."""
    keep_fold(frame)
