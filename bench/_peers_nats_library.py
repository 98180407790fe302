"""What goes through the library of NATS: making the bucket, reading it back, and one row's puts."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from types import TracebackType
from typing import Any

from bench._peers_loop import SILENCE_MAX_S
from bench._peers_measure import PeerFailed, Run, compare
from bench._peers_servers import HOST
from bench._peers_work import Lane

BUCKET = "bench"
TIMEOUT_S = 5.0
READY_TIMEOUT_S = 0.5
"""Servers that have no leader yet leave questions unanswered: better to ask again soon."""
SAMPLE = 1024
"""Read one by one, each a round trip."""


def bucket(port: int, replicas: int) -> str | None:
    """The name of the server that leads the bucket's stream; None if the servers are not ready yet."""
    return asyncio.run(_bucket(port, replicas))


async def _bucket(port: int, replicas: int) -> str | None:
    from nats.errors import Error
    from nats.js.api import StorageType
    from nats.js.errors import Error as StreamError

    try:
        client = await _connect(port)
        async with client:
            stream = client.jetstream(timeout=READY_TIMEOUT_S)
            # Not direct: a direct read may be answered by a replica that is behind.
            await stream.create_key_value(bucket=BUCKET, replicas=replicas, storage=StorageType.FILE, direct=False)
            found = await stream.stream_info(f"KV_{BUCKET}")
    except (Error, StreamError, TimeoutError):
        return None
    cluster = found.cluster
    followers = cluster.replicas or [] if cluster else []
    ready = cluster is not None and len(followers) == replicas - 1 and all(one.current for one in followers)
    return cluster.leader if cluster is not None and ready else None


def sample_complaint(port: int, lane: Lane, written: int) -> str:
    """Read a sample back through another server than the stream's leader."""
    return asyncio.run(_sample_complaint(port, lane, written))


async def _sample_complaint(port: int, lane: Lane, written: int) -> str:
    from nats.errors import Error
    from nats.js.errors import Error as StreamError

    keys, expected = lane.sample(written, SAMPLE)
    try:
        async with await _connect(port) as client:
            store = await client.jetstream(timeout=TIMEOUT_S).key_value(BUCKET)
            found = [await _value(store, key) for key in keys]
    except (Error, StreamError, TimeoutError) as error:
        raise PeerFailed(f"NATS: expected to read back what was put, found {error!r}") from None
    return compare(found, expected, f"NATS at port {port}")


async def _value(store: Any, key: bytes) -> bytes | None:
    from nats.js.errors import KeyNotFoundError

    try:
        value: bytes | None = (await store.get(key.decode())).value
    except KeyNotFoundError:
        return None
    return value


class Library:
    """Puts through the library, `window` of them in flight, answers collected in order."""

    def __init__(self, port: int, lane: Lane, window: int) -> None:
        self.lane = lane
        self.written = 0
        self._port = port
        self._window = window
        keys, values = lane.writes(0)
        self._subjects = [f"$KV.{BUCKET}.{row.tobytes().decode()}" for row in keys]
        self._values = [row.tobytes() for row in values]
        self._runner = asyncio.Runner()
        self._client: Any = None

    def __enter__(self) -> Library:
        self._client = self._runner.run(_connect(self._port))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._runner:
            self._runner.run(self._client.close())

    def drive(self, seconds: float) -> Run:
        """Closed loop."""
        return self._runner.run(self._drive(seconds))

    async def _drive(self, seconds: float) -> Run:
        from nats.errors import Error
        from nats.js.errors import Error as StreamError

        latencies_us: list[float] = []
        started = time.perf_counter()
        try:
            async with asyncio.timeout(seconds + SILENCE_MAX_S):
                await self._put(started + seconds, latencies_us)
        except (Error, StreamError, TimeoutError) as error:
            raise PeerFailed(f"NATS: expected a stored put's sequence, found {error!r}") from None
        return Run(len(latencies_us), time.perf_counter() - started, latencies_us)

    async def _put(self, until: float, latencies_us: list[float]) -> None:
        stream = self._client.jetstream(timeout=TIMEOUT_S, publish_async_max_pending=self._window)
        flying: deque[tuple[float, Any]] = deque()
        while (now := time.perf_counter()) < until or flying:
            if now < until and len(flying) < self._window:
                place = self.written % len(self._subjects)
                self.written += 1
                flying.append((now, await stream.publish_async(self._subjects[place], self._values[place])))
                continue
            began, answer = flying.popleft()
            await answer
            latencies_us.append((time.perf_counter() - began) * 1e6)


async def _connect(port: int) -> Any:
    import nats

    async def told(error: Exception) -> None:
        """Without this the library prints what it raises as well."""

    options = {"connect_timeout": TIMEOUT_S, "allow_reconnect": False, "error_cb": told}
    return await nats.connect(f"nats://{HOST}:{port}", **options)
