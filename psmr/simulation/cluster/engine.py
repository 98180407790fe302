"""What stands in for workers: batches are executed in order, each some time after it was handed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from types import SimpleNamespace

import msgspec
from xxhash import xxh3_64_intdigest

from psmr.errors import LogDamaged, Violation
from psmr.execution.outcome import Executed
from psmr.simulation.cluster.batches import BatchQueue
from psmr.simulation.cluster.divergences import Wrong
from psmr.simulation.cluster.service import (
    GET,
    RECORD,
    STRIDE,
    KeyValueService,
    check_shape,
    events_of,
    execute,
    reply_of,
)

Executing = Callable[[int, int, int, bool, int | None], None]
"""Told of each command executed: session, sequence, the operation's number, whether it is a read, its reply; None for the reply
of an engine that has done wrong."""
_MASK = (1 << 64) - 1
_DIGEST = Struct("<Q")


@dataclass(frozen=True, slots=True)
class _Result:
    """As `psmr.execution.capture.CaptureResult`."""

    body_bytes: int
    digest: int
    fields: tuple[tuple[str, str, int, int], ...]


class SimulatedCapture:
    """The state at one position, to be written once."""

    def __init__(self, state: dict[int, int], flavour: int) -> None:
        self._body = msgspec.msgpack.encode((flavour, sorted(state.items())))

    def write(self, put: Callable[[int, bytes], None]) -> _Result:
        """Put it out."""
        size_bytes = len(self._body)
        put(0, self._body)
        return _Result(size_bytes, xxh3_64_intdigest(self._body), (("numbers", "numbers", size_bytes, size_bytes),))


class RowDigests:
    """What each command of the log did since the start, in 64 bits; as `psmr.execution.digesting.RowDigests`."""

    def __init__(self) -> None:
        self.digests: list[int] = []

    def read(self, first: int, count: int) -> bytes:
        """Of the commands from number `first` on."""
        return b"".join(map(_DIGEST.pack, self.digests[first : first + count]))


class SequentialEngine(BatchQueue):
    """The part of `psmr.execution.engine.Engine` that a replica's loop uses, in plain Python.

    `capturing` is called when the state is captured, `erring` when it does what it should not: `wrong`. From then on, also behind a
    snapshot, it has the `flavour` of that; `erred_at`: which command it was, counted from the start, if it was since the start.
    """

    def __init__(
        self,
        service: KeyValueService,
        slots: int,
        executing: Executing,
        capturing: Callable[[], None],
        wrong: Wrong | None = None,
        erring: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(slots)
        self.service = service
        self.memory = SimpleNamespace(has_events=True, containers={})
        self.layout = SimpleNamespace(stride=STRIDE)
        self.state: dict[int, int] = {}
        self.row_digests = RowDigests()
        self.flavour = 0
        self.erred_at: int | None = None
        self._wrong = wrong
        self._erring = erring
        self._executing = executing
        self._capturing = capturing

    def _check(self, stride: int) -> None:
        check_shape(stride)

    def execute(self, batches: int) -> None:
        """Execute as many of the batches published, oldest first."""
        for session, sequence, _, _, records, _, _, is_read in self._next(batches):
            self._done.append(self._execute(session, sequence, records, is_read))

    def _execute(self, session: int, sequence: int, records: bytes, is_read: bool) -> Executed:
        results: list[int] = []
        events: list[bytes] = []
        digest = count = 0
        for row, (op, key, number, operation) in enumerate(RECORD.iter_unpack(records)):
            before = self.state.get(key, 0)
            result = emitted = execute(self.state, op, key, number)
            if not is_read:
                if self._errs(op, operation):
                    result, emitted = self._err(key, result)
                did = hash((op, key, result, emitted, self.state.get(key, 0))) & _MASK
                self.row_digests.digests.append(did)
                digest += did * (2 * row + 1)
                count += 1
            results.append(result)
            events += events_of(row, op, operation, before, emitted)
            self._executing(session, sequence, operation, is_read, None if self.flavour else result)
        reply = reply_of(session, sequence, results, is_read=is_read)
        return Executed(session, sequence, reply, is_read, b"".join(events), len(events), digest & _MASK, count)

    def _errs(self, op: int, operation: int) -> bool:
        wrong = self._wrong
        return wrong is not None and not self.flavour and op != GET and operation >= wrong.operation

    def _err(self, key: int, result: int) -> tuple[int, int]:
        """Do the wrong thing, once: what is replied, and emitted."""
        wrong = self._wrong
        assert wrong is not None
        self.flavour, self.erred_at = wrong.flavour, len(self.row_digests.digests)
        self._erring()
        if wrong.what == "state":
            self.state[key] += wrong.flavour
        wrong_result = result + wrong.flavour
        return (wrong_result if wrong.what == "reply" else result), (wrong_result if wrong.what == "event" else result)

    def capture(self) -> SimulatedCapture:
        """The state as it is now; everything taken must be executed."""
        if self.outstanding:
            raise Violation(f"expected an idle engine to capture, found {self.outstanding} batches under way")
        self._capturing()
        return SimulatedCapture(self.state, self.flavour)

    def restore(self, content: memoryview, digest: int, fields: object) -> None:
        """Begin with a captured state. Raises LogDamaged."""
        if xxh3_64_intdigest(content) != digest:
            raise LogDamaged("captured state: expected another digest")
        self.flavour, state = msgspec.msgpack.decode(content)
        self.state = dict(state)

    def end_capture(self) -> None:
        """Nothing was kept for it."""

    def digest(self) -> int:
        """Equal for equal states."""
        return hash(tuple(sorted(self.state.items())))
