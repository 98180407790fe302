"""Faulty links between replicas: bytes forwarded from socket to socket, held, delayed or cut off on demand.

Each replica dials relays in place of its peers (`psmr.replica.ways`); the relay of a pair (from, to) forwards what the one sends to
the other. A stream of bytes cannot lose some of them and stay readable, so what a network loses is lost with the connection,
as it is with TCP: the sender connects again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

from psmr.cluster.local import LocalCluster
from psmr.errors import ConfigurationError
from psmr.replica.ways import relay_address

_CHUNK_BYTES = 1 << 16
_ABSTRACT = "ipc://@"


@dataclass(frozen=True, slots=True)
class Condition:
    """How a link is: `is_cut` ends its connections, with what is under way on them; `is_held` keeps bytes for later."""

    is_cut: bool = False
    is_held: bool = False
    delay_s: float = 0.0


WELL = Condition()


def both(one: Condition, other: Condition) -> Condition:
    """How a link is that suffers from both its ends."""
    return Condition(one.is_cut or other.is_cut, one.is_held or other.is_held, max(one.delay_s, other.delay_s))


@dataclass(slots=True, eq=False)
class _Link:
    """One direction between two replicas. Used by the relays' own thread only."""

    source: str
    target: str
    condition: Condition = WELL
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    def become(self, condition: Condition) -> None:
        if condition == self.condition:
            return
        self.condition = condition
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()
        if condition.is_cut:
            for connection in self.connections:
                connection.cancel()

    async def listen(self) -> asyncio.Server:
        return await asyncio.start_unix_server(self._connected, path=_path(self.source))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self.condition.is_cut:
            writer.transport.abort()
            return
        self.connections.add(task)
        try:
            # Being cancelled is how a connection is cut: no error of the task.
            with suppress(OSError, asyncio.CancelledError):
                await self._forward(reader, writer)
        finally:
            self.connections.discard(task)
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(path=_path(self.target))
        ways = [
            asyncio.create_task(self._pump(reader, far_writer)),
            asyncio.create_task(self._pump(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            if self.condition.delay_s:
                await asyncio.sleep(self.condition.delay_s)
            while self.condition.is_held:
                await self.changed.wait()
            writer.write(data)
            await writer.drain()


class Relays:
    """The relays of a cluster whose replicas are RELAYED, in a thread of their own. Enter it once the cluster is entered."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._links: dict[tuple[int, int], _Link] = {}
        self._outgoing: dict[int, Condition] = {}
        self._incoming: dict[int, Condition] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="relays", daemon=True)
        self._listening = threading.Event()
        self._problem: OSError | None = None
        self._over: asyncio.Event | None = None
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Relays:
        self._new_links()
        self._thread.start()
        self._listening.wait()
        if self._problem is not None:
            self._thread.join()
            raise _no_address(self._problem)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def take_in(self) -> None:
        """Carry the links of replicas that the cluster has since `join`, too. Raises ConfigurationError."""
        found = self._new_links()
        if self._loop is not None:
            try:
                asyncio.run_coroutine_threadsafe(self._listen(found), self._loop).result()
            except OSError as error:
                raise _no_address(error) from None
        self._apply()

    def _new_links(self) -> list[_Link]:
        found = []
        members = self._cluster.config.replicas
        for sender in members:
            for receiver in members:
                if sender is not receiver and (sender.id, receiver.id) not in self._links:
                    link = _Link(relay_address(receiver.peers, sender.id), receiver.peers)
                    self._links[sender.id, receiver.id] = link
                    found.append(link)
        return found

    async def _listen(self, links: Sequence[_Link]) -> None:
        for link in links:
            self._servers.append(await link.listen())

    def set_outgoing(self, replica: int, condition: Condition) -> None:
        """Have all that a replica sends to its peers fare so."""
        self._outgoing[replica] = condition
        self._apply()

    def set_incoming(self, replica: int, condition: Condition) -> None:
        """Have all that its peers send to a replica fare so."""
        self._incoming[replica] = condition
        self._apply()

    def _apply(self) -> None:
        if self._loop is not None:
            for (sender, receiver), link in self._links.items():
                condition = both(self._outgoing.get(sender, WELL), self._incoming.get(receiver, WELL))
                self._loop.call_soon_threadsafe(link.become, condition)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        over = asyncio.Event()
        try:
            self._loop, self._over = asyncio.get_running_loop(), over
            await self._listen(list(self._links.values()))
        except OSError as error:
            self._problem = error
            over.set()
        self._listening.set()
        await over.wait()
        for server in self._servers:
            server.close()
        for link in self._links.values():
            link.become(Condition(is_cut=True))


def _no_address(error: OSError) -> ConfigurationError:
    return ConfigurationError(f"relays: expected addresses to listen at, found: {error}")


def _path(address: str) -> str:
    return "\0" + address.removeprefix(_ABSTRACT)
