"""What workers waited for, and how long: written down by themselves where somebody asks for it, for measurements.

A wait costs two looks at the clock more, a wait that need not be none. Without a `Waits` nothing is written.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from psmr.execution import layout as at
from psmr.execution.memory import Memory
from psmr.state.region import Region

ROOM = 1 << 17
"""Waits of a worker that are written down one by one, between two `take`s; of further ones only the sum is known."""


class Waited(NamedTuple):
    """The waits of one worker since the last look.

    `at_rows`: (slot, row, ns) of each wait at a row: for others to reach it, for the executor to let go, or, among stages, for
    the row to be decided; of 0 ns also each row at the bound of a round, by who decides it. `rounds_ns`: waits for the early stages
    of others. `others_ns`: all other waits, those for batches among them. `unknown_ns`: waits for which there was no room.
    """

    at_rows: NDArray[np.int64]
    rounds_ns: int
    others_ns: int
    unknown_ns: int


class Waits:
    """Has the workers of an engine write down their waits; make it before they are started."""

    def __init__(self, memory: Memory, room: int = ROOM) -> None:
        size = at.WAITS_HEAD_BYTES + room * at.WAIT_BYTES
        self._region = Region(memory.workers * (size + 4096))
        self._places = [self._region.take(size) for _ in range(memory.workers)]
        self._room = room
        for frame, place in zip(memory.frames, self._places, strict=True):
            self._region.words[(place + at.WAITS_ROOM - self._region.address) >> 3] = room
            memory.set(frame + at.FRAME_WAITS, place)

    def take(self) -> list[Waited]:
        """The waits of each worker, which are then forgotten; only while nothing executes."""
        return [self._take(place) for place in self._places]

    def _take(self, place: int) -> Waited:
        words = self._region.words
        head = (place - self._region.address) >> 3
        count, total_ns = int(words[head + (at.WAITS_COUNT >> 3)]), int(words[head + (at.WAITS_NS >> 3)])
        kept = min(count, self._room)
        begin = head + (at.WAITS_HEAD_BYTES >> 3)
        entries = words[begin : begin + kept * (at.WAIT_BYTES >> 3)].reshape(kept, at.WAIT_BYTES >> 3).copy()
        words[head + (at.WAITS_COUNT >> 3)] = words[head + (at.WAITS_NS >> 3)] = 0
        at_rows = _at_rows(entries)
        known_ns = int(entries[:, at.WAIT_NS >> 3].sum())
        rounds_ns = int(entries[_words(entries) == at.ROUND, at.WAIT_NS >> 3].sum())
        return Waited(at_rows, rounds_ns, known_ns - rounds_ns - int(at_rows[:, 2].sum()), total_ns - known_ns)


def _words(entries: NDArray[Any]) -> NDArray[np.int64]:
    """Which word of a worker each wait was for; −1 for the replica's."""
    places = entries[:, at.WAIT_WORD >> 3]
    found: NDArray[np.int64] = np.where(places < at.WORKERS, -1, (places - at.WORKERS) % at.WORKER_BYTES)
    return found


def _at_rows(entries: NDArray[Any]) -> NDArray[np.int64]:
    """The waits at rows: for REACHED, of an executor, for RESUME, of the others, and for THROUGH, at the bound of a round."""
    words, least = _words(entries), entries[:, at.WAIT_LEAST >> 3]
    # An executor waits for the position itself, who stands by for one more.
    positions = np.where(words == at.RESUME, least - 1, least)
    rows = np.where(words == at.THROUGH, entries[:, at.WAIT_BOUND >> 3], (positions & 0xFFFFFFFF) - 1)
    columns = (entries[:, at.WAIT_SLOT >> 3], rows, entries[:, at.WAIT_NS >> 3])
    found: NDArray[np.int64] = np.stack(columns, axis=1)[np.isin(words, (at.REACHED, at.RESUME, at.THROUGH))]
    return found
