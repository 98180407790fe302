"""The client's driver for asyncio: a `Conversation` over one `Dealer`, woken by the event loop.

The dealer's descriptor is readable while anything is unread. It does not tell of messages that were read with others and wait
because tasks have their turn first: those are taken in the next turn of the loop.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from typing import Final

from psmr.client.coalescing import OVERHEAD_BYTES, CallResult, Coalescer, Rebase
from psmr.client.conversation import Conversation, Phase
from psmr.client.dealer import Dealer
from psmr.client.failures import Failure
from psmr.client.settings import ClientSettings, ServiceIdentity
from psmr.core.reply import Reply
from psmr.core.submission_events import Parts
from psmr.errors import ClusterUnavailable, InvalidCall, ServiceMismatch

_MESSAGES_A_TURN: Final = 256
"""Messages taken before other tasks get their turn."""


class _FutureTicket:
    """The ticket of a batch that the caller packed itself."""

    __slots__ = ("_future",)

    def __init__(self, future: asyncio.Future[memoryview]) -> None:
        self._future = future

    def resolve(self, reply: Reply) -> None:
        if not self._future.done():
            self._future.set_result(reply.raw)

    def fail(self, failure: Failure) -> None:
        if not self._future.done():
            self._future.set_exception(failure.error())


class AsyncConnection:
    """A session with a cluster, for the tasks of one event loop. Made by `connect`."""

    def __init__(self, addresses: Sequence[str], service: ServiceIdentity, settings: ClientSettings) -> None:
        self._service = service
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._dealer = Dealer()
        self._is_watching = False
        self._conversation = Conversation(self, service, addresses, settings, lambda: secrets.randbits(64))
        self._coalescer = Coalescer(settings.queue_calls, service.rows_max)
        self._reads = Coalescer(settings.queue_calls, service.rows_max)
        self._flush_scheduled = False
        self._drain_scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_us = 0
        self._waiters: list[asyncio.Future[None]] = []  # woken by every change that may be what they wait for

    @property
    def fingerprint(self) -> int:
        """Of the specification of the service called."""
        return self._service.fingerprint

    async def __aenter__(self) -> AsyncConnection:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def submit(
        self, records: bytes | bytearray | memoryview, count: int, blob: bytes = b"", timeout_us: int | None = None
    ) -> asyncio.Future[memoryview]:
        """Have a batch of `count` records executed, once, after what was submitted before.

        The future gets the bytes of the reply. It fails with `Refused` when too much is queued (see `room`),
        `ClusterUnavailable`, `OutcomeUnknown`. Raises `InvalidCall` for what fits no batch.
        """
        return self._submit(Parts(bytes(records), count, blob), timeout_us, is_read=False)

    def read(
        self, records: bytes | bytearray | memoryview, count: int, blob: bytes = b"", timeout_us: int | None = None
    ) -> asyncio.Future[memoryview]:
        """As `submit`, for commands that only read: after what was submitted before, maybe after what comes later.

        The future never fails with `OutcomeUnknown`: a read changes nothing.
        """
        return self._submit(Parts(bytes(records), count, blob), timeout_us, is_read=True)

    def _submit(self, parts: Parts, timeout_us: int | None, *, is_read: bool) -> asyncio.Future[memoryview]:
        future: asyncio.Future[memoryview] = self._loop.create_future()
        now_us = _now_us()
        deadline_us = now_us + (self._settings.timeout_us if timeout_us is None else timeout_us)
        try:
            self._flush_calls(now_us, hold=False)  # single calls made earlier keep their place
            self._conversation.submit(_FutureTicket(future), parts, deadline_us, now_us, is_read=is_read)
        finally:
            self._after()  # calls may have been sent before the batch turned out to be invalid
        return future

    async def room(self) -> None:
        """Wait until a batch submitted would be taken rather than refused."""
        while not self._conversation.has_room and self._conversation.phase is not Phase.ENDED:
            await self._change()

    def call(self, record: bytes, blob: bytes = b"", rebase: Rebase | None = None) -> asyncio.Future[CallResult]:
        """Have one command executed, once, after what was called before by this task.

        Calls made in one turn of the loop, or while the window is full, share a batch: `rebase` moves a record's blob
        offsets to where its blob comes to lie. The future gets the reply record and the blob it points into, or fails
        as that of `submit`.
        """
        return self._call(self._coalescer, record, blob, rebase)

    def call_read(self, record: bytes, blob: bytes = b"", rebase: Rebase | None = None) -> asyncio.Future[CallResult]:
        """As `call`, for a command that only reads: after what was called before, maybe after what comes later."""
        return self._call(self._coalescer if self._settings.reads_in_log else self._reads, record, blob, rebase)

    def _call(
        self, coalescer: Coalescer, record: bytes, blob: bytes, rebase: Rebase | None
    ) -> asyncio.Future[CallResult]:
        if len(record) != self._service.stride:
            raise InvalidCall(f"expected a record of {self._service.stride} bytes, found {len(record)}")
        if len(record) + len(blob) > self._conversation.batch_bytes_max - OVERHEAD_BYTES:
            raise InvalidCall(f"expected a call that fits a batch, found a blob of {len(blob)} bytes")
        future: asyncio.Future[CallResult] = self._loop.create_future()
        coalescer.add(record, blob, rebase, future, _now_us() + self._settings.timeout_us)
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)
        return future

    def close(self) -> None:
        """Fail what is unanswered and hang up. Closing twice is closing once."""
        if self._conversation.phase is Phase.ENDED:
            return
        self._conversation.close()
        for coalescer in (self._coalescer, self._reads):
            coalescer.fail_all("the connection was closed before the call was sent")
        if self._is_watching:
            self._is_watching = False
            self._loop.remove_reader(self._dealer.file_descriptor)
        self._dealer.hang_up()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()

    # --- what the conversation asks for -------------------------------------------------------------------------------

    def dial(self, address: str) -> None:
        """Part of `Wire`: for the conversation only."""
        self._dealer.dial(address)
        if not self._is_watching:
            self._is_watching = True
            self._loop.add_reader(self._dealer.file_descriptor, self._readable)

    def transmit(self, frames: list[bytes]) -> None:
        """Part of `Wire`: for the conversation only."""
        self._dealer.transmit(frames)

    # --- what the event loop calls ------------------------------------------------------------------------------------

    async def _find_replica(self) -> None:
        self._conversation.start(_now_us())
        self._after()
        try:
            async with asyncio.timeout(self._settings.connect_timeout_us / 1e6):
                while self._conversation.phase is not Phase.READY:
                    if self._conversation.mismatch is not None:
                        raise ServiceMismatch(self._conversation.mismatch)
                    await self._change()
        except TimeoutError:
            raise ClusterUnavailable(self._conversation.unreachable(self._settings.connect_timeout_us)) from None

    def _readable(self) -> None:
        """Take messages until there are none, or others should have their turn."""
        self._drain_scheduled = False
        now_us = _now_us()
        for _ in range(_MESSAGES_A_TURN):
            frames = self._dealer.receive()
            if frames is None:
                break
            self._conversation.receive(frames, now_us)
        self._flush_calls(now_us, hold=True)
        self._after()

    def _flush(self) -> None:
        self._flush_scheduled = False
        self._flush_calls(_now_us(), hold=True)
        self._after()

    def _fire(self) -> None:
        """Time has passed. What arrived meanwhile comes first: a reply that waits here is no missing reply."""
        self._timer = None
        self._readable()
        if self._drain_scheduled:
            return  # more has arrived: it is taken first, and the timer is armed again
        now_us = _now_us()
        self._conversation.pass_time(now_us)
        for coalescer in (self._coalescer, self._reads):
            coalescer.expire(now_us, f"no replica took it before its deadline; {self._conversation.account()}")
        self._flush_calls(now_us, hold=True)
        self._after()

    def _flush_calls(self, now_us: int, hold: bool) -> None:
        """Submit the calls that wait; with `hold`, only while the window has room for them."""
        while self._coalescer and (self._conversation.calls_have_room or not hold):
            ticket, parts, deadline_us = self._coalescer.take(self._conversation.batch_bytes_max)
            self._conversation.submit(ticket, parts, deadline_us, now_us)
        # Reads come after the calls made before them, so none goes while such a call is held.
        while self._reads and not self._coalescer and (self._conversation.read_calls_have_room or not hold):
            ticket, parts, deadline_us = self._reads.take(self._conversation.batch_bytes_max)
            self._conversation.submit(ticket, parts, deadline_us, now_us, is_read=True)

    def _after(self) -> None:
        """After every use of the dealer or the conversation: see to what is read already, the timer and those who wait."""
        if not self._drain_scheduled and self._dealer.has_received:
            self._drain_scheduled = True
            self._loop.call_soon(self._readable)
        at_us = _earliest(self._coalescer.deadline_us, self._reads.deadline_us)
        at_us = _earliest(self._conversation.next_timer_us, at_us)
        at_us = _earliest(self._dealer.due_us, at_us)
        if at_us is not None and (self._timer is None or at_us < self._timer_at_us):
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at_us = at_us
            self._timer = self._loop.call_later(max(0, at_us - _now_us()) / 1e6, self._fire)
        if self._waiters:
            self._wake()

    def _change(self) -> asyncio.Future[None]:
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        return waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


async def connect(
    addresses: Sequence[str], service: ServiceIdentity, settings: ClientSettings | None = None
) -> AsyncConnection:
    """A connection to the cluster that any of `addresses` belongs to.

    Raises `ServiceMismatch` when the cluster runs another service, `ClusterUnavailable` when no replica said welcome.
    """
    connection = AsyncConnection(addresses, service, settings or ClientSettings())
    try:
        await connection._find_replica()
    except BaseException:
        connection.close()
        raise
    return connection


def _earliest(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _now_us() -> int:
    return time.monotonic_ns() // 1000
