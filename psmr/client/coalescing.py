"""Single calls packed into batches: what 1,000 awaiting tasks call in one turn of the loop travels as one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from psmr.client.failures import Failure
from psmr.core.batch import ALIGNMENT, HEADER_BYTES, RECORDS_MAX
from psmr.core.reply import Reply
from psmr.core.submission_events import FailureKind, Parts
from psmr.errors import Violation

CallResult = tuple[memoryview, memoryview]
"""The call's reply record, and the blob that its offsets point into."""

Rebase = Callable[[bytes, int], bytes]
"""`rebase(record, base)`: the record with every blob offset `base` higher."""

_Call = tuple[bytes, bytes, Rebase | None, "asyncio.Future[CallResult]", int]
OVERHEAD_BYTES: Final = HEADER_BYTES + ALIGNMENT
"""Of a batch, besides its records and blob."""


class CallBatch:
    """The ticket of a batch of single calls: hands each call its own reply record."""

    __slots__ = ("_futures",)

    def __init__(self, futures: list[asyncio.Future[CallResult]]) -> None:
        self._futures = futures

    def resolve(self, reply: Reply) -> None:
        """Every call gets its record. A call whose task was cancelled is passed over."""
        if reply.count != len(self._futures):
            text = f"expected {len(self._futures)} reply records, found {reply.count}"
            for future in self._futures:
                if not future.done():
                    future.set_exception(Violation(text))
            return
        records, blob, stride = reply.records, reply.blob, reply.stride
        begin = 0
        for future in self._futures:
            end = begin + stride
            if not future.done():
                future.set_result((records[begin:end], blob))
            begin = end

    def fail(self, failure: Failure) -> None:
        """Every call fails alike."""
        for future in self._futures:
            if not future.done():
                future.set_exception(failure.error())


class Coalescer:
    """Calls waiting to be packed, oldest first; at most `rows_max` go into one batch."""

    def __init__(self, calls_max: int, rows_max: int = RECORDS_MAX) -> None:
        self._calls_max = calls_max
        self._rows_max = rows_max
        self._calls: list[_Call] = []
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def deadline_us(self) -> int | None:
        """The earliest deadline of a waiting call. All have the same patience, so it is the oldest call's."""
        return self._calls[0][4] if self._calls else None

    def add(
        self, record: bytes, blob: bytes, rebase: Rebase | None, future: asyncio.Future[CallResult], deadline_us: int
    ) -> None:
        """Let a call wait; it is refused when too many are."""
        if len(self._calls) >= self._calls_max:
            text = f"{len(self._calls)} calls are waiting already: await earlier ones"
            CallBatch([future]).fail(Failure(FailureKind.REFUSED, text))
            return
        self._calls.append((record, blob, rebase, future, deadline_us))
        self._size_bytes += len(record) + len(blob)

    def take(self, batch_bytes_max: int) -> tuple[CallBatch, Parts, int]:
        """The ticket, parts and deadline of a batch of the oldest calls: as many as fit, at least one.

        The deadline is the newest call's, so that none is cut short for the company it is in.
        """
        calls = self._take_calls(batch_bytes_max - OVERHEAD_BYTES)
        records: list[bytes] = []
        blobs: list[bytes] = []
        base = 0
        for record, blob, rebase, _, _ in calls:
            if blob:
                if base and rebase is not None:
                    record = rebase(record, base)
                blobs.append(blob)
                base += len(blob)
            records.append(record)
        ticket = CallBatch([call[3] for call in calls])
        return ticket, Parts(b"".join(records), len(records), b"".join(blobs)), calls[-1][4]

    def expire(self, now_us: int, text: str) -> None:
        """Fail the calls that waited past their deadline; they were sent to nobody."""
        late = 0
        while late < len(self._calls) and self._calls[late][4] <= now_us:
            late += 1
        self._fail_first(late, text)

    def fail_all(self, text: str) -> None:
        """Fail every waiting call; they were sent to nobody."""
        self._fail_first(len(self._calls), text)

    def _take_calls(self, size_bytes_max: int) -> list[_Call]:
        if self._size_bytes <= size_bytes_max and len(self._calls) <= self._rows_max:
            calls, self._calls, self._size_bytes = self._calls, [], 0
            return calls
        taken = size_bytes = 0
        for record, blob, *_ in self._calls[: self._rows_max]:
            size_bytes += len(record) + len(blob)
            if taken and size_bytes > size_bytes_max:
                break
            taken += 1
        return self._split_off(taken)

    def _fail_first(self, count: int, text: str) -> None:
        CallBatch([call[3] for call in self._split_off(count)]).fail(Failure(FailureKind.UNAVAILABLE, text))

    def _split_off(self, count: int) -> list[_Call]:
        calls, self._calls = self._calls[:count], self._calls[count:]
        self._size_bytes -= sum(len(record) + len(blob) for record, blob, *_ in calls)
        return calls
