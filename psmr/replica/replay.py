"""A replica's log executed again, from the folder it left: the same delivery, with a different end."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from cdep import StateMachine
from psmr.core.reply import BatchStatus, parse_reply
from psmr.core.sessions import Sessions
from psmr.errors import ConfigurationError, Violation
from psmr.execution.engine import Engine
from psmr.log.port import Entry
from psmr.replica.delivery import Answer, Delivery
from psmr.storage import Record

_READ_BYTES = 1 << 20
_STALL_S = 60.0


class Records(Protocol):
    """A log to read from: `LogStore`, `WholeLog`."""

    def read(self, first: int, max_bytes: int) -> Sequence[Record]:
        """Consecutive records from `first` on, about `max_bytes` together, at least one if there is any."""


class Replay:
    """A fresh engine fed from a log that no replica uses at the time; make it before any thread exists.

    `digest` and `sessions_digest` are those of a replica that has executed the same entries.
    """

    def __init__(self, owner: type[StateMachine], workers: int = 1, *, compiled: bool = True) -> None:
        self.engine = Engine(owner, workers, compiled=compiled)
        self.engine.start()
        self.delivery = Delivery(Sessions(), self.engine)

    def run(self, log: Records, last: int, progress: Callable[[int], None] = lambda index: None) -> Iterator[Answer]:
        """Execute entries 1 to `last`; the answers of batches, duplicates' and refusals' included, in log order.

        Raises ConfigurationError where another version takes over before `last`.
        """
        while self.delivery.delivered < last or not self.delivery.idle:
            if self.delivery.wants_entries and self.delivery.delivered < last:
                self.delivery.deliver(_entries(log, self.delivery.delivered + 1, last))
            yield from self.delivery.collect()
            self._stop_at_successor(last)
            progress(self.delivery.delivered)
            if not self.delivery.wants_entries or self.delivery.delivered == last:
                self._wait()

    def _stop_at_successor(self, last: int) -> None:
        delivery = self.delivery
        if delivery.successor is not None and delivery.delivered < last and delivery.idle:
            raise ConfigurationError(
                f"replay: expected entries 1 to {last} of service {self.engine.service.fingerprint:#018x}, found that "
                f"{delivery.successor} takes over behind entry {delivery.delivered}: replay up to there"
            )

    def _wait(self) -> None:
        """Sleep until a worker rings; a worker that died, or none that rings, is an error."""
        if self.delivery.idle or not self.engine.want_bell():
            return
        ready, _, _ = select.select([self.engine.bell, *self.engine.sentinels], [], [], _STALL_S)
        self.engine.silence_bell()
        if not ready or self.engine.dead():
            raise Violation(f"replay: expected the workers to go on, found {self.engine.dead() or 'them stalled'}")

    @property
    def digest(self) -> int:
        """Of the state."""
        return self.engine.digest()

    @property
    def sessions_digest(self) -> int:
        """Of the sessions and the replies that they keep."""
        return self.delivery.sessions.digest()

    def close(self) -> None:
        """End the workers."""
        self.engine.close()


def _entries(log: Records, first: int, last: int) -> Sequence[Entry]:
    records = log.read(first, _READ_BYTES)
    if not records:
        raise Violation(f"replay: expected an entry {first} in the log, found its end there")
    return [Entry(record.index, record.time_us, record.payload) for record in records if record.index <= last]


def is_executed(answer: Answer) -> bool:
    """Whether the answer is that of an executed batch."""
    return parse_reply(answer.reply).status is BatchStatus.EXECUTED
