"""The asynchronous half of what generated clients are made of.

A call is on its way when it is made, in the order in which calls are made; awaiting it only waits for the answer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Sequence
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from psmr.client.asynchronous import connect
from psmr.client.builder import BatchBuilder
from psmr.client.coalescing import CallResult, Rebase
from psmr.client.commands import Command, ServiceProxy
from psmr.client.event_streams import follow
from psmr.client.following import Following, ServiceEvent
from psmr.client.mistaken import NotBlocking, NotYet
from psmr.client.options import addresses_of, identity_of, settings_of
from psmr.client.replies import ColumnT, Replies, ValueT
from psmr.client.settings import ClientSettings
from psmr.core.reply import parse_reply

AnswerT = TypeVar("AnswerT")
Answer = Coroutine[Any, Any, AnswerT]
"""What an asynchronous call returns: awaited, the reply."""


class BaseAsyncDriver(Protocol):
    """A connection as asynchronous clients use it; `psmr.client.asynchronous` has the real one."""

    def submit(self, records: bytes, count: int, blob: bytes) -> Awaitable[memoryview]:
        """Have a batch executed; the bytes of its reply."""

    def read(self, records: bytes, count: int, blob: bytes) -> Awaitable[memoryview]:
        """As `submit`, for commands that only read."""

    def call(self, record: bytes, blob: bytes, rebase: Rebase) -> Awaitable[CallResult]:
        """Have one command executed, in a batch with others; its reply record and the blob it points into."""

    def call_read(self, record: bytes, blob: bytes, rebase: Rebase) -> Awaitable[CallResult]:
        """As `call`, for a command that only reads."""

    def close(self) -> None:
        """Hang up."""


class BaseAsyncCommand(Command, Generic[ValueT, ColumnT]):
    """A command of an asynchronous client; its generated subclass has its signature."""

    __slots__ = ("_driver",)

    def __init__(self, driver: BaseAsyncDriver) -> None:
        self._driver = driver

    def _call(self, *arguments: object) -> Answer[ValueT]:
        call = self.proxy.one(arguments)
        driver = self._driver
        send = driver.call_read if self.proxy.reads else driver.call
        return self._value(send(call.records, call.blob, self.proxy.rebase))

    async def _value(self, answer: Awaitable[CallResult]) -> ValueT:
        value: ValueT = self.proxy.value(*await answer)
        return value

    def _many(self, *columns: object) -> Answer[Replies[ValueT, ColumnT]]:
        calls = self.proxy.many(columns)
        send = self._driver.read if self.proxy.reads else self._driver.submit
        answer = send(calls.records, calls.count, calls.blob) if calls.count else None
        return self._replies(answer, calls.count)

    async def _replies(self, answer: Awaitable[memoryview] | None, count: int) -> Replies[ValueT, ColumnT]:
        return self.proxy.no_replies() if answer is None else self.proxy.replies(parse_reply(await answer), 0, count)


class BaseAsyncBatch(BatchBuilder):
    """A batch of an asynchronous client."""

    def __init__(self, driver: BaseAsyncDriver) -> None:
        super().__init__()
        self._driver = driver

    def send(self) -> Answer[list[Replies[Any, Any]]]:
        """Have the batch executed, once; the replies of each call that was added, in that order."""
        rows = self._take()
        send = self._driver.read if self._reads else self._driver.submit
        return self._answer(send(rows.records, rows.count, rows.blob) if rows.count else None)

    async def _answer(self, answer: Awaitable[memoryview] | None) -> list[Replies[Any, Any]]:
        return self._replies(None if answer is None else parse_reply(await answer))


class BaseAsyncClient(NotBlocking):
    """A service for the tasks of one event loop; its generated subclass has the commands."""

    service: ClassVar[ServiceProxy]
    _addresses: Sequence[str] = ()
    _timeout_us = ClientSettings().timeout_us

    def __init__(self, driver: BaseAsyncDriver) -> None:
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
    ) -> Connecting[Self]:
        """A session with the cluster that any of the addresses ("host:port") belongs to: `async with`, or `await`, it.

        A call has `timeout_s` to be answered; `window` batches may be unanswered at a time. Raises `ServiceMismatch`
        when the cluster runs another service, `ClusterUnavailable` when no replica said welcome in time.
        """
        settings = settings_of(timeout_s, connect_timeout_s, window, prefer_leader, reads_in_log)
        chosen = addresses_of(addresses, more)

        async def open_client() -> Self:
            client = cls(await connect(chosen, identity_of(cls.service.service), settings))
            client._addresses, client._timeout_us = chosen, settings.timeout_us
            return client

        return Connecting(open_client)

    def events(self, from_position: int = 0, kinds: Sequence[str] | None = None) -> AsyncGenerator[ServiceEvent]:
        """As `BaseBlockingClient.events`, for `async for`."""
        following = Following(self.service.service, self._addresses, from_position, kinds, self._timeout_us)
        return follow(following)

    def close(self) -> None:
        """Fail what is unanswered and hang up."""
        self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class Closing(Protocol):
    """What can be connected."""

    def close(self) -> None:
        """Hang up."""


ClientT = TypeVar("ClientT", bound=Closing)


class Connecting(NotYet, NotBlocking, Generic[ClientT]):
    """A client that is about to connect: `async with` it, which closes it in the end, or `await` it."""

    def __init__(self, open_client: Callable[[], Coroutine[Any, Any, ClientT]]) -> None:
        self._open_client = open_client
        self._client: ClientT | None = None

    def __await__(self) -> Generator[Any, Any, ClientT]:
        return self._open_client().__await__()

    async def __aenter__(self) -> ClientT:
        self._client = await self._open_client()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()
