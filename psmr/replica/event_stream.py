"""A replica's events: from what execution emitted to the files that keep it, and to those who ask for it.

delivery ──Executed.events──► EventStream ──frames──► EventLog ──read──► EventAsks ──► whoever asked
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from msgspec import Struct

from psmr.core.event_frame import PART_BYTES, FrameHead, encode_frame
from psmr.errors import Refused
from psmr.execution.emitted import parts
from psmr.execution.outcome import Executed
from psmr.storage.event_log import EventLog
from psmr.transport.client_protocol import AskEvents, EventsAre

ANSWER_BYTES_MAX = 1 << 20
ANSWERS_A_TURN = 4
"""Of one turn of the replica's loop: whoever reads all events from the beginning must not keep it from its other work."""
PATIENCE_US = 100_000
"""After so long at the latest somebody who asked is answered: with nothing, so as to know that this replica is there."""
ASKS_MAX = 1024
_NEVER_US = 1 << 62


class EventSink(Protocol):
    """What takes in events as delivery has them, in log order."""

    def take(self, index: int, now_us: int, executed: Executed) -> None:
        """The events of a batch of the entry at `index`."""


class EventStream:
    """`position`: how many events there were since the beginning. `log` keeps them; None where the service declares none."""

    def __init__(self, position: int, fingerprint: int, log: EventLog | None) -> None:
        self.position = position
        self.log = log
        self._fingerprint = fingerprint

    def take(self, index: int, now_us: int, executed: Executed) -> None:
        """The events of a batch. Raises LogDamaged where the log once gave others."""
        if executed.event_count == 0:
            return
        whole = [(executed.events, executed.event_count)]
        for events, count in whole if len(executed.events) <= PART_BYTES else parts(executed.events, PART_BYTES):
            head = FrameHead(
                count,
                len(events),
                index,
                self.position,
                now_us,
                executed.session,
                executed.sequence,
                self._fingerprint,
            )
            self.position += count
            if self.log is not None:
                self.log.append(encode_frame(head, events))

    def flush(self) -> None:
        """Write what was taken. Raises DiskFailed."""
        if self.log is not None:
            self.log.flush()

    def settle(self) -> None:
        """Have what was taken in the files, to be synced. Raises DiskFailed."""
        if self.log is not None:
            self.log.settle()

    def sync(self) -> None:
        """Have what was settled on the disk; from any thread. Raises DiskFailed."""
        if self.log is not None:
            self.log.sync()

    def close(self) -> None:
        """Write what is left and let go of the files."""
        if self.log is not None:
            self.log.close()


class _Ask(Struct, frozen=True, gc=False):
    connection: bytes
    position: int
    bytes_max: int
    due_us: int


class EventAsks:
    """Who waits for events, until there are some: `waiting`, for others to see whether anybody does."""

    def __init__(self, stream: EventStream | None) -> None:
        self._log = stream.log if stream is not None else None
        self.waiting: deque[_Ask] = deque()  # the first is due first
        self._looked_at = 0
        self._is_due = False

    @property
    def wants_turn(self) -> bool:
        """Whether something could be answered at once that was left for the next turn."""
        return self._is_due

    @property
    def next_due_us(self) -> int:
        """When somebody must be answered at the latest."""
        return self.waiting[0].due_us if self.waiting else _NEVER_US

    def take(self, connection: bytes, asked: AskEvents, now_us: int) -> None:
        """Hold a question. Raises Refused when there are no events, or too many ask."""
        if self._log is None:
            raise Refused("the service declares no events")
        if len(self.waiting) >= ASKS_MAX:
            raise Refused(f"{ASKS_MAX} others wait for events already; ask another replica")
        bytes_max = min(asked.bytes_max, ANSWER_BYTES_MAX)
        self.waiting.append(_Ask(connection, asked.position, bytes_max, now_us + PATIENCE_US))
        self._is_due = True

    def answers(self, now_us: int) -> list[tuple[bytes, EventsAre]]:
        """What can be answered now, to whom: not everything at once. Raises DiskFailed, LogDamaged."""
        log = self._log
        if log is None or not self.waiting:
            return []
        if not self._is_due and now_us < self.waiting[0].due_us and log.written == self._looked_at:
            return []
        found: list[tuple[bytes, EventsAre]] = []
        self._is_due, self._looked_at = False, log.written
        for _ in range(len(self.waiting)):
            ask = self.waiting.popleft()
            frames: bytes | None = b""
            if log.earliest <= ask.position < log.written:
                frames = log.read(ask.position, ask.bytes_max) if len(found) < ANSWERS_A_TURN else None
                self._is_due |= frames is None
            if frames or ask.position < log.earliest or now_us >= ask.due_us:
                found.append((ask.connection, EventsAre(ask.position, log.earliest, log.written, frames or b"")))
            else:
                self.waiting.append(ask)
        return found
