"""What stands in for workers: batches are executed in order, each some time after it was handed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import msgspec
from xxhash import xxh3_64_intdigest

from psmr.errors import LogDamaged, Violation
from psmr.execution.outcome import Executed
from psmr.simulation.cluster.batches import BatchQueue
from psmr.simulation.cluster.service import RECORD, STRIDE, KeyValueService, check_shape, events_of, execute, reply_of

Executing = Callable[[int, int, int, bool, int], None]
"""Told of each command executed: session, sequence, the operation's number, whether it is a read, its reply."""


@dataclass(frozen=True, slots=True)
class _Result:
    """As `psmr.execution.capture.CaptureResult`."""

    body_bytes: int
    digest: int
    fields: tuple[tuple[str, str, int, int], ...]


class SimulatedCapture:
    """The state at one position, to be written once."""

    def __init__(self, state: dict[int, int]) -> None:
        self._body = msgspec.msgpack.encode(sorted(state.items()))

    def write(self, put: Callable[[int, bytes], None]) -> _Result:
        """Put it out."""
        size_bytes = len(self._body)
        put(0, self._body)
        return _Result(size_bytes, xxh3_64_intdigest(self._body), (("numbers", "numbers", size_bytes, size_bytes),))


class SequentialEngine(BatchQueue):
    """The part of `psmr.execution.engine.Engine` that a replica's loop uses, in plain Python.

    `capturing` is called when the state is captured.
    """

    def __init__(
        self, service: KeyValueService, slots: int, executing: Executing, capturing: Callable[[], None]
    ) -> None:
        super().__init__(slots)
        self.service = service
        self.memory = SimpleNamespace(has_events=True, containers={})
        self.layout = SimpleNamespace(stride=STRIDE)
        self.state: dict[int, int] = {}
        self._executing = executing
        self._capturing = capturing

    def _check(self, stride: int) -> None:
        check_shape(stride)

    def execute(self, batches: int) -> None:
        """Execute as many of the batches published, oldest first."""
        for session, sequence, _, _, records, _, _, is_read in self._next(batches):
            results: list[int] = []
            events: list[bytes] = []
            for row, (op, key, number, operation) in enumerate(RECORD.iter_unpack(records)):
                before = self.state.get(key, 0)
                result = execute(self.state, op, key, number)
                results.append(result)
                events += events_of(row, op, operation, before, result)
                self._executing(session, sequence, operation, is_read, result)
            reply = reply_of(session, sequence, results, is_read=is_read)
            self._done.append(Executed(session, sequence, reply, is_read, b"".join(events), len(events)))

    def capture(self) -> SimulatedCapture:
        """The state as it is now; everything taken must be executed."""
        if self.outstanding:
            raise Violation(f"expected an idle engine to capture, found {self.outstanding} batches under way")
        self._capturing()
        return SimulatedCapture(self.state)

    def restore(self, content: memoryview, digest: int, fields: object) -> None:
        """Begin with a captured state. Raises LogDamaged."""
        if xxh3_64_intdigest(content) != digest:
            raise LogDamaged("captured state: expected another digest")
        self.state = dict(msgspec.msgpack.decode(content))

    def end_capture(self) -> None:
        """Nothing was kept for it."""

    def digest(self) -> int:
        """Equal for equal states."""
        return hash(tuple(sorted(self.state.items())))
