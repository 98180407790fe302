"""Single calls of one thread on their way together: gathered while batches are under way, answered one by one."""

from __future__ import annotations

from psmr.client.coalescing import OVERHEAD_BYTES, CallResult, Rebase
from psmr.client.failures import Failure
from psmr.core.batch import RECORDS_MAX
from psmr.core.reply import Reply
from psmr.core.submission_events import Parts
from psmr.errors import Violation


class CallsTicket:
    """The ticket of a batch of single calls."""

    __slots__ = ("failure", "reply")

    def __init__(self) -> None:
        self.reply: Reply | None = None
        self.failure: Failure | None = None

    @property
    def done(self) -> bool:
        """Whether the calls are answered, or will not be."""
        return self.reply is not None or self.failure is not None

    def resolve(self, reply: Reply) -> None:
        """Part of `Ticket`: for the conversation only."""
        self.reply = reply

    def fail(self, failure: Failure) -> None:
        """Part of `Ticket`: for the conversation only."""
        self.failure = failure

    def answer(self, row: int) -> CallResult:
        """The answer to the call in `row`, once it is done; raises what its batch failed with."""
        if self.failure is not None:
            raise self.failure.error()
        reply = self.reply
        if reply is None or row >= reply.count:
            raise Violation(f"expected a reply to row {row}, found {'none' if reply is None else reply.count}")
        stride = reply.stride
        return reply.records[row * stride : (row + 1) * stride], reply.blob


class Gathering:
    """The batch that the next single call joins."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.ticket = CallsTicket()
        self._records: list[bytes] = []
        self._blobs: list[bytes] = []
        self._blob_bytes = 0
        self._size_bytes = 0
        self.deadline_us = 0

    def __len__(self) -> int:
        return len(self._records)

    def has_room(self, size_bytes: int, batch_bytes_max: int) -> bool:
        """Whether a call of this size fits the batch."""
        return len(self._records) < RECORDS_MAX and self._size_bytes + size_bytes <= batch_bytes_max - OVERHEAD_BYTES

    def add(self, record: bytes, blob: bytes, rebase: Rebase, deadline_us: int) -> int:
        """Take a call in; its row. The batch is given up when its first call is due, so that none waits longer than it said."""
        if blob:
            record = rebase(record, self._blob_bytes)
            self._blobs.append(blob)
            self._blob_bytes += len(blob)
        if not self._records:
            self.deadline_us = deadline_us
        self._records.append(record)
        self._size_bytes += len(record) + len(blob)
        return len(self._records) - 1

    def take(self) -> tuple[CallsTicket, Parts, int]:
        """Ticket, parts and deadline of the batch; the next call begins another."""
        taken = self.ticket, Parts(b"".join(self._records), len(self._records), b"".join(self._blobs)), self.deadline_us
        self._begin()
        return taken
