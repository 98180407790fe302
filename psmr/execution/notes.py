"""Kept undo notes, sorted by the section of state that they belong to, and put into a copy of it. For the copying thread only.

A section's notes are a chain of chunks in the order in which they were found, so that of two notes of one command the earlier
comes first:

    chunk | next chunk or 0 | records used | (address, old word, position) × CHUNK_RECORDS |

`pool` is two words: where the next chunk that was never used lies, and the first of those that are free again.
"""

from __future__ import annotations

from typing import Any

from cdep.compiled import compiled, inlined
from psmr.state.array import NUMBERED_PAGE_BYTES
from psmr.state.atomics import load_acquire, relax
from psmr.state.frame import DERIVED, MARKER_BYTES, NOTE_BYTES
from psmr.state.region import PAGE_BYTES
from psmr.state.words import clear_bytes, copy_bytes, load_i64, store_i64

CHUNK_BYTES = 1024
CHUNK_RECORDS = 42
_RECORDS = 16
_RECORD_BYTES = 24
_LAST = (1 << 63) - 1


@compiled
def copy_piece(target: int, source: int, length: int) -> None:
    """Copy what others may be writing: each word is one that it held at some time meanwhile, or torn where a note replaces it."""
    copy_bytes(target, source, length)


@compiled
def clear_piece(target: int, length: int) -> None:
    """Zeros."""
    clear_bytes(target, length)


@compiled
def has_changed(word: int, seen: int, spins: int) -> bool:
    """Whether the word is another than `seen`, now or soon."""
    for _ in range(spins):
        if load_acquire(word) != seen:
            return True
        relax()
    return False


@inlined
def _take_chunk(pool: Any) -> int:
    chunk = pool[1]
    if chunk != 0:
        pool[1] = load_i64(chunk)
    else:
        chunk = pool[0]
        pool[0] += CHUNK_BYTES
    store_i64(chunk, 0)
    store_i64(chunk + 8, 0)
    return int(chunk)


@inlined
def _section_of(starts: Any, address: int) -> int:
    """The last section that begins at or before the address, or −1."""
    low = 0
    high = len(starts)
    while low < high:
        middle = (low + high) >> 1
        if starts[middle] <= address:
            low = middle + 1
        else:
            high = middle
    return low - 1


@compiled
def sort_notes(place: int, end: int, current: int, starts: Any, ends: Any, heads: Any, tails: Any, pool: Any) -> None:
    """Append the notes from the marker at `place` on to the chains of the sections from `current` on; others are not needed."""
    while place < end:
        count = load_i64(place)
        position = load_i64(place + 8)
        place += MARKER_BYTES
        for note in range(place, place + NOTE_BYTES * count, NOTE_BYTES):
            address = load_i64(note) & ~DERIVED
            section = _section_of(starts, address)
            if section < current or address >= ends[section]:
                continue
            chunk = tails[section]
            if chunk == 0 or load_i64(chunk + 8) == CHUNK_RECORDS:
                fresh = _take_chunk(pool)
                if chunk == 0:
                    heads[section] = fresh
                else:
                    store_i64(chunk, fresh)
                tails[section] = fresh
                chunk = fresh
            used = load_i64(chunk + 8)
            record = chunk + _RECORDS + _RECORD_BYTES * used
            store_i64(record, address)
            store_i64(record + 8, load_i64(note + 8))
            store_i64(record + 16, position)
            store_i64(chunk + 8, used + 1)
        place += NOTE_BYTES * count


@compiled
def patch(head: int, mark: int, mark_used: int, section: int, copied: int, order: Any) -> None:
    """Put back, in the copy of a section, every word of which there is a note up to the mark.

    What a word gets is the old word of the command with the lowest position, of all notes in the chain. `order` is scratch: a word
    for each of the section's, 0 before and after.
    """
    chunk = head
    while True:
        used = mark_used if chunk == mark else load_i64(chunk + 8)
        for record in range(chunk + _RECORDS, chunk + _RECORDS + _RECORD_BYTES * used, _RECORD_BYTES):
            order[(load_i64(record) - section) >> 3] = _LAST
        if chunk == mark:
            break
        chunk = load_i64(chunk)
    chunk = head
    while chunk != 0:
        for record in range(chunk + _RECORDS, chunk + _RECORDS + _RECORD_BYTES * load_i64(chunk + 8), _RECORD_BYTES):
            offset = load_i64(record) - section
            if load_i64(record + 16) < order[offset >> 3]:
                order[offset >> 3] = load_i64(record + 16)
                store_i64(copied + offset, load_i64(record + 8))
        chunk = load_i64(chunk)
    chunk = head
    while chunk != 0:
        for record in range(chunk + _RECORDS, chunk + _RECORDS + _RECORD_BYTES * load_i64(chunk + 8), _RECORD_BYTES):
            order[(load_i64(record) - section) >> 3] = 0
        chunk = load_i64(chunk)


@compiled
def free_chain(head: int, tail: int, pool: Any) -> None:
    """A section's chunks may be used for others."""
    store_i64(tail, pool[1])
    pool[1] = head


@compiled
def number_pages(copied: int, length: int, first_page: int, target: int) -> int:
    """Put each page that holds anything but zeros behind its number; how many bytes that makes."""
    place = target
    for offset in range(0, length, PAGE_BYTES):
        for word in range(copied + offset, copied + offset + PAGE_BYTES, 8):
            if load_i64(word) != 0:
                store_i64(place, first_page + offset // PAGE_BYTES)
                copy_bytes(place + 8, copied + offset, PAGE_BYTES)
                place += NUMBERED_PAGE_BYTES
                break
    return place - target
