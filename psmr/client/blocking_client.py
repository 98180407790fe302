"""The blocking half of what generated clients are made of.

A batch is on its way when it is submitted, in the order of submission; asking for its result only waits for the answer.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Generic, Protocol, Self

from msgspec import Struct

from psmr.client.blocking import connect_blocking
from psmr.client.builder import BatchBuilder
from psmr.client.coalescing import Rebase
from psmr.client.commands import Command, CommandProxy, ServiceProxy
from psmr.client.event_streams import follow_blocking
from psmr.client.following import Following, ServiceEvent
from psmr.client.gathering import CallsTicket, Gathering
from psmr.client.mistaken import NotAsynchronous
from psmr.client.options import addresses_of, identity_of, settings_of
from psmr.client.replies import ColumnT, Replies, ValueT
from psmr.client.settings import ClientSettings
from psmr.core.reply import parse_reply


class Result(Protocol):
    """A batch that was submitted."""

    def result(self) -> memoryview:
        """The bytes of its reply."""


class CallInProgress(Protocol):
    """A single call that was made: a row of a batch."""

    @property
    def ticket(self) -> CallsTicket:
        """That of the batch."""

    @property
    def row(self) -> int:
        """Which of its rows."""


class BaseBlockingDriver(Protocol):
    """A connection as blocking clients use it; `psmr.client.blocking` has the real one."""

    def submit(self, records: bytes, count: int, blob: bytes) -> Result:
        """Have a batch executed."""

    def read(self, records: bytes, count: int, blob: bytes) -> Result:
        """As `submit`, for commands that only read."""

    def call(self, record: bytes, blob: bytes, rebase: Rebase) -> CallInProgress:
        """Have one command executed, in a batch with others."""

    def call_read(self, record: bytes, blob: bytes, rebase: Rebase) -> CallInProgress:
        """As `call`, for a command that only reads."""

    def gathering(self, *, is_read: bool) -> Gathering:
        """Where `call`, or `call_read`, gathers."""

    def close(self) -> None:
        """Hang up."""


class PendingReply(Struct, Generic[ValueT], eq=False, gc=False):
    """A single call under way. There may be many thousands: to make one, and to ask it, is to cost next to nothing."""

    _proxy: CommandProxy
    _ticket: CallsTicket
    _row: int

    @property
    def done(self) -> bool:
        """Whether `result` returns or raises without waiting."""
        return self._ticket.done

    def result(self) -> ValueT:
        """The reply, once it is there; raises CommandRaised if the handler did."""
        try:
            value: ValueT = self._ticket.columns[self._proxy][self._row]
        except KeyError:
            value = self._ticket.value(self._proxy, self._row)
        return value


class PendingReplies(Generic[ValueT, ColumnT]):
    """A column of calls under way."""

    __slots__ = ("_count", "_pending", "_proxy")

    def __init__(self, proxy: CommandProxy, pending: Result | None, count: int) -> None:
        self._proxy = proxy
        self._pending = pending
        self._count = count

    def result(self) -> Replies[ValueT, ColumnT]:
        """The replies, once they are there."""
        if self._pending is None:
            return self._proxy.no_replies()
        return self._proxy.replies(parse_reply(self._pending.result()), 0, self._count)


class BaseBlockingCommand(Command, Generic[ValueT, ColumnT]):
    """A command of a blocking client; its generated subclass has its signature."""

    __slots__ = ("_begin", "_driver")
    _begin: Callable[..., PendingReply[ValueT]]

    def __init__(self, driver: BaseBlockingDriver) -> None:
        self._driver = driver
        self._begin = _beginning(self.proxy, driver)

    def _call(self, *arguments: object) -> ValueT:
        call = self.proxy.one(arguments)
        send = self._driver.read if self.proxy.reads else self._driver.submit
        reply = parse_reply(send(call.records, 1, call.blob).result())
        value: ValueT = self.proxy.value(reply.records, reply.blob)
        return value

    def _submit(self, *columns: object) -> PendingReplies[ValueT, ColumnT]:
        calls = self.proxy.many(columns)
        send = self._driver.read if self.proxy.reads else self._driver.submit
        pending = send(calls.records, calls.count, calls.blob) if calls.count else None
        return PendingReplies(self.proxy, pending, calls.count)


def _beginning(proxy: CommandProxy, driver: BaseBlockingDriver) -> Callable[..., PendingReply[Any]]:
    """What begins a call of one command: for numbers alone, in as few steps as there can be."""
    pack = proxy.pack
    send = driver.call_read if proxy.reads else driver.call
    gathering = driver.gathering(is_read=proxy.reads)

    def begin_any(*arguments: object) -> PendingReply[Any]:
        encoded = proxy.one(arguments)
        call = send(encoded.records, encoded.blob, proxy.rebase)
        return PendingReply(proxy, call.ticket, call.row)

    if pack is None:
        return begin_any

    def begin(*arguments: object) -> PendingReply[Any]:
        try:
            record = pack(*arguments)
        except (struct.error, OverflowError):
            return begin_any(*arguments)  # which says what does not fit
        records = gathering.records
        pending: PendingReply[Any] = PendingReply(proxy, gathering.ticket, len(records))
        records.append(record)
        if len(records) >= gathering.look_at:
            gathering.look()
        return pending

    return begin


class PendingBatch:
    """A batch under way."""

    def __init__(self, batch: BatchBuilder, pending: Result | None) -> None:
        self._batch = batch
        self._pending = pending

    def result(self) -> list[Replies[Any, Any]]:
        """The replies of each call that was added, in that order, once they are there."""
        return self._batch._replies(None if self._pending is None else parse_reply(self._pending.result()))


class BaseBlockingBatch(BatchBuilder):
    """A batch of a blocking client."""

    def __init__(self, driver: BaseBlockingDriver) -> None:
        super().__init__()
        self._driver = driver

    def submit(self) -> PendingBatch:
        """Have the batch executed, once, without waiting for it."""
        rows = self._take()
        send = self._driver.read if self._reads else self._driver.submit
        return PendingBatch(self, send(rows.records, rows.count, rows.blob) if rows.count else None)

    def send(self) -> list[Replies[Any, Any]]:
        """Have the batch executed, once; the replies of each call that was added, in that order."""
        return self.submit().result()


class BaseBlockingClient(NotAsynchronous):
    """A service for one thread; its generated subclass has the commands."""

    service: ClassVar[ServiceProxy]
    _addresses: Sequence[str] = ()
    _timeout_us = ClientSettings().timeout_us

    def __init__(self, driver: BaseBlockingDriver) -> None:
        self._driver = driver

    @classmethod
    def connect(
        cls,
        addresses: str | Sequence[str],
        *more: str,
        timeout_s: float = 10.0,
        connect_timeout_s: float = 5.0,
        window: int = 16,
        prefer_leader: bool = True,
        reads_in_log: bool = False,
    ) -> Self:
        """As `BaseAsyncClient.connect`, but connected when it returns; `with` closes it in the end."""
        settings = settings_of(timeout_s, connect_timeout_s, window, prefer_leader, reads_in_log)
        chosen = addresses_of(addresses, more)
        client = cls(connect_blocking(chosen, identity_of(cls.service.service), settings))
        client._addresses, client._timeout_us = chosen, settings.timeout_us
        return client

    def events(self, from_position: int = 0, kinds: Sequence[str] | None = None) -> Iterator[ServiceEvent]:
        """The service's events from a position on, for ever: each once and in order, whatever becomes of single replicas.

        `kinds`: the names of those wanted, all by default. To go on later, ask from the last one's `position` + 1. Raises
        InvalidCall for a kind that there is not, EventsGone when nobody keeps that position any more, ClusterUnavailable when
        no replica answers within the connection's `timeout_s`, ServiceMismatch, Refused.
        """
        following = Following(self.service.service, self._addresses, from_position, kinds, self._timeout_us)
        return follow_blocking(following)

    def close(self) -> None:
        """Fail what is unanswered and hang up."""
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
