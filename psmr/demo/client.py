"""A client that can be torn from what it waits for and start anew, as a program that is killed and started again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from psmr.client import AsyncConnection, ClientSettings, ServiceIdentity, connect


class RestartableClient:
    """A connection to a cluster, and after `restart` another one, in a session of its own. `addresses`: as they are then."""

    def __init__(
        self, addresses: Callable[[], Sequence[str]], identity: ServiceIdentity, settings: ClientSettings
    ) -> None:
        self._addresses = addresses
        self._identity = identity
        self._settings = settings
        self._connection: AsyncConnection | None = None
        self._is_open = asyncio.Event()

    async def open(self) -> None:
        """Connect; raises what `connect` raises."""
        self._connection = await connect(self._addresses(), self._identity, self._settings)
        self._is_open.set()

    async def restart(self) -> None:
        """Hang up with calls open, whose outcome stays unknown, and connect again; calls wait meanwhile."""
        self.close()
        await self.open()

    def close(self) -> None:
        """Fail what is unanswered and hang up."""
        self._is_open.clear()
        if self._connection is not None:
            self._connection.close()

    async def submit(self, records: bytes, count: int, blob: bytes = b"") -> memoryview:
        """The whole reply to a batch; raises as `AsyncConnection.submit` fails."""
        return await (await self._ready()).submit(records, count, blob)

    async def read(self, records: bytes, count: int, blob: bytes = b"") -> memoryview:
        """As `submit`, for a batch whose commands only read."""
        return await (await self._ready()).read(records, count, blob)

    async def _ready(self) -> AsyncConnection:
        await self._is_open.wait()
        assert self._connection is not None
        return self._connection
