"""What do more clients win and cost? Three replicas in memory; each client has a session and one column under way.

All clients are tasks of one process. Each adds 1 to keys of its own, so the reply to its column number n is n, in every row:
a column that was lost, repeated or mixed up with another client's shows. The replicas' digests are compared at the end.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import numpy as np

from bench._digests import digests
from bench._growth_plan import Plan
from bench._growth_rows import Row, line, measured
from bench._growth_services import GrowingMap
from bench._measurement import Spread, percentile
from psmr.client.connecting import connect
from psmr.cluster.local import LocalCluster

DIMENSION = "clients"
COLUMN = 64
_SERIES = f"3 replicas, columns of {COLUMN}"
_PERCENTILES = {"p50": 0.5, "p99": 0.99}


def measure(plan: Plan, say: Callable[[str], None]) -> list[Row]:
    """A row a number of clients: throughput of all, latency of a column."""
    # As any server in Python does: a full collection looks through every import and stops the loop for 100 ms.
    gc.freeze()
    with LocalCluster(GrowingMap, name="growth", workers=1, durability="memory") as cluster:
        say("clients: starting 3 replicas")
        cluster.wait_ready()
        rows = asyncio.run(_measure(cluster.addresses, plan, say))
        equal = len(set(digests(cluster))) == 1
    return [{**row, "answers_right": row["answers_right"] and equal} for row in rows]


class Client:
    """One session, and how many columns it has sent: what their replies must be."""

    def __init__(self, number: int, proxy: Any) -> None:
        self._keys = np.arange(number * COLUMN, (number + 1) * COLUMN)
        self._ones = np.ones(COLUMN, np.uint64)
        self._proxy = proxy
        self._sent = 0
        self._unchecked: list[tuple[int, Any]] = []
        self.latencies_us: list[float] = []

    async def send(self) -> None:
        """One column, awaited; its reply is kept for `check`."""
        self._sent += 1
        began = time.perf_counter()
        replies = await self._proxy.add.many(self._keys, self._ones)
        self.latencies_us.append((time.perf_counter() - began) * 1e6)
        self._unchecked.append((self._sent, replies))

    async def send_until(self, until: float) -> None:
        """One column after the other."""
        while time.perf_counter() < until:
            await self.send()

    def check(self) -> bool:
        """Whether every reply since the last check is right; forgets them."""
        unchecked, self._unchecked = self._unchecked, []
        return all(len(replies) == COLUMN and bool((replies.values == sent).all()) for sent, replies in unchecked)


async def _measure(addresses: list[str], plan: Plan, say: Callable[[str], None]) -> list[Row]:
    rows: list[Row] = []
    clients: list[Client] = []
    async with AsyncExitStack() as stack:
        for count in plan.clients:
            for number in range(len(clients), count):
                proxy = await stack.enter_async_context(connect(GrowingMap, addresses))
                clients.append(Client(number, proxy))
            rows.append(await _with(clients, plan))
            say(line(rows[-1]))
    return rows


async def _with(clients: list[Client], plan: Plan) -> Row:
    """All of `clients` at once: a warm-up that opens the sessions, then the runs; replies are checked between them."""
    await asyncio.gather(*(client.send() for client in clients))
    await _run(clients, plan.clients_s / 4)
    right = _check(clients)
    rates, latencies_us = [], []
    for _ in range(plan.runs):
        for client in clients:
            client.latencies_us.clear()
        seconds = await _run(clients, plan.clients_s)
        taken = [latency for client in clients for latency in client.latencies_us]
        rates.append(len(taken) * COLUMN / seconds)
        latencies_us += taken
        right &= _check(clients)
    latency = {name: round(percentile(latencies_us, share)) for name, share in _PERCENTILES.items()}
    note = ", ".join(f"{name} {value / 1000:.2f} ms" for name, value in latency.items())
    return measured(DIMENSION, len(clients), _SERIES, Spread(tuple(rates)), right, latency_us=latency, note=note)


def _check(clients: list[Client]) -> bool:
    """Whether all replies were right; every client forgets its own, also behind one that was wrong."""
    return sum(client.check() for client in clients) == len(clients)


async def _run(clients: list[Client], seconds: float) -> float:
    started = time.perf_counter()
    await asyncio.gather(*(client.send_until(started + seconds) for client in clients))
    return time.perf_counter() - started
