"""From each worker's events to those of the batch: in the order of its rows, the same bytes whatever number of workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cdep.compiled import compiled, inlined, int64
from psmr.execution import layout as at
from psmr.execution.events import MAIN_MARK, begin_events_slowly
from psmr.execution.memory import Memory
from psmr.execution.progress import EXECUTOR
from psmr.state.frame import EVENT_END, EVENT_NEXT, take_event_slowly
from psmr.state.words import copy_bytes, load_u16, load_u32, store_u16, store_u32

_LENGTH = 2
_ROW = 4


@compiled
def count_events(place: int, end: int) -> int:
    """How many events lie there."""
    count = 0
    while place < end:
        place += int64(load_u16(place + _LENGTH))
        count += 1
    return count


@inlined
def _length_of(event: int) -> int:
    return int64(load_u16(event + _LENGTH)) & ~MAIN_MARK


@inlined
def _place_of(event: int, places: Any) -> int:
    """Where an event belongs: its row, and behind the early stage's what the main stage has emitted."""
    row = int64(load_u32(event + _ROW))
    if len(places) > 0:
        row = int64(places[row])
    return 2 * row + (int64(load_u16(event + _LENGTH)) & MAIN_MARK)


@compiled
def merge_events(starts: Any, ends: Any, places: Any, target: int, offset_of: Any) -> int:
    """Write the workers' events to `target` in the order of their rows; how many there are.

    `places`: the row of the batch that each executed row is, empty where the same. `offset_of`: zeros, two a row and one more.
    """
    count = 0
    for worker in range(len(starts)):
        event = starts[worker]
        while event < ends[worker]:
            length = _length_of(event)
            offset_of[_place_of(event, places) + 1] += length
            event += length
            count += 1
    for place in range(1, len(offset_of)):
        offset_of[place] += offset_of[place - 1]
    for worker in range(len(starts)):
        event = starts[worker]
        while event < ends[worker]:
            length = _length_of(event)
            place = _place_of(event, places)
            merged = target + offset_of[place]
            copy_bytes(merged, event, length)
            store_u16(merged + _LENGTH, length)
            store_u32(merged + _ROW, place >> 1)
            offset_of[place] += length
            event += length
    return count


def collect_events(memory: Memory, slot: int, workers: int, count: int, places: Any) -> tuple[bytes, int]:
    """The events of a completed slot and how many they are; gives back the memory that only so many need.

    `workers`: 1 where the executor has executed it alone. `places`: which row of the batch each row is, None where the same.
    """
    pieces = [_piece(memory, worker, slot) for worker in range(workers)]
    total = sum(end - start for start, end in pieces)
    if total == 0:
        return b"", 0
    if workers == 1 and places is None:
        start, end = pieces[EXECUTOR]
        events, found = bytes(memory.region.at(start, total)), count_events(start, end)
    else:
        merged = np.empty(total, np.uint8)
        starts, ends = (np.array(bounds, np.int64) for bounds in zip(*pieces, strict=True))
        arranged = _AS_THEY_ARE if places is None else places
        found = merge_events(starts, ends, arranged, merged.ctypes.data, np.zeros(2 * count + 1, np.int64))
        events = merged.tobytes()
    for worker, (_, end) in enumerate(pieces):
        kept = memory.event_areas[worker] + at.EVENT_START_BYTES
        if end > kept:
            memory.region.give_back(kept, end - kept)
    return events, int(found)


_AS_THEY_ARE = np.empty(0, np.uint32)


def _piece(memory: Memory, worker: int, slot: int) -> tuple[int, int]:
    start, end = memory.words(memory.event_pieces[worker] + 16 * (slot % at.SLOTS), 2)
    return memory.event_areas[worker] + start, memory.event_areas[worker] + end


def warm_up(memory: Memory) -> None:
    """Have the compiled code in memory before the workers are forked."""
    frame = memory.frames[0]
    memory.set(frame + EVENT_END, memory.get(frame + EVENT_NEXT))
    take_event_slowly(frame, 0)
    begin_events_slowly(frame, 0)
    nothing = np.zeros(0, np.int64)
    count_events(frame, frame)
    merge_events(nothing, nothing, _AS_THEY_ARE, frame, np.zeros(1, np.int64))


@compiled
def _split(events: Any, place: int, limit: int) -> int:
    """Where the first event ends with which there are `limit` bytes from `place` on, or all end."""
    end = place
    while end < len(events) and end - place < limit:
        end += int64(events[end + _LENGTH]) | int64(events[end + _LENGTH + 1]) << 8
    return end


def parts(events: bytes, limit: int) -> Iterator[tuple[bytes, int]]:
    """A batch's events cut between two of them, into parts of about `limit` bytes, and how many each has."""
    content = np.frombuffer(events, np.uint8)
    place = 0
    while place < len(events):
        end = int(_split(content, place, limit))
        address = content.ctypes.data
        yield events[place:end], int(count_events(address + place, address + end))
        place = end
