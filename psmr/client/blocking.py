"""The client's driver without an event loop or a thread: a `Conversation` moved on by whoever waits for a result."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Final

from psmr.client.coalescing import OVERHEAD_BYTES, CallResult, Rebase
from psmr.client.conversation import Conversation, Phase, Ticket
from psmr.client.dealer import Dealer
from psmr.client.failures import Failure
from psmr.client.gathering import LOOK_CALLS, CallsTicket, Gathering
from psmr.client.settings import ClientSettings, ServiceIdentity
from psmr.core.reply import Reply
from psmr.core.submission_events import FailureKind, Parts
from psmr.errors import ClusterUnavailable, InvalidCall, ServiceMismatch

_WAIT_US_MAX: Final = 1_000_000


class Pending:
    """A batch that was submitted. Its connection moves on, and reads replies, while somebody asks for a result."""

    __slots__ = ("_connection", "_failure", "_reply")

    def __init__(self, connection: BlockingConnection) -> None:
        self._connection = connection
        self._reply: Reply | None = None
        self._failure: Failure | None = None

    @property
    def done(self) -> bool:
        """Whether `result` returns or raises without waiting."""
        return self._reply is not None or self._failure is not None

    def result(self) -> memoryview:
        """The bytes of the reply; waits for them, at most until the deadline of the submission.

        Raises `ClusterUnavailable`, `OutcomeUnknown` or `Refused`.
        """
        while True:
            if self._reply is not None:
                return self._reply.raw
            if self._failure is not None:
                raise self._failure.error()
            self._connection.advance(_WAIT_US_MAX)

    def resolve(self, reply: Reply) -> None:
        """Part of `Ticket`: for the conversation only."""
        self._reply = reply

    def fail(self, failure: Failure) -> None:
        """Part of `Ticket`: for the conversation only."""
        self._failure = failure


class PendingCall:
    """A single call that was made, on its way or about to be."""

    __slots__ = ("row", "ticket")

    def __init__(self, ticket: CallsTicket, row: int) -> None:
        self.ticket = ticket
        self.row = row

    @property
    def done(self) -> bool:
        """Whether `result` returns or raises without waiting."""
        return self.ticket.done

    def result(self) -> CallResult:
        """The reply record and the blob it points into, once they are there. Raises as `Pending.result`."""
        return self.ticket.answer(self.row)


class BlockingConnection:
    """A session with a cluster, for one thread. Made by `connect_blocking`."""

    def __init__(self, addresses: Sequence[str], service: ServiceIdentity, settings: ClientSettings) -> None:
        self._service = service
        self._settings = settings
        self._dealer = Dealer()
        self._conversation = Conversation(self._dealer, service, addresses, settings, lambda: secrets.randbits(64))
        self._calls = Gathering(self._look, self._wait, service.rows_max)
        self._reads = Gathering(self._look, self._wait, service.rows_max)

    @property
    def fingerprint(self) -> int:
        """Of the specification of the service called."""
        return self._service.fingerprint

    def __enter__(self) -> BlockingConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(
        self, records: bytes | bytearray | memoryview, count: int, blob: bytes = b"", timeout_us: int | None = None
    ) -> Pending:
        """Have a batch of `count` records executed, once, after what was submitted before.

        Returns without waiting for the reply, so batches can be pipelined; waits for room when too much is queued.
        Raises `InvalidCall` for what fits no batch.
        """
        return self._submit(Parts(bytes(records), count, blob), timeout_us, is_read=False)

    def read(
        self, records: bytes | bytearray | memoryview, count: int, blob: bytes = b"", timeout_us: int | None = None
    ) -> Pending:
        """As `submit`, for commands that only read: after what was submitted before, maybe after what comes later."""
        return self._submit(Parts(bytes(records), count, blob), timeout_us, is_read=True)

    def call(self, record: bytes, blob: bytes, rebase: Rebase) -> PendingCall:
        """Have one command executed, once, after what was called and submitted before; returns without waiting.

        It goes at once unless batches are under way: then the calls made until one is answered share the next. Raises
        `InvalidCall` for what fits no batch.
        """
        return self._gather(self.gathering(is_read=False), record, blob, rebase)

    def call_read(self, record: bytes, blob: bytes, rebase: Rebase) -> PendingCall:
        """As `call`, for a command that only reads: after what was called before, maybe after what comes later."""
        return self._gather(self.gathering(is_read=True), record, blob, rebase)

    def gathering(self, *, is_read: bool) -> Gathering:
        """Where single calls, or those that only read, are gathered: for `Gathering.records`."""
        return self._reads if is_read and not self._settings.reads_in_log else self._calls

    def _gather(self, gathering: Gathering, record: bytes, blob: bytes, rebase: Rebase) -> PendingCall:
        batch_bytes_max = self._conversation.batch_bytes_max
        if not gathering.fits(len(record), len(blob), batch_bytes_max):
            if len(record) + len(blob) > batch_bytes_max - OVERHEAD_BYTES:
                raise InvalidCall(f"expected a call that fits a batch, found a blob of {len(blob)} bytes")
            self._send_gathered(hold=False)
        return PendingCall(*gathering.add(record, blob, rebase))

    def _look(self, gathering: Gathering) -> None:
        """See to what has arrived and what is to go, and when to look again: part of `Gathering`."""
        if not gathering.deadline_us:
            gathering.deadline_us = _now_us() + self._settings.timeout_us
        self._take_messages()
        self._send_gathered(hold=True)
        if gathering:
            room = gathering.room(self._service.stride, self._conversation.batch_bytes_max)
            gathering.look_at = len(gathering) + min(room, LOOK_CALLS)
            if room <= 0:
                self._send_gathered(hold=False)

    def _wait(self) -> None:
        self.advance(_WAIT_US_MAX)

    def _send_gathered(self, *, hold: bool) -> None:
        """Send the single calls made so far; with `hold`, only where they gain nothing by waiting for others."""
        conversation = self._conversation
        if self._calls and (not hold or conversation.calls_have_room):
            self._send(*self._calls.take(), is_read=False)
        # Reads come after the calls made before them, so none goes while such a call is held.
        if self._reads and not self._calls and (not hold or conversation.read_calls_have_room):
            self._send(*self._reads.take(), is_read=True)

    def _submit(self, parts: Parts, timeout_us: int | None, *, is_read: bool) -> Pending:
        pending = Pending(self)
        deadline_us = _now_us() + (self._settings.timeout_us if timeout_us is None else timeout_us)
        self._send_gathered(hold=False)  # single calls made earlier keep their place
        self._send(pending, parts, deadline_us, is_read=is_read)
        return pending

    def _send(self, ticket: Ticket, parts: Parts, deadline_us: int, *, is_read: bool) -> None:
        conversation = self._conversation
        if not (conversation.read_window_has_room if is_read else conversation.window_has_room):
            self._take_messages()
        while not conversation.has_room and _now_us() < deadline_us:
            self._advance(deadline_us - _now_us())
        conversation.submit(ticket, parts, deadline_us, _now_us(), is_read=is_read)

    def advance(self, wait_us: int) -> None:
        """Take in what has arrived; if nothing has, wait for it, for a timer, or for `wait_us` at most."""
        now_us = _now_us()
        left_us = min((one.deadline_us - now_us for one in (self._calls, self._reads) if one), default=_WAIT_US_MAX)
        self._send_gathered(hold=left_us > 0)
        self._advance(min(wait_us, left_us))
        self._send_gathered(hold=True)

    def _advance(self, wait_us: int) -> None:
        timer_us = self._conversation.next_timer_us
        if timer_us is not None:
            wait_us = min(wait_us, timer_us - _now_us())
        self._dealer.wait(max(0, wait_us))
        if not self._take_messages():
            self._conversation.pass_time(_now_us())

    def close(self) -> None:
        """Fail what is unanswered and hang up. Closing twice is closing once."""
        if self._conversation.phase is not Phase.ENDED:
            self._conversation.close()
            self._dealer.hang_up()
            for gathering in (self._calls, self._reads):
                text = "the connection was closed before the call was sent"
                gathering.take()[0].fail(Failure(FailureKind.UNAVAILABLE, text))

    def _find_replica(self) -> None:
        self._conversation.start(_now_us())
        until_us = _now_us() + self._settings.connect_timeout_us
        while self._conversation.phase is not Phase.READY:
            if self._conversation.mismatch is not None:
                raise ServiceMismatch(self._conversation.mismatch)
            left_us = until_us - _now_us()
            if left_us <= 0:
                raise ClusterUnavailable(self._conversation.unreachable(self._settings.connect_timeout_us))
            self.advance(left_us)

    def _take_messages(self) -> bool:
        """Whether anything had arrived. Time does not pass before it was taken in: it may be what a timer waits for."""
        taken = False
        now_us = _now_us()
        while (frames := self._dealer.receive()) is not None:
            self._conversation.receive(frames, now_us)
            taken = True
        return taken


def connect_blocking(
    addresses: Sequence[str], service: ServiceIdentity, settings: ClientSettings | None = None
) -> BlockingConnection:
    """A connection to the cluster that any of `addresses` belongs to.

    Raises `ServiceMismatch` when the cluster runs another service, `ClusterUnavailable` when no replica said welcome.
    """
    connection = BlockingConnection(addresses, service, settings or ClientSettings())
    try:
        connection._find_replica()
    except BaseException:
        connection.close()
        raise
    return connection


def _now_us() -> int:
    return time.monotonic_ns() // 1000
