"""A worker's events: each slot's lie together, in the order emitted, in an area of the worker's own.

    | slot s+2 … | free, up to the wall | slot s | slot s+1 | free |

A slot's events begin where those before it end, or at the start of the area once that is free again, and always before
EVENT_START_BYTES: so the most that a slot can emit has room behind it, and no batch is refused for its events. Where older events
are in the way, a worker waits before a command, never in it, until the replica has collected them: only slots before its own, which
do not wait for it.
"""

from __future__ import annotations

from cdep.compiled import compiled, inlined
from psmr.core.event_format import COMMAND_BYTES
from psmr.execution.layout import (
    COLLECTED,
    EVENT_AREA_BYTES,
    EVENT_SOFT_BYTES,
    EVENT_START_BYTES,
    FRAME_CONTROL,
    FRAME_EVENT_AREA,
    FRAME_EVENT_PIECES,
    FRAME_EVENT_WALL,
    FRAME_SLOT,
    SLOTS,
)
from psmr.execution.waiting import wait_until
from psmr.state.atomics import load_acquire
from psmr.state.frame import EVENT_END, EVENT_NEXT, EVENT_ROW, EVENT_START
from psmr.state.words import load_i64, store_i64

MAIN_MARK = 1
"""Set in the length of an event, a multiple of 8, that a main stage has emitted apart from the early stage of its row, until events
are merged."""
_LINE = 64


@inlined
def _piece(frame: int, slot: int) -> int:
    return load_i64(frame + FRAME_EVENT_PIECES) + 16 * (slot % SLOTS)


@compiled
def _start(frame: int, slot: int, collected: int) -> int:
    """Where in the area the slot's events may begin, or −1 while older ones are in the way."""
    if collected >= slot:
        return 0
    free = (load_i64(frame + EVENT_NEXT) - load_i64(frame + FRAME_EVENT_AREA) + _LINE - 1) & -_LINE
    oldest = load_i64(_piece(frame, collected))
    if free > EVENT_SOFT_BYTES and COMMAND_BYTES < oldest <= free:
        return 0
    return free if free < EVENT_START_BYTES else -1


@compiled
def _wall(frame: int, slot: int, collected: int, place: int) -> int:
    """How far the events that begin at `place` may go: to the older ones, where those lie above."""
    area = load_i64(frame + FRAME_EVENT_AREA)
    if collected < slot:
        oldest = area + load_i64(_piece(frame, collected))
        if oldest > place:
            return oldest - _LINE  # so that what begins at the next line still begins below
    return area + EVENT_AREA_BYTES


@compiled
def open_events(frame: int, slot: int, is_read: bool) -> bool:
    """Begin a slot: find a place for its events. `is_read`: it may emit none. False: the workers are to end."""
    control = load_i64(frame + FRAME_CONTROL)
    collected = load_acquire(control + COLLECTED)
    start = _start(frame, slot, collected)
    while start < 0:
        if not wait_until(frame, control + COLLECTED, collected + 1):
            return False
        collected = load_acquire(control + COLLECTED)
        start = _start(frame, slot, collected)
    place = load_i64(frame + FRAME_EVENT_AREA) + start
    store_i64(_piece(frame, slot), start)
    store_i64(frame + EVENT_NEXT, place)
    store_i64(frame + EVENT_START, place)
    store_i64(frame + EVENT_END, 0)
    store_i64(frame + FRAME_EVENT_WALL, 0 if is_read else _wall(frame, slot, collected, place))
    return True


@compiled
def close_events(frame: int, slot: int) -> None:
    """End a slot: say where its events end."""
    store_i64(_piece(frame, slot) + 8, load_i64(frame + EVENT_NEXT) - load_i64(frame + FRAME_EVENT_AREA))


@compiled
def pass_events(frame: int, slot: int, is_empty: bool) -> None:
    """A slot that another executes has none of this worker's events. `is_empty`: all events of slots before it are collected."""
    if is_empty:
        store_i64(frame + EVENT_NEXT, load_i64(frame + FRAME_EVENT_AREA))
    store_i64(_piece(frame, slot), load_i64(frame + EVENT_NEXT) - load_i64(frame + FRAME_EVENT_AREA))
    close_events(frame, slot)


@inlined
def begin_events(frame: int, row: int) -> None:
    """Begin the command of `row`, which may emit."""
    place = load_i64(frame + EVENT_NEXT)
    if place + COMMAND_BYTES >= load_i64(frame + FRAME_EVENT_WALL):
        _make_room(frame, place)
    else:
        store_i64(frame + EVENT_END, place + COMMAND_BYTES)
    store_i64(frame + EVENT_START, place)
    store_i64(frame + EVENT_ROW, row << 32)


@compiled
def begin_events_slowly(frame: int, row: int) -> None:
    """`begin_events`, for interpreted code."""
    begin_events(frame, row)


@compiled
def _make_room(frame: int, place: int) -> None:
    """Wait until a command may emit all it is allowed to, unless it is one that may emit nothing."""
    wall = load_i64(frame + FRAME_EVENT_WALL)
    control = load_i64(frame + FRAME_CONTROL)
    slot = load_i64(frame + FRAME_SLOT)
    while wall != 0 and place + COMMAND_BYTES >= wall:
        collected = load_acquire(control + COLLECTED)
        wall = _wall(frame, slot, collected, place)
        if place + COMMAND_BYTES >= wall and not wait_until(frame, control + COLLECTED, collected + 1):
            wall = load_i64(frame + FRAME_EVENT_AREA) + EVENT_AREA_BYTES  # the workers are to end: nobody collects
    store_i64(frame + FRAME_EVENT_WALL, wall)
    store_i64(frame + EVENT_END, place + COMMAND_BYTES if wall != 0 else 0)
