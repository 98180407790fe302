"""Does the rate stay as the log becomes longer? The same batches, executed again and again, as they come: no round, no pause.

Every reply is compared: half the commands add to a cell, so a command that was lost, repeated or overtaken anywhere in the
log shows in what is read later.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench._growth_cpu import WorkersClock
from bench._growth_engine import STALL_S
from bench._growth_model import ADD, GET, commands, reply_bytes, sums
from bench._growth_plan import Plan
from bench._growth_rows import Figures, Row, line, measured, stopped
from bench._growth_services import GrowingMap
from bench._measurement import Spread
from psmr.core.reply import REPLY_HEADER_BYTES
from psmr.execution.engine import Engine

DIMENSION = "log"
BATCH = 4096
BATCHES = 64
KEYS = 10_000
IN_FLIGHT = 6
SLICES = 3
WARM_UP = 4_000_000
SERIES = "1 worker"
_WORD = np.dtype("<u8")


class Repeated:
    """One engine that is fed `BATCHES` batches in turn, for ever; `right` until a reply differs from the model's."""

    def __init__(self) -> None:
        random = np.random.default_rng(11)
        ops = np.where(random.random(BATCH * BATCHES) < 0.5, ADD, GET)
        records = commands(ops, random.integers(0, KEYS, len(ops)), random.integers(1, 1000, len(ops)))
        self.engine = Engine(GrowingMap, 1)
        self.right = True
        self.executed = 0
        self._stride = self.engine.layout.stride
        self._batches = [part.tobytes() for part in np.split(records, BATCHES)]
        self._offered = 0
        replies, growth = sums(records)
        self._expected = [np.frombuffer(bytearray(reply_bytes(part)), _WORD) for part in np.split(replies, BATCHES)]
        self._growth = np.split(growth, BATCHES)
        self._values = slice(1, None, self.engine.layout.reply_stride // _WORD.itemsize)

    def run_to(self, count: int, until: float = math.inf) -> bool:
        """Feed and collect until so many commands have been executed; False when the time is up before."""
        while self.executed < count:
            if time.monotonic() > until:
                return False
            while self.engine.outstanding < IN_FLIGHT:
                self._offer()
            if not self._collect():
                self._wait()
        return True

    def drain(self) -> None:
        """Collect what is under way; every command must have been executed once."""
        while self.engine.outstanding:
            if not self._collect():
                self._wait()
        self.right &= sum(self.engine.counters().commands) == self._offered * BATCH == self.executed

    def _offer(self) -> None:
        records = self._batches[self._offered % BATCHES]
        if not self.engine.offer(1, 1, self._stride, BATCH, records, b"", 0):
            raise AssertionError(f"growth: expected room for {IN_FLIGHT} batches in the ring, found none")
        self._offered += 1

    def _collect(self) -> bool:
        found = self.engine.collect()
        for executed in found:
            place = self.executed // BATCH % BATCHES
            expected = self._expected[place]
            reply: np.ndarray[Any, Any] = np.frombuffer(executed.reply, _WORD, offset=REPLY_HEADER_BYTES)
            self.right &= np.array_equal(reply, expected)
            expected[self._values] += self._growth[place]
            self.executed += BATCH
        return bool(found)

    def _wait(self) -> None:
        if not self.engine.want_bell():
            return
        ready, _, _ = select.select([self.engine.bell, *self.engine.sentinels], [], [], STALL_S)
        self.engine.silence_bell()
        if not ready or self.engine.dead():
            raise AssertionError(f"growth: expected the worker to go on, found {self.engine.dead() or 'it stalled'}")


def measure(plan: Plan, until: float, say: Callable[[str], None]) -> list[Row]:
    """A row a decade: the rate in each third of the stretch from the decade before it."""
    repeated = Repeated()
    try:
        clock = WorkersClock(repeated.engine)
        repeated.run_to(WARM_UP)
        rows = _decades(repeated, clock, plan, min(until, time.monotonic() + plan.log_s), say)
        repeated.drain()
    finally:
        repeated.engine.close()
    # A command lost anywhere in the log discredits every rate.
    return [row if "stopped" in row else {**row, "answers_right": repeated.right} for row in rows]


def _decades(
    repeated: Repeated, clock: WorkersClock, plan: Plan, until: float, say: Callable[[str], None]
) -> list[Row]:
    rows: list[Row] = []
    begin, done = repeated.executed, 0
    for size in plan.log:
        marks = [begin + done + (size - done) * part // SLICES for part in range(1, SLICES + 1)]
        figures = _run_to_all(repeated, clock, marks, until if rows else math.inf)
        if figures:
            memory_mib = repeated.engine.memory.state_bytes() >> 20
            rows.append(measured(DIMENSION, size, SERIES, figures, repeated.right, memory_mib=memory_mib))
        else:
            why = f"left out: the time for it was up after {repeated.executed - begin:,} commands"
            rows.append(stopped(DIMENSION, size, SERIES, why))
        say(line(rows[-1]))
        if not figures:
            break
        done = size
    return rows


def _run_to_all(repeated: Repeated, clock: WorkersClock, marks: list[int], until: float) -> Figures | None:
    """Figures up to each mark from the one before it, or from here; None when the time is up before the last."""
    rates, cpu_ns = [], []
    for mark in marks:
        began, began_s, began_cpu_ns = repeated.executed, time.perf_counter(), clock.now_ns()
        if not repeated.run_to(mark, until):
            return None
        count = repeated.executed - began
        rates.append(count / (time.perf_counter() - began_s))
        cpu_ns.append((clock.now_ns() - began_cpu_ns) / count)
    return Figures(Spread(tuple(rates)), Spread(tuple(cpu_ns)))
