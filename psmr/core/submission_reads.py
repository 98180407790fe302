"""The client's reads: batches that only read, sent beside the session's window, retried until answered, never in doubt.

A read has a number instead of a sequence. It goes out once every batch that was submitted before it has been sent, and says
which of them must be executed first; batches submitted later may overtake it. It changes nothing, so it may be sent again
whenever an answer is missing, and an answer to any attempt is an answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic

from psmr.core.reply import BatchStatus, Reply
from psmr.core.submission_events import Effect, Fail, FailureKind, Parts, Resolve, SendRead, SubmitRead, TicketT
from psmr.errors import Violation

if TYPE_CHECKING:
    from psmr.core.submission import Limits

NEVER_US: Final = 1 << 62
STATUSES: Final = frozenset((BatchStatus.READ, BatchStatus.READ_REFUSED, BatchStatus.READ_MALFORMED))


@dataclass(slots=True, eq=False)
class _Read(Generic[TicketT]):
    number: int
    ticket: TicketT
    parts: Parts
    deadline_us: int
    behind: int  # batches submitted before it
    refusals: int = 0


class ReadWindow(Generic[TicketT]):
    """The reads of one client; part of its `Submission`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._window = limits.window_batches
        self._numbers = 0
        self._queue: deque[_Read[TicketT]] = deque()  # to be sent, or sent again
        self._queued_bytes = 0
        self._in_flight: dict[int, _Read[TicketT]] = {}  # by number: sent on this connection
        self._pause_us = limits.pause_us
        self.resume_at_us = 0  # nothing is sent before
        self.retry_us = limits.retry_us
        self.retry_at_us = NEVER_US
        self.deadline_us = NEVER_US  # no read's deadline is earlier

    def __len__(self) -> int:
        return len(self._queue) + len(self._in_flight)

    @property
    def has_room(self) -> bool:
        """Whether another read would be taken rather than refused."""
        return len(self._queue) < self._limits.queue_batches and self._queued_bytes < self._limits.queue_bytes

    @property
    def window_has_room(self) -> bool:
        """Whether another read would wait neither for the window nor behind another one."""
        return not self._queue and len(self._in_flight) < self._window

    @property
    def under_way(self) -> int:
        """Reads that are sent and not answered."""
        return len(self._in_flight)

    def submit(self, event: SubmitRead[TicketT], behind: int, effects: list[Effect[TicketT]]) -> None:
        """Take a read that comes after the first `behind` batches."""
        if not self.has_room:
            text = f"{len(self._queue)} reads of {self._queued_bytes} bytes are queued already: wait for earlier ones"
            effects.append(Fail(event.ticket, FailureKind.REFUSED, text))
            return
        self._numbers += 1
        self._queue.append(_Read(self._numbers, event.ticket, event.parts, event.deadline_us, behind))
        self._queued_bytes += event.parts.size_bytes
        self.deadline_us = min(self.deadline_us, event.deadline_us)

    def connect(self, window: int) -> None:
        """Another replica, or the same one anew, takes `window` reads at a time."""
        self._window = window

    def disconnect(self) -> None:
        """Nothing in flight will be answered: all of it is to be sent again."""
        for read in reversed(self._in_flight.values()):
            self._put_back(read)
        self._in_flight.clear()
        self.resume_at_us = 0
        self.retry_at_us = NEVER_US

    def take_reply(self, reply: Reply, now_us: int, effects: list[Effect[TicketT]]) -> None:
        """A reply to a read; one that is not in flight was answered before."""
        read = self._in_flight.pop(reply.sequence, None)
        if read is None:
            return
        if reply.status is BatchStatus.READ_REFUSED:
            read.refusals += 1
            self._put_back(read)
            self.resume_at_us = now_us + self._pause_us
            self._pause_us = min(2 * self._pause_us, self._limits.retry_us)
            return
        if reply.status is BatchStatus.READ:
            effects.append(Resolve(read.ticket, reply))
        else:
            effects.append(Fail(read.ticket, FailureKind.INVALID, reply.text()))
        self.retry_us = self._limits.retry_us
        self._pause_us = self._limits.pause_us
        self.retry_at_us = now_us + self.retry_us if self._in_flight else NEVER_US

    def expire(self, now_us: int, effects: list[Effect[TicketT]]) -> None:
        """Fail what is past its deadline."""
        if now_us < self.deadline_us:
            return
        for read in [read for read in self._all() if read.deadline_us <= now_us]:
            kind = FailureKind.REFUSED if read.refusals else FailureKind.UNAVAILABLE
            effects.append(Fail(read.ticket, kind, "no replica answered the read before its deadline"))
        self._in_flight = {number: read for number, read in self._in_flight.items() if read.deadline_us > now_us}
        self._queue = deque(read for read in self._queue if read.deadline_us > now_us)
        self._queued_bytes = sum(read.parts.size_bytes for read in self._queue)
        self.deadline_us = min((read.deadline_us for read in self._all()), default=NEVER_US)
        if not len(self):
            self.retry_at_us = NEVER_US

    def send(
        self, now_us: int, session: int, place: Callable[[int], int | None], effects: list[Effect[TicketT]]
    ) -> None:
        """Send what may be sent. `place(behind)`: the sequence to wait for; None while a batch before is not sent."""
        if now_us < self.resume_at_us:
            return
        self.resume_at_us = 0
        while self._queue and len(self._in_flight) < self._window:
            sequence = place(self._queue[0].behind)
            if sequence is None:
                return
            read = self._queue.popleft()
            self._queued_bytes -= read.parts.size_bytes
            self._in_flight[read.number] = read
            if self.retry_at_us == NEVER_US:
                self.retry_at_us = now_us + self.retry_us
            effects.append(SendRead(session, sequence, read.number, read.parts))

    def close(self, effects: list[Effect[TicketT]]) -> None:
        """Fail everything."""
        for read in self._all():
            effects.append(Fail(read.ticket, FailureKind.UNAVAILABLE, "the connection was closed before the answer"))
        self._in_flight.clear()
        self._queue.clear()
        self._queued_bytes = 0
        self.deadline_us = NEVER_US

    def validate(self) -> None:
        """Raises `Violation` unless every invariant of the class holds."""
        if len(self._in_flight) > self._limits.window_batches:
            raise Violation(f"expected at most {self._limits.window_batches} reads in flight, found {self._in_flight}")
        if self._queued_bytes != sum(read.parts.size_bytes for read in self._queue):
            raise Violation("expected the size of the queue of reads to be that of its reads")
        numbers = [read.number for read in self._all()]
        if len(set(numbers)) != len(numbers):
            raise Violation(f"expected each read once, found {numbers}")
        if any(read.deadline_us < self.deadline_us for read in self._all()):
            raise Violation(f"expected no read's deadline before {self.deadline_us}")

    def _put_back(self, read: _Read[TicketT]) -> None:
        self._queue.appendleft(read)
        self._queued_bytes += read.parts.size_bytes

    def _all(self) -> Iterator[_Read[TicketT]]:
        yield from self._in_flight.values()
        yield from self._queue
