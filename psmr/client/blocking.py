"""The client's driver without an event loop or a thread: a `Conversation` moved on by whoever waits for a result."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Final

from psmr.client.conversation import Conversation, Phase
from psmr.client.dealer import Dealer
from psmr.client.failures import Failure
from psmr.client.settings import ClientSettings, ServiceIdentity
from psmr.core.reply import Reply
from psmr.core.submission_events import Parts
from psmr.errors import ClusterUnavailable, ServiceMismatch

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


class BlockingConnection:
    """A session with a cluster, for one thread. Made by `connect_blocking`."""

    def __init__(self, addresses: Sequence[str], service: ServiceIdentity, settings: ClientSettings) -> None:
        self._service = service
        self._settings = settings
        self._dealer = Dealer()
        self._conversation = Conversation(self._dealer, service, addresses, settings, lambda: secrets.randbits(64))

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

    def _submit(self, parts: Parts, timeout_us: int | None, *, is_read: bool) -> Pending:
        pending = Pending(self)
        deadline_us = _now_us() + (self._settings.timeout_us if timeout_us is None else timeout_us)
        conversation = self._conversation
        if not (conversation.read_window_has_room if is_read else conversation.window_has_room):
            self.advance(0)
        while not conversation.has_room and _now_us() < deadline_us:
            self.advance(deadline_us - _now_us())
        conversation.submit(pending, parts, deadline_us, _now_us(), is_read=is_read)
        return pending

    def advance(self, wait_us: int) -> None:
        """Take in what has arrived; if nothing has, wait for it, for a timer, or for `wait_us` at most."""
        if self._take_messages():
            return
        timer_us = self._conversation.next_timer_us
        if timer_us is not None:
            wait_us = min(wait_us, timer_us - _now_us())
        if wait_us > 0:
            self._dealer.wait(wait_us)
            if self._take_messages():
                return
        self._conversation.pass_time(_now_us())

    def close(self) -> None:
        """Fail what is unanswered and hang up. Closing twice is closing once."""
        if self._conversation.phase is not Phase.ENDED:
            self._conversation.close()
            self._dealer.hang_up()

    def _find_replica(self) -> None:
        self._conversation.start(_now_us())
        until_us = _now_us() + self._settings.connect_timeout_us
        while self._conversation.phase is not Phase.READY:
            if self._conversation.mismatch is not None:
                raise ServiceMismatch(self._conversation.mismatch)
            left_us = until_us - _now_us()
            if left_us <= 0:
                waited_ms = self._settings.connect_timeout_us / 1000
                text = f"expected a welcome within {waited_ms:g} ms; {self._conversation.account()}"
                raise ClusterUnavailable(text)
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
