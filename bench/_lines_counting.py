"""Which lines of a replica's memory each worker writes in parallel mode.

The workers run one after another in one process, on slots that are published already: in parallel mode none waits for another.
Which stores they make is recorded (`_lines_recording`), and compared with what has changed: a change that is not on record
would be a hole in the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from bench._lines_apart import Request
from bench._lines_calls import Calls, calls_of
from bench._lines_parts import LINE_BYTES, Lines, by_part
from bench._lines_recording import LOAD_BYTES, Log
from cdep import StateMachine
from proxies.encoding import Encoded
from psmr.execution import layout as at
from psmr.execution.engine import Engine
from psmr.execution.generated import compiling, server_module
from psmr.state.region import PAGE_BYTES, Region
from psmr.state.synchronised import store

_WORDS_OF_LINE = LINE_BYTES // 8
_LINES_OF_PAGE = PAGE_BYTES // LINE_BYTES
_PAIR_LINES = 2
"""Processors fetch lines in aligned pairs, so two writers should not share a pair either."""
_NO_LINES = np.zeros(0, np.int64)


def count(request: Request, log: Log, prepare: Callable[[Engine], None] | None = None) -> list[dict[str, Any]]:
    """A row for each number of workers; `prepare` may change an engine before it executes anything.

    By part of the layout: `lines` that each worker has written, and `shared` ones, which several have. `shared_pairs`: the
    same of pairs of lines. `unrecorded`: lines changed off the record. `looked_at`, `executed`: rows of batches, by worker.
    """
    calls = calls_of(request.service, request.batches, request.rows)
    expected = _Replica(calls.owner, 1, log, None).execute(calls)
    rows: list[dict[str, Any]] = []
    for workers in request.workers:
        replica = _Replica(calls.owner, workers, log, prepare)
        equal = replica.execute(calls) == expected
        rows.append({"service": request.service, "workers": workers, "answers_equal": equal, **replica.found()})
    return rows


class _Replica:
    """An engine without processes: its workers take turns."""

    def __init__(
        self, owner: type[StateMachine], workers: int, log: Log, prepare: Callable[[Engine], None] | None
    ) -> None:
        self._engine = Engine(owner, workers, spin=1, patience=0, choose=lambda synchronous, count: workers)
        self._memory = self._engine.memory
        self._module = server_module(owner)
        self._log = log
        self._written = [_NO_LINES] * workers
        self._looked_at = [0] * workers
        self._executed = [0] * workers
        self._unrecorded = 0
        if prepare is not None:
            prepare(self._engine)

    def execute(self, calls: Calls) -> list[bytes]:
        """The replies to the batches that are looked at. Once only."""
        store(self._memory.control + at.STOPPING, 1)
        try:
            with compiling(self._module):
                self._run(0)
            for batch in calls.loading:
                self._take_turns(batch, self._run)
            return list(chain.from_iterable(self._take_turns(batch, self._watch) for batch in calls.batches))
        finally:
            self._engine.close()

    def found(self) -> dict[str, Any]:
        """What was counted, as `count` says."""
        lines = [by_part(self._memory, written) for written in self._written]
        shared = by_part(self._memory, _of_several(self._written))
        pairs = _of_several([np.unique(written // _PAIR_LINES) for written in self._written])
        return {
            "lines": {part: [len(own[part]) for own in lines] for part in shared},
            "shared": {part: len(several) for part, several in shared.items()},
            "shared_pairs": len(pairs),
            "unrecorded": self._unrecorded,
            "looked_at": self._looked_at,
            "executed": self._executed,
        }

    def _take_turns(self, batch: Encoded, run: Callable[[int], None]) -> list[bytes]:
        engine = self._engine
        if not engine.offer(1, 1, len(batch.records) // batch.count, batch.count, batch.records, batch.blob, 0):
            raise AssertionError("lines: expected room for a batch in an idle engine, found none")
        synchronous = self._memory.get(self._memory.totals + 8)
        if synchronous:
            raise AssertionError(f"lines: expected commands in parallel mode, found {synchronous} synchronous ones")
        for worker in range(engine.workers):
            run(worker)
        return [executed.reply for executed in engine.collect()]

    def _run(self, worker: int) -> None:
        """Let a worker execute what is published; it is told to end, and does so where it would wait."""
        self._log.clear()
        self._module.run(self._memory.frames[worker], self._memory.bases)

    def _watch(self, worker: int) -> None:
        """As `_run`; keep what the worker wrote and read."""
        executed = self._engine.counters().commands[worker]
        before = _pages(self._memory.region)
        self._run(worker)
        addresses, lengths = self._log.entries().T
        written = _lines_of(addresses[lengths > 0], lengths[lengths > 0], self._memory.region)
        changed = _changed(before, _pages(self._memory.region), self._memory.region)
        self._unrecorded += len(np.setdiff1d(changed, written))
        self._written[worker] = np.union1d(self._written[worker], written)
        self._looked_at[worker] += self._rows_read(worker, addresses[lengths == LOAD_BYTES])
        self._executed[worker] += self._engine.counters().commands[worker] - executed

    def _rows_read(self, worker: int, addresses: np.ndarray[Any, Any]) -> int:
        """Of how many rows of the batch the worker asked who owns them."""
        frame = self._memory.frames[worker]
        first = self._memory.get(frame + at.FRAME_OWNERS)
        end = first + 2 * self._memory.get(frame + at.FRAME_COUNT)
        return len(np.unique(addresses[(addresses >= first) & (addresses < end)]))


def _of_several(sets: Sequence[Lines]) -> Lines:
    """What more than one of the sets holds."""
    values, times = np.unique(np.concatenate(sets), return_counts=True)
    return values[times > 1]


def _lines_of(addresses: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any], region: Region) -> Lines:
    """The lines of the region that these pieces of memory touch."""
    inside = (addresses >= region.address) & (addresses < region.address + region.size_bytes)
    first = addresses[inside] // LINE_BYTES
    last = (addresses[inside] + lengths[inside] - 1) // LINE_BYTES
    found = [first]
    while first.size:
        first, last = first[first < last] + 1, last[first < last]
        found.append(first)
    return np.unique(np.concatenate(found))


def _pages(region: Region) -> dict[int, np.ndarray[Any, Any]]:
    """A copy of every page that holds anything but zeros, by its number."""
    written = region.written_pages(region.address, region.size_bytes)
    return {number: np.frombuffer(page, np.int64).copy() for number, page in written}


def _changed(before: dict[int, np.ndarray[Any, Any]], after: dict[int, np.ndarray[Any, Any]], region: Region) -> Lines:
    """The lines that differ between two copies."""
    empty = np.zeros(PAGE_BYTES // 8, np.int64)
    found = [_NO_LINES]
    for number in before.keys() | after.keys():
        differs = before.get(number, empty) != after.get(number, empty)
        first = region.address // LINE_BYTES + number * _LINES_OF_PAGE
        found.append(first + np.flatnonzero(differs.reshape(-1, _WORDS_OF_LINE).any(axis=1)))
    return np.unique(np.concatenate(found))
