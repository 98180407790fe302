"""From each worker's events to those of the batch: in the order of its rows, the same bytes whatever number of workers."""

from __future__ import annotations

from typing import Any

import numpy as np

from cdep.compiled import compiled, int64
from psmr.execution import layout as at
from psmr.execution.events import begin_events_slowly
from psmr.execution.memory import Memory
from psmr.execution.progress import EXECUTOR
from psmr.state.frame import EVENT_END, EVENT_NEXT, take_event_slowly
from psmr.state.words import copy_bytes, load_u16, load_u32, store_u32

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


@compiled
def merge_events(starts: Any, ends: Any, places: Any, target: int, offset_of: Any) -> int:
    """Write the workers' events to `target` in the order of their rows; how many there are.

    `places`: the row of the batch that each executed row is, empty where it is the same. `offset_of`: zeros, one more than rows.
    """
    arranged = len(places) > 0
    count = 0
    for worker in range(len(starts)):
        place = starts[worker]
        while place < ends[worker]:
            row = int64(load_u32(place + _ROW))
            if arranged:
                row = int64(places[row])
            length = int64(load_u16(place + _LENGTH))
            offset_of[row + 1] += length
            place += length
            count += 1
    for row in range(1, len(offset_of)):
        offset_of[row] += offset_of[row - 1]
    for worker in range(len(starts)):
        place = starts[worker]
        while place < ends[worker]:
            row = int64(load_u32(place + _ROW))
            if arranged:
                row = int64(places[row])
            length = int64(load_u16(place + _LENGTH))
            copy_bytes(target + offset_of[row], place, length)
            store_u32(target + offset_of[row] + _ROW, row)
            offset_of[row] += length
            place += length
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
        found = merge_events(starts, ends, arranged, merged.ctypes.data, np.zeros(count + 1, np.int64))
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
