"""An engine beside its model: rounds of commands are executed, and every reply is compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import numpy as np

from bench._growth_cpu import WorkersClock
from bench._growth_model import PUT, Cells, Records, commands
from bench._growth_plan import BATCH, Plan
from bench._growth_rows import Figures
from bench._measurement import Spread
from cdep import StateMachine
from psmr.core.reply import REPLY_HEADER_BYTES
from psmr.execution.engine import Engine

STALL_S = 60.0
_RING_BYTES = 256 << 20


class Driven:
    """Workers over a growing service; `right` until a reply differs from the model's. Enter it before any thread exists.

    All workers take part in every batch: by itself the engine would have one execute what that is cheaper for.
    """

    def __init__(self, owner: type[StateMachine], workers: int) -> None:
        # Replies are collected after a round: only when all workers take part does each reply ring hold a whole round.
        self.engine = Engine(owner, workers, ring_bytes=_RING_BYTES, choose=lambda synchronous, count: workers)
        self.right = True
        self._cells = Cells()

    def __enter__(self) -> Self:
        self._clock = WorkersClock(self.engine)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.engine.close()

    def execute(self, records: Records) -> tuple[float, int]:
        """A round, in place and routed before any clock runs: (seconds to its last reply, ns of processor time of the workers)."""
        for start in range(0, len(records), BATCH):
            rows = records[start : start + BATCH]
            if not self.engine.prepare(1, 1, rows.dtype.itemsize, len(rows), rows.tobytes(), b"", 0):
                raise AssertionError(f"growth: expected {len(records)} commands to fit the ring; make rounds smaller")
        started, used_ns = time.perf_counter(), self._clock.now_ns()
        self.engine.publish()
        if not self.engine.settle(STALL_S):
            raise AssertionError(
                f"growth: expected the workers to finish, found {self.engine.dead() or 'them stalled'}"
            )
        seconds, cpu_ns = time.perf_counter() - started, self._clock.now_ns() - used_ns
        replies = b"".join(executed.reply[REPLY_HEADER_BYTES:] for executed in self.engine.collect())
        self.right &= replies == self._cells.replies(records)
        return seconds, cpu_ns

    def fill(self, keys: np.ndarray[Any, Any], plan: Plan) -> float:
        """Put every key, a round at a time: ns of processor time a key."""
        size = plan.round_batches * BATCH
        total_ns = 0
        for start in range(0, len(keys), size):
            part = keys[start : start + size]
            total_ns += self.execute(commands(PUT, part, part.astype(np.uint64) * np.uint64(3) + np.uint64(1)))[1]
        return total_ns / max(1, len(keys))

    def measure(self, draw: Callable[[int], Records], plan: Plan) -> Figures:
        """`plan.runs` rounds of `draw(commands)`, after `plan.warm_ups` others."""
        count = plan.round_batches * BATCH
        taken = [self.execute(draw(count)) for _ in range(plan.warm_ups + plan.runs)][plan.warm_ups :]
        return Figures(
            Spread(tuple(count / seconds for seconds, _ in taken)), Spread(tuple(cpu_ns / count for _, cpu_ns in taken))
        )

    @property
    def memory_mib(self) -> int:
        """What state, rings and replies take now."""
        return self.engine.memory.state_bytes() >> 20
