"""This engine, measured as its peers are: three replicas that talk TCP on the loopback, the client at the leader."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import count, groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from bench._digests import digests
from bench._peers_measure import COLUMNS, ONE_A_CALL, Entry, Outcome, Plan, Run, compare
from bench._peers_servers import HOST, free_ports
from bench._peers_work import GENERATIONS, Lane
from bench._records import Records
from psmr.client.connecting import connect, connect_blocking
from psmr.cluster.local import LocalCluster
from psmr.config import ClusterConfig

SYSTEM = "psmr"
COLUMN = 1024
WINDOW = 16
TASKS = 1000
_ON_DISK = {True: "yes, on a majority", False: "no"}


def _entry(like: str, durable: bool) -> Entry:
    columns = like == COLUMNS
    return Entry(
        system=SYSTEM,
        work=f"columns of {COLUMN:,}, {WINDOW} in flight" if columns else f"one a call, {TASKS:,} tasks",
        on_disk=_ON_DISK[durable],
        client="blocking, one thread" if columns else "asyncio, one loop",
        setup="3 replicas of 1 worker, TCP, durability " + ("disk" if durable else "memory"),
        like=like,
        durable=durable,
        short=f"psmr, {'durable' if durable else 'in memory'}",
        in_quick=durable,
    )


ENTRIES = tuple(_entry(like, durable) for durable in (True, False) for like in (COLUMNS, ONE_A_CALL))


class TcpCluster(LocalCluster):
    """Replicas at TCP addresses: nobody's replicas talk through sockets of the kernel's own when peers use TCP."""

    def _configure(self, folder: Path) -> ClusterConfig:
        config = super()._configure(folder)
        ports = iter(free_ports(2 * len(config.replicas)))
        moved = [
            replace(one, peers=f"tcp://{HOST}:{next(ports)}", clients=f"tcp://{HOST}:{next(ports)}")
            for one in config.replicas
        ]
        return replace(config, replicas=tuple(moved))


def measure(plan: Plan, entries: Sequence[Entry]) -> Iterator[Outcome]:
    """Those of one durability, which follow each other, on one cluster."""
    # As any server in Python does: a full collection looks through every import and stops the loop for 100 ms.
    gc.freeze()
    for durable, group in groupby(entries, key=attrgetter("durable")):
        durability = "disk" if durable else "memory"
        with TcpCluster(Records, name="peers", workers=1, durability=durability) as cluster:
            address = cluster.addresses[cluster.ids.index(cluster.wait_ready())]
            for entry in group:
                yield (_columns if entry.like == COLUMNS else _one_a_call)(plan, cluster, address)


def _columns(plan: Plan, cluster: LocalCluster, address: str) -> Outcome:
    writer = ColumnWriter(Lane(0))
    with connect_blocking(Records, address, window=WINDOW, prefer_leader=False) as client:
        return plan.measure(
            version(SYSTEM),
            lambda seconds: writer.drive(client, seconds),
            lambda: _complaint(cluster, writer.lane, writer.written),
        )


class ColumnWriter:
    """Sends a lane's writes as columns, `WINDOW` of them in flight."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.written = 0
        self._keys, self._values = lane.writes(COLUMN)
        self._period = len(lane) * GENERATIONS

    def drive(self, client: Any, seconds: float) -> Run:
        """Closed loop."""
        flying: deque[tuple[float, Any]] = deque()
        latencies_us: list[float] = []
        started = time.perf_counter()
        while (now := time.perf_counter()) - started < seconds or flying:
            if now - started < seconds and len(flying) < WINDOW:
                begin = self.written % self._period
                self.written += COLUMN
                column = slice(begin, begin + COLUMN)
                flying.append((now, client.put.submit(self._keys[column], self._values[column])))
                continue
            began, pending = flying.popleft()
            pending.result().check()
            latencies_us.append((time.perf_counter() - began) * 1e6)
        return Run(len(latencies_us) * COLUMN, time.perf_counter() - started, latencies_us)


def _one_a_call(plan: Plan, cluster: LocalCluster, address: str) -> Outcome:
    lane = Lane(1)
    keys, values = ([row.tobytes() for row in rows] for rows in lane.writes(0))
    writes = count()

    async def tasks(client: Any, seconds: float) -> Run:
        """`TASKS` of them, each awaiting one call after the other; calls take effect in the order they are made in."""
        latencies_us: list[float] = []
        started = time.perf_counter()
        until = started + seconds

        async def call() -> None:
            while (began := time.perf_counter()) < until:
                place = next(writes) % len(keys)
                await client.put(keys[place], values[place])
                latencies_us.append((time.perf_counter() - began) * 1e6)

        await asyncio.gather(*(call() for _ in range(TASKS)))
        return Run(len(latencies_us), time.perf_counter() - started, latencies_us)

    with asyncio.Runner() as runner:
        client = runner.run(_connected(address))
        try:
            return plan.measure(
                version(SYSTEM),
                lambda seconds: runner.run(tasks(client, seconds)),
                lambda: _complaint(cluster, lane, next(writes)),
            )
        finally:
            client.close()


async def _connected(address: str) -> Any:
    return await connect(Records, address, prefer_leader=False)


def _complaint(cluster: LocalCluster, lane: Lane, written: int) -> str:
    """What a follower says is there, and whether all replicas hold the same."""
    if len(set(digests(cluster))) != 1:
        return "the replicas' digests differ"
    follower = next(number for number in cluster.ids if number != cluster.leader())
    keys, expected = lane.sample(written)
    with connect_blocking(Records, cluster.addresses[cluster.ids.index(follower)], prefer_leader=False) as client:
        found = list(client.get.many(keys))
    return compare(found, expected, f"replica {follower}")
