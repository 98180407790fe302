"""What commands changed, taken from the undo notes that the workers keep while a capture is open; and taken back, and done again.

A worker keeps the notes of its commands during a capture (`psmr.state.frame`): in front of those of each command a marker,
(how many, the command's position), then (address, old word) each. Between two entries nothing executes, so all notes of an
entry are there once its replies are. Put back in reverse they lead the state back, command by command, to where the entry
began; what they replace, put back in order, leads it forward again. That is exact for compiled and interpreted handlers alike.

What is not noted is no content: a map's index at a level that it has just grown to. Keys are not looked up where commands were
taken back, therefore, but found by their entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psmr.execution import layout as at
from psmr.execution.memory import Memory
from psmr.state.frame import KEPT, MARKER_BYTES, UNDO_BASE, UNDO_CAPACITY

_MARKER_WORDS = MARKER_BYTES // 8
_ROW = (1 << 32) - 1


class Noted:
    """The notes of one command, in the order in which they were made. `undo` and `redo` take turns, `undo` first."""

    __slots__ = ("_after", "_memory", "before", "places", "position")

    def __init__(self, memory: Memory, position: int, notes: NDArray[np.int64]) -> None:
        self._memory = memory
        self.position = position
        self.places = (notes[:, 0] - memory.region.address) >> 3
        self.before = notes[:, 1]
        self._after: NDArray[np.int64] | None = None

    @property
    def slot(self) -> int:
        """Which of all batches that the engine was given, from 0."""
        return self.position >> 32

    @property
    def row(self) -> int:
        """Which row of the batch as it was executed."""
        return (self.position & _ROW) - 1

    @property
    def addresses(self) -> NDArray[np.int64]:
        """Of the words noted, in order; one may come several times."""
        return self.places * 8 + self._memory.region.address

    def undo(self) -> None:
        """Put back what the words held before the command."""
        words = self._memory.region.words
        self._after = words[self.places]
        # Of a word that was noted several times the first note counts: it is assigned last.
        words[self.places[::-1]] = self.before[::-1]

    def redo(self) -> None:
        """Put back what the command left."""
        if self._after is None:
            raise ValueError("redo: expected a command that was undone")
        self._memory.region.words[self.places] = self._after
        self._after = None


class Notes:
    """All notes kept since a capture began; made while nothing executes."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._words = [_kept_by(memory, worker) for worker in range(memory.workers)]

    def addresses(self) -> NDArray[np.int64]:
        """Of every word noted, in no order that means anything; one may come several times."""
        found: list[NDArray[np.int64]] = []
        for words in self._words:
            pairs = words.reshape(-1, 2)  # a marker, too, is two words
            is_note = np.ones(len(pairs), np.bool_)
            is_note[[place >> 1 for place in _markers(words)]] = False
            found.append(pairs[is_note, 0])
        return np.concatenate(found)

    def commands(self) -> list[Noted]:
        """Command by command, in the order of positions."""
        found = [
            Noted(self._memory, int(words[place + 1]), _notes_behind(words, place))
            for words in self._words
            for place in _markers(words)
        ]
        found.sort(key=lambda each: each.position)  # stable: of one command, what raised and was undone stays in front
        return found


def _kept_by(memory: Memory, worker: int) -> NDArray[np.int64]:
    start = (memory.notes[worker] - memory.region.address) >> 3
    line = at.worker_line(memory.control, worker) + at.NOTES
    end = (memory.get(line + KEPT) - MARKER_BYTES - memory.region.address) >> 3
    kept: NDArray[np.int64] = memory.region.words[start:end].copy()
    return kept


def _markers(words: NDArray[np.int64]) -> Iterator[int]:
    place = 0
    while place < len(words):
        yield place
        place += _MARKER_WORDS + 2 * int(words[place])


def _notes_behind(words: NDArray[np.int64], marker: int) -> NDArray[np.int64]:
    start = marker + _MARKER_WORDS
    return words[start : start + 2 * int(words[marker])].reshape(-1, 2)


def is_full(memory: Memory) -> bool:
    """Whether a worker may be waiting because no room for notes is left; it goes on when the capture ends."""
    most = 16 * memory.get(memory.frames[0] + UNDO_CAPACITY) + MARKER_BYTES
    bases: list[Any] = [memory.get(frame + UNDO_BASE) for frame in memory.frames]
    ends = [memory.get(frame + at.FRAME_NOTES_END) for frame in memory.frames]
    starts = [memory.get(frame + at.FRAME_NOTES) for frame in memory.frames]
    return any(start <= base and base + most > end for start, base, end in zip(starts, bases, ends, strict=True))
