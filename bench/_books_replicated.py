"""A real flow of orders through a cluster: one client, batches in order, a window of them unanswered."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from apps.book import Book
from bench._books_passes import Passes
from bench._measurement import Spread
from bench._sending import WINDOW, identity_of, send
from cdep import service_of
from psmr.advice.batches import Commands
from psmr.client.blocking import connect_blocking
from psmr.cluster.local import LocalCluster

PATIENCE_S = 60.0


def measure(flow: Passes, runs: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Commands/s acknowledged by three replicas, each on a majority's disks: the flow's passes in `runs` runs of equal length."""
    service = service_of(Book)
    rates: list[float] = []
    with LocalCluster("book", name="books", replicas=3, workers=1) as cluster:
        cluster.wait_ready()
        with connect_blocking(list(cluster.addresses), identity_of(service)) as connection:
            send(connection, flow.preload)
            for part in _parts(flow.passes, runs + 1):
                rates.append(send(connection, part))
                say(f"replicated: {rates[-1]:,.0f} commands/s")
        digests = {cluster.status(replica, digest=True).get("digest") for replica in _settled(cluster)}
    return {
        "commands_per_s": round(Spread(tuple(rates[1:])).median),
        "runs_per_s": [round(rate) for rate in rates[1:]],
        "replicas": 3,
        "durability": "disk",
        "batch": flow.passes[0][0].count,
        "window": WINDOW,
        "same_state": len(digests) == 1,
    }


def _parts(passes: Sequence[Sequence[Commands]], count: int) -> list[list[Commands]]:
    """The passes in as many parts; the first warms up."""
    ends = [len(passes) * number // count for number in range(count + 1)]
    return [[batch for each in passes[ends[n] : ends[n + 1]] for batch in each] for n in range(count)]


def _settled(cluster: LocalCluster) -> Sequence[int]:
    """The replicas, once all have executed the whole log."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found = {cluster.status(replica).get("delivered") for replica in cluster.ids}
        if len(found) == 1:
            break
        time.sleep(0.05)
    return cluster.ids
