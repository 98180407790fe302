"""The parts of a replica's memory, by the names of `psmr.execution.layout`: to say what a line belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from psmr.execution import layout as at
from psmr.execution.memory import TOTALS_BYTES, Memory
from psmr.state import frame as frames
from psmr.state.access import STAGING_BYTES

LINE_BYTES = 64
PARTS = ("control", "delivery", "frames", "undo", "arena", "staging", "replies", "state")
"""`delivery`: slots, ring, and what admission needs. Workers read it, only the replica writes it."""

Lines = np.ndarray[Any, Any]
"""Numbers of lines, each an address divided by `LINE_BYTES`: sorted, each once."""


def by_part(memory: Memory, lines: Lines) -> dict[str, Lines]:
    """The lines of each of `PARTS`; those outside the memory of the replica, which no other process can see, are left out."""
    pieces: dict[str, list[Lines]] = {name: [] for name in PARTS}
    for name, address, size_bytes in _pieces(memory):
        first, end = np.searchsorted(lines, (address // LINE_BYTES, -(-(address + size_bytes) // LINE_BYTES)))
        pieces[name].append(lines[first:end])
    return {name: np.unique(np.concatenate(found)) for name, found in pieces.items()}


def _pieces(memory: Memory) -> Iterator[tuple[str, int, int]]:
    """(part, address, bytes) of everything that was taken from the region; each begins on a page."""
    yield "control", memory.control, at.CONTROL_BYTES
    yield "delivery", memory.slots, at.SLOTS * at.SLOT_BYTES
    yield "delivery", memory.totals, TOTALS_BYTES
    yield "delivery", memory.table, 2 * 65
    yield "delivery", memory.ring, memory.ring_bytes
    for worker, frame in enumerate(memory.frames):
        yield "frames", frame, at.FRAME_TOTAL_BYTES
        yield "undo", memory.get(frame + frames.UNDO_BASE), 16 * frames.UNDO_ENTRIES
        yield "arena", memory.get(frame + frames.ARENA_BASE), frames.ARENA_BYTES
        yield "staging", memory.staging[worker], STAGING_BYTES
        yield "replies", memory.get(frame + at.FRAME_REPLY_RING), at.REPLY_RING_BYTES
        yield "replies", memory.get(frame + at.FRAME_REPLY_STARTS), 8 * at.SLOTS
    for base, container in zip(memory.bases, memory.containers.values(), strict=True):
        if container.size_bytes:
            yield "state", base, container.size_bytes
