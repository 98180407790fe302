"""An engine whose rows say themselves which workers own them, and whose workers only note what they do.

Real processes, real scheduling, real replies; nothing of a service but the shape of its records.
"""

from __future__ import annotations

import multiprocessing
import os
import select
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from cdep.compiled import compiled, inlined
from proxies.layout import RAISED
from psmr import StateMachine, independent, u8, u16, u64
from psmr.core.reply import parse_reply
from psmr.execution import layout as at
from psmr.execution.dispatch import begin, close_reply, finish, open_reply, open_reply_slowly, seek
from psmr.execution.engine import Engine
from psmr.execution.waiting import rouse
from psmr.execution.worker import work
from psmr.state.atomics import LINE_BYTES, add_atomic
from psmr.state.region import Region
from psmr.state.synchronised import store
from psmr.state.words import load_i64, load_u8, load_u16, store_i64, store_u16

ROWS_MAX = 1 << 19
REPLY_RING_BYTES = 1 << 16
REPLY_SOFT_BYTES = 1 << 13
GUARD_MS = 60_000
STRIDE, REPLY_STRIDE = 8, 16
LAST, BUSY, CHAIN = 0, 8, 16
VIOLATIONS = 16 * LINE_BYTES
STEP = 0x5851F42D4C957F2D
"""An odd number: a chain of rows ends elsewhere if any two change places."""
_U64 = (1 << 64) - 1

record_type = np.dtype([("op", "<u2"), ("owners", "<u2"), ("fails", "u1"), ("padding", "V3")])


class Rows(StateMachine):
    """Gives the records their shape."""

    @independent
    def step(self, owners: u16, fails: u8) -> u64:
        """Never called."""
        return u64(0)


@inlined
def _note(frame: int, ledger: int, row: int, record: int, reply: int) -> None:
    """Execute a row: note it, see that no other worker is at the same, and that the owners' rows come in order."""
    position = (load_i64(frame + at.FRAME_SLOT) << 32) + row + 1
    number = load_i64(ledger + VIOLATIONS + 8 + 8 * (load_i64(frame + at.FRAME_SLOT) % at.SLOTS)) + row
    noted = ledger + VIOLATIONS + LINE_BYTES + 8 * at.SLOTS + 8 * number
    if add_atomic(noted, load_i64(frame + at.FRAME_WORKER) + 1) != 0:
        add_atomic(ledger + VIOLATIONS, 1)
    owners = load_u16(record + 2)
    result = 0
    for worker in range(16):
        if (owners >> worker) & 1:
            cell = ledger + LINE_BYTES * worker
            if add_atomic(cell + BUSY, 1) != 0 or load_i64(cell + LAST) >= position:
                add_atomic(ledger + VIOLATIONS, 1)
            store_i64(cell + LAST, position)
            store_i64(cell + CHAIN, load_i64(cell + CHAIN) * STEP + number + 1)
            result ^= load_i64(cell + CHAIN)
    store_i64(reply + 8, result)
    for worker in range(16):
        if (owners >> worker) & 1:
            add_atomic(ledger + LINE_BYTES * worker + BUSY, -1)


@inlined
def _execute(frame: int, ledger: int, row: int) -> None:
    record = load_i64(frame + at.FRAME_RECORDS) + STRIDE * row
    reply = open_reply(frame, row, REPLY_STRIDE)
    _note(frame, ledger, row, record, reply)
    if load_u8(record + 4) != 0:
        raise ValueError("a row that fails")
    close_reply(frame, np.uint64(0))


@compiled
def run_rows(frame: int, bases: Any) -> None:
    """What generated server proxies do, for rows."""
    while begin(frame):
        row = load_i64(frame + at.FRAME_ROW)
        if load_i64(frame + at.FRAME_OWNERS) == 0:
            while row < load_i64(frame + at.FRAME_COUNT):
                _execute(frame, bases[0], row)
                row += 1
        else:
            row = seek(frame, row)
            while row >= 0:
                _execute(frame, bases[0], row)
                row = seek(frame, row + 1)
            if row < -1:
                return
        finish(frame)


@compiled
def _raised(frame: int, row: int) -> None:
    reply = open_reply_slowly(frame, row)
    store_u16(reply, RAISED)
    close_reply(frame, np.uint64(0))


class _Raising:
    """In the place of the interpreted machine: replies for a row that failed."""

    def __init__(self, frame: int) -> None:
        self._frame = frame

    def again(self, row: int) -> None:
        _raised(self._frame, row)


