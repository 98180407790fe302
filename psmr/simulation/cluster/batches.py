"""Batches handed to an engine whose driver says when they are executed: virtual time has no workers of its own."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from psmr.execution.outcome import Executed


class TakenBatch(NamedTuple):
    """A batch as it was handed over: `rows` records of `stride` bytes."""

    session: int
    sequence: int
    stride: int
    rows: int
    records: bytes
    blob: bytes
    now_us: int
    is_read: bool


class BatchQueue:
    """Batches taken and not executed, and the replies of those that were; at most `slots` of both.

    It is the part of `psmr.execution.engine.Engine` that a replica's loop hands batches to, and `waiting` for whoever drives it.
    """

    def __init__(self, slots: int) -> None:
        self.unpublished = 0
        self._slots = slots
        self._taken: deque[TakenBatch] = deque()
        self._done: deque[Executed] = deque()

    @property
    def outstanding(self) -> int:
        """Batches taken and not collected."""
        return len(self._taken) + len(self._done)

    @property
    def waiting(self) -> int:
        """Batches published and not executed."""
        return len(self._taken) - self.unpublished

    def prepare(
        self,
        session: int,
        sequence: int,
        stride: int,
        count: int,
        records: Any,
        blob: Any,
        now_us: int,
        *,
        is_read: bool = False,
    ) -> bool:
        """Take a batch; False while there is no room. Raises MalformedBatch where `_check` does."""
        self._check(stride)
        if self.outstanding >= self._slots:
            return False
        self._taken.append(TakenBatch(session, sequence, stride, count, bytes(records), bytes(blob), now_us, is_read))
        self.unpublished += 1
        return True

    def publish(self) -> None:
        """Whoever drives the engine sees what it took."""
        self.unpublished = 0

    def collect(self) -> list[Executed]:
        """What was executed since the last call."""
        if not self._done:
            return []
        done = list(self._done)
        self._done.clear()
        return done

    def _check(self, stride: int) -> None:
        """Refuse records that no replica may execute."""

    def _next(self, batches: int) -> list[TakenBatch]:
        """The oldest of those published, to be executed."""
        return [self._taken.popleft() for _ in range(min(batches, self.waiting))]
