"""What a type checker knows of clients that are generated when a program runs: commands of any name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Any, Protocol, Self

from proxies.columns import Column
from psmr.client.async_client import Answer
from psmr.client.blocking_client import PendingBatch, PendingReplies, PendingReply
from psmr.client.following import ServiceEvent
from psmr.client.replies import Replies

Argument = int | float | bytes
AnyReplies = Replies[Any, Any]


class AnyAsyncCommand(Protocol):
    """A command whose signature is not known to the type checker."""

    def __call__(self, *arguments: Argument) -> Answer[Any]:
        """One call."""

    def many(self, *columns: Column | int) -> Answer[AnyReplies]:
        """A column of calls."""

    def groups(self, *arguments: Argument) -> int:
        """C-G of one call."""


class AnyAsyncBatch(Protocol):
    """A batch of calls of commands by name."""

    def __getattr__(self, command: str) -> Callable[..., None]:
        """Adds calls of one command."""

    def send(self) -> Answer[list[AnyReplies]]:
        """Have it executed."""


class AnyAsyncClient(Protocol):
    """An asynchronous client with commands by name."""

    def __getattr__(self, command: str) -> AnyAsyncCommand:
        """One command."""

    def batch(self) -> AnyAsyncBatch:
        """A batch to add calls to."""

    def events(self, from_position: int = 0, kinds: Sequence[str] | None = None) -> AsyncGenerator[ServiceEvent]:
        """Its events from a position on, for ever."""

    def close(self) -> None:
        """Hang up."""


class AnyBlockingCommand(Protocol):
    """A command whose signature is not known to the type checker."""

    def __call__(self, *arguments: Argument) -> Any:
        """One call."""

    def begin(self, *arguments: Argument) -> PendingReply[Any]:
        """One call, without waiting."""

    def many(self, *columns: Column | int) -> AnyReplies:
        """A column of calls."""

    def submit(self, *columns: Column | int) -> PendingReplies[Any, Any]:
        """A column of calls, without waiting."""

    def groups(self, *arguments: Argument) -> int:
        """C-G of one call."""


class AnyBlockingBatch(Protocol):
    """A batch of calls of commands by name."""

    def __getattr__(self, command: str) -> Callable[..., None]:
        """Adds calls of one command."""

    def send(self) -> list[AnyReplies]:
        """Have it executed."""

    def submit(self) -> PendingBatch:
        """Have it executed, without waiting."""


class AnyBlockingClient(Protocol):
    """A blocking client with commands by name."""

    def __getattr__(self, command: str) -> AnyBlockingCommand:
        """One command."""

    def batch(self) -> AnyBlockingBatch:
        """A batch to add calls to."""

    def events(self, from_position: int = 0, kinds: Sequence[str] | None = None) -> Iterator[ServiceEvent]:
        """Its events from a position on, for ever."""

    def close(self) -> None:
        """Hang up."""

    def __enter__(self) -> Self:
        """The client itself."""

    def __exit__(self, *_: object) -> None:
        """Hang up."""