class RowsEngine(Engine):
    """`start` forks workers that execute rows; what they noted is in `ledger`, see the methods."""

    def __init__(self, workers: int, *, choose: Callable[[int, int], int] | None = None) -> None:
        super().__init__(Rows, workers, ring_bytes=4 << 20, choose=choose or (lambda synchronous, count: workers))
        assert (self.layout.stride, self.layout.reply_stride) == (STRIDE, REPLY_STRIDE)
        self._notes = VIOLATIONS + LINE_BYTES + 8 * at.SLOTS
        self.ledger = Region(self._notes + 8 * ROWS_MAX)
        self.memory.bases = (self.ledger.take(self._notes + 8 * ROWS_MAX),)
        self._rows = 0
        for frame in self.memory.frames:
            self.memory.set(frame + at.FRAME_REPLY_RING_BYTES, REPLY_RING_BYTES)
            self.memory.set(frame + at.FRAME_REPLY_SOFT_BYTES, REPLY_SOFT_BYTES)

    def start(self) -> None:
        memory = self.memory
        memory.set(memory.frames[0] + at.FRAME_REPLY_RECORDS, memory.reply_rings[0])
        _raised(memory.frames[0], 0)
        store(memory.control + at.STOPPING, 1)
        run_rows(memory.frames[0], memory.bases)
        store(memory.control + at.STOPPING, 0)
        context = multiprocessing.get_context("fork")
        for worker in range(self.workers):
            arguments = (os.getpid(), memory, worker, run_rows, _Raising(memory.frames[worker]))
            process = context.Process(target=work, args=arguments, daemon=True)
            process.start()
            self._processes.append(process)

    def _admit(self, records: int, stride: int, count: int, blob: int, blob_bytes: int, owners: int) -> None:
        """Take the owners from the rows themselves, and tell the workers the number of the first."""
        rows = np.frombuffer(self.memory.region.at(records, STRIDE * count), record_type)
        several = (rows["owners"] & (rows["owners"] - 1)) != 0
        if self._table:
            self.memory.region.at(owners, 2 * count)[:] = rows["owners"].tobytes()
        self.memory.set(self.memory.totals, 0)
        self.memory.set(self.memory.totals + 8, int(several.sum()))
        place = VIOLATIONS + 8 + 8 * (self._published % at.SLOTS)
        self.ledger.words[place >> 3] = self._rows
        self._rows += count

    def tune(self, *, spin: int, look_ahead: int) -> None:
        """Of an idle engine: how long workers spin, how far an executor looks ahead."""
        self.memory.set(self.memory.control + at.PATIENCE, spin)
        for frame in self.memory.frames:
            self.memory.set(frame + at.FRAME_SPIN, spin)
            self.memory.set(frame + at.FRAME_LOOK_AHEAD, look_ahead)

    def end_workers(self) -> list[BaseProcess]:
        """The workers, ended as `close` asks them to, but waited for as long as a busy machine takes."""
        store(self.memory.control + at.STOPPING, 1)
        for worker in range(self.workers):
            rouse(self.memory.control, worker)
        for process in self._processes:
            process.join(GUARD_MS / 1000)
        return list(self._processes)

    @property
    def violations(self) -> int:
        """How often a row was executed again, out of order or beside another of the same owner."""
        return self.ledger.word(self.memory.bases[0] + VIOLATIONS)

    def executors(self) -> list[int]:
        """Who executed each row so far; −1: nobody."""
        first = self._notes >> 3
        return [int(number) - 1 for number in self.ledger.words[first : first + self._rows]]

    def execute(self, batches: Sequence[np.ndarray[Any, Any]]) -> list[list[int]]:
        """The replies to each batch: a value a row, −1 for one that failed."""
        replies: list[bytes] = []
        for rows in batches:
            while not self.offer(1, 1, STRIDE, len(rows), rows.tobytes(), b"", 0):
                replies += self._wait()
        while self.outstanding:
            replies += self._wait()
        return [_values(reply) for reply in replies]

    def _wait(self) -> list[bytes]:
        if self.want_bell():
            poll = select.poll()
            for descriptor in (self.bell, *self.sentinels):
                poll.register(descriptor, select.POLLIN)
            assert poll.poll(GUARD_MS), f"no reply within {GUARD_MS} ms"
        self.silence_bell()
        assert not self.dead()
        return [executed.reply for executed in self.collect()]


def _values(reply: bytes) -> list[int]:
    records = np.frombuffer(parse_reply(reply).records, np.dtype([("status", "<u8"), ("value", "<u8")]))
    return [-1 if status == RAISED else int(value) for status, value in records.tolist()]


class SequentialRows:
    """What the rows reply when one executes them in log order."""

    def __init__(self) -> None:
        self._chains = [0] * 16
        self._rows = 0

    def execute(self, batches: Sequence[np.ndarray[Any, Any]]) -> list[list[int]]:
        return [[self._row(int(row["owners"]), bool(row["fails"])) for row in batch] for batch in batches]

    def _row(self, owners: int, fails: bool) -> int:
        self._rows += 1
        result = 0
        for worker in range(16):
            if owners >> worker & 1:
                self._chains[worker] = (self._chains[worker] * STEP + self._rows) & _U64
                result ^= self._chains[worker]
        return -1 if fails else result
