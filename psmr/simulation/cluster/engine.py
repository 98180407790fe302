"""What stands in for workers: batches are executed in order, each some time after it was handed over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

from psmr.errors import Violation
from psmr.simulation.cluster.service import RECORD, STRIDE, KeyValueService, check_shape, execute, reply_of


class Done(NamedTuple):
    """A batch was executed, with this reply."""

    session: int
    sequence: int
    reply: bytes
    is_read: bool


Executing = Callable[[int, int, int, bool, int], None]
"""Told of each command executed: session, sequence, the operation's number, whether it is a read, its reply."""


class SequentialEngine:
    """The part of `psmr.execution.engine.Engine` that a replica's loop uses, in plain Python."""

    def __init__(self, slots: int, executing: Executing) -> None:
        self.service = KeyValueService()
        self.layout = SimpleNamespace(stride=STRIDE)
        self.state: dict[int, int] = {}
        self._slots = slots
        self._executing = executing
        self._taken: deque[tuple[int, int, bytes, bool]] = deque()
        self._done: deque[Done] = deque()
        self.unpublished = 0

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
        """Take a batch; False while there is no room. Raises MalformedBatch."""
        check_shape(stride)
        if self.outstanding >= self._slots:
            return False
        self._taken.append((session, sequence, bytes(records), is_read))
        self.unpublished += 1
        return True

    def publish(self) -> None:
        """Whoever drives the engine sees what it took."""
        self.unpublished = 0

    def execute(self, batches: int) -> None:
        """Execute as many of the batches published, oldest first."""
        for _ in range(min(batches, self.waiting)):
            session, sequence, records, is_read = self._taken.popleft()
            results: list[int] = []
            for op, key, number, operation in RECORD.iter_unpack(records):
                results.append(execute(self.state, op, key, number))
                self._executing(session, sequence, operation, is_read, results[-1])
            self._done.append(Done(session, sequence, reply_of(session, sequence, results, is_read=is_read), is_read))

    def collect(self) -> list[Done]:
        """What was executed since the last call."""
        done = list(self._done)
        self._done.clear()
        return done

    def capture(self) -> dict[int, int]:
        """The state as it is now; everything taken must be executed."""
        if self.outstanding:
            raise Violation(f"expected an idle engine to capture, found {self.outstanding} batches under way")
        return dict(self.state)

    def end_capture(self) -> None:
        """Nothing was kept for it."""

    def digest(self) -> int:
        """Equal for equal states."""
        return hash(tuple(sorted(self.state.items())))
