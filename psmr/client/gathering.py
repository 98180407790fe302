"""Single calls of one thread on their way together: gathered while batches are under way, answered one by one.

A call costs its caller no more than packing its record and appending it. All else is done once for many: looking whether
they should go, how much room there is and when they are due at each `LOOK_CALLS`-th, decoding their replies by column.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from psmr.client.coalescing import OVERHEAD_BYTES, CallResult, Rebase
from psmr.client.commands import CommandProxy
from psmr.client.failures import Failure
from psmr.core.batch import RECORDS_MAX
from psmr.core.reply import Reply
from psmr.core.submission_events import Parts
from psmr.errors import Violation

LOOK_CALLS: Final = 32
"""What has arrived is looked at once in so many calls: to look costs more than to gather."""


NO_PARTS: Final = Parts(b"", 0, b"")


class CallsTicket:
    """The ticket of a batch of single calls. `advance` moves its connection on, and waits if nothing is to be done."""

    __slots__ = ("_advance", "columns", "failure", "parts", "reply")

    def __init__(self, advance: Callable[[], None]) -> None:
        self.columns: dict[CommandProxy, list[Any]] = {}
        """The values of the calls of a command, each at its call's row, as far as they are decoded together."""
        self.parts = NO_PARTS
        """What was sent, once it was."""
        self.reply: Reply | None = None
        self.failure: Failure | None = None
        self._advance = advance

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
        """The answer to the call in `row`, once it is there; raises what its batch failed with."""
        reply = self._wait()
        if row >= reply.count:
            raise Violation(f"expected a reply to row {row}, found {reply.count}")
        stride = reply.stride
        return reply.records[row * stride : (row + 1) * stride], reply.blob

    def value(self, proxy: CommandProxy, row: int) -> Any:
        """What the call in `row`, of that command, returned, once it is there; raises as `answer`, and CommandRaised."""
        reply = self._wait()
        if proxy not in self.columns:
            column = proxy.column(self.parts.records, self.parts.count, reply)
            if column is None:
                return proxy.value(*self.answer(row))
            self.columns[proxy] = column
        return self.columns[proxy][row]

    def _wait(self) -> Reply:
        while self.reply is None:
            if self.failure is not None:
                raise self.failure.error()
            self._advance()
        return self.reply


class Gathering:
    """The batch that the next single call joins. All records have one stride, the service's.

    Who has a record without a blob may append it to `records` itself: its ticket is the one of before, its row where it lies,
    and it looks when `look_at` calls are there. There is room for so many.
    """

    __slots__ = (
        "_advance",
        "_blob_bytes",
        "_blobs",
        "_look",
        "_rows_max",
        "deadline_us",
        "look_at",
        "records",
        "ticket",
    )

    def __init__(
        self, look: Callable[[Gathering], None], advance: Callable[[], None], rows_max: int = RECORDS_MAX
    ) -> None:
        self._look = look
        self._rows_max = rows_max
        self._advance = advance
        self._begin()

    def _begin(self) -> None:
        self.records: list[bytes] = []
        self.ticket = CallsTicket(self._advance)
        self.look_at = 1  # the first call may go at once, and says when the batch is due
        self.deadline_us = 0
        self._blobs: list[bytes] = []
        self._blob_bytes = 0

    def __len__(self) -> int:
        return len(self.records)

    def look(self) -> None:
        """Have the connection see to what has arrived and what is to go; this batch may have gone then."""
        self._look(self)

    def room(self, stride: int, batch_bytes_max: int) -> int:
        """How many more calls without a blob fit the batch."""
        free_bytes = batch_bytes_max - OVERHEAD_BYTES - self._blob_bytes
        return min(self._rows_max, free_bytes // stride) - len(self.records)

    def fits(self, stride: int, blob_bytes: int, batch_bytes_max: int) -> bool:
        """Whether a call with such a blob fits, and leaves room for those that may come before somebody looks."""
        wanted = max(1, self.look_at - len(self.records))
        return self.room(stride, batch_bytes_max - blob_bytes) > wanted

    def add(self, record: bytes, blob: bytes, rebase: Rebase) -> tuple[CallsTicket, int]:
        """Take a call in; its ticket and row."""
        ticket, row = self.ticket, len(self.records)
        if blob:
            record = rebase(record, self._blob_bytes)
            self._blobs.append(blob)
            self._blob_bytes += len(blob)
        self.records.append(record)
        if row + 1 >= self.look_at:
            self._look(self)
        return ticket, row

    def take(self) -> tuple[CallsTicket, Parts, int]:
        """Ticket, parts and deadline of the batch; the next call begins another."""
        ticket, deadline_us = self.ticket, self.deadline_us
        ticket.parts = Parts(b"".join(self.records), len(self.records), b"".join(self._blobs))
        self._begin()
        return ticket, ticket.parts, deadline_us
