"""What does one command a call cost? Awaiting tasks, one caller that waits for each reply, and one that pipelines.

Each of n tasks of one event loop awaits one `put` after the other on integer keys. The blocking caller, without an event loop,
waits for each reply; the pipelining one begins calls, up to 1,000 ahead, and collects their replies in order. Calls made while
batches are under way share the next. Three replicas. Latency is from the call to its answer. The replicas' digests are
compared at the end.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from apps.kv import IntegerKV
from bench._digests import digests
from bench._machine import machine
from bench._measurement import Spread, percentile
from bench._plot import Plot
from psmr.client.blocking_client import PendingReply
from psmr.client.connecting import connect, connect_blocking
from psmr.cluster.local import LocalCluster

QUESTION = "what does one command a call cost?"
CALLERS = (1, 10, 100, 1000)
AHEAD = 1000
KEYS = 100_000


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Every number of callers, in memory and durable."""
    # As any server in Python does: a full collection looks through every import and stops the loop for 100 ms.
    gc.freeze()
    seconds, runs = (0.3, 1) if quick else (2.0, 3)
    rows: list[dict[str, Any]] = []
    for durability in ("memory",) if quick else ("memory", "disk"):
        with LocalCluster(IntegerKV, name="calls", workers=1, durability=durability) as cluster:
            say(f"{durability}: starting 3 replicas")
            cluster.wait_ready()
            found = asyncio.run(_measure(cluster.addresses, seconds, runs, say))
            found += _measure_blocking(cluster.addresses, seconds, runs, say)
            taken = digests(cluster)
        equal = len(set(taken)) == 1
        rows += [{"durability": durability, **row, "digests_equal": equal} for row in found]
    return {"bench": "calls", "question": QUESTION, "machine": machine(), "rows": rows}


async def _measure(addresses: list[str], seconds: float, runs: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    async with connect(IntegerKV, addresses) as kv:
        await _tasks(kv, 100, 0.2)
        for callers in CALLERS:
            found = [await _tasks(kv, callers, seconds) for _ in range(runs)]
            rows.append(_row("awaiting", callers, found))
            say(_line(rows[-1]))
    return rows


def _measure_blocking(
    addresses: list[str], seconds: float, runs: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with connect_blocking(IntegerKV, addresses) as kv:
        for how, caller in (("blocking", _one_by_one), ("pipelining", _pipeline)):
            caller(kv, 0.2)
            rows.append(_row(how, 1, [caller(kv, seconds) for _ in range(runs)]))
            say(_line(rows[-1]))
    return rows


async def _tasks(kv: Any, callers: int, seconds: float) -> tuple[float, list[float]]:
    """`callers` tasks, each awaiting one call after the other: (calls/s, latencies in microseconds)."""
    latencies_us: list[float] = []
    started = time.perf_counter()
    until = started + seconds

    async def call(key: int) -> None:
        while (began := time.perf_counter()) < until:
            key = (key * 31 + 7) % KEYS
            await kv.put(key, key)
            latencies_us.append((time.perf_counter() - began) * 1e6)

    await asyncio.gather(*(call(number) for number in range(callers)))
    return len(latencies_us) / (time.perf_counter() - started), latencies_us


def _one_by_one(kv: Any, seconds: float) -> tuple[float, list[float]]:
    """One caller that waits for each reply."""
    latencies_us: list[float] = []
    key = 0
    started = time.perf_counter()
    until = started + seconds
    while (began := time.perf_counter()) < until:
        key = (key * 31 + 7) % KEYS
        kv.put(key, key)
        latencies_us.append((time.perf_counter() - began) * 1e6)
    return len(latencies_us) / (time.perf_counter() - started), latencies_us


def _pipeline(kv: Any, seconds: float) -> tuple[float, list[float]]:
    """One caller, up to `AHEAD` calls ahead of the replies it collects in order."""
    flying: deque[tuple[float, PendingReply[bool]]] = deque()
    latencies_us: list[float] = []
    key = 0
    started = time.perf_counter()
    until = started + seconds
    while True:
        now = time.perf_counter()
        while len(flying) < AHEAD and now < until:
            key = (key * 31 + 7) % KEYS
            flying.append((now, kv.put.begin(key, key)))
        if not flying:
            return len(latencies_us) / (time.perf_counter() - started), latencies_us
        began, reply = flying.popleft()
        reply.result()
        latencies_us.append((time.perf_counter() - began) * 1e6)


def _row(how: str, callers: int, found: list[tuple[float, list[float]]]) -> dict[str, Any]:
    latencies = [latency for _, taken in found for latency in taken]
    spread = Spread(tuple(rate for rate, _ in found))
    return {
        "how": how,
        "callers": callers,
        "calls_per_s": round(spread.median),
        "runs_per_s": [round(rate) for rate in spread.runs],
        "latency_us": {name: round(percentile(latencies, share)) for name, share in _PERCENTILES.items()},
    }


_PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


def _line(row: dict[str, Any]) -> str:
    return f"{row['how']}, {row['callers']} callers: {row['calls_per_s']:,} calls/s, p50 {row['latency_us']['p50']} us"


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows for people: the first is the heading."""
    rows: list[tuple[str, ...]] = [("durability", "callers", "calls/s, median (least … most)", "p50", "p99", "p99.9")]
    for row in result["rows"]:
        rows.append(
            (
                row["durability"],
                f"{row['callers']} {row['how']}",
                Spread(tuple(row["runs_per_s"])).text(""),
                *(f"{value / 1000:.2f} ms" for value in row["latency_us"].values()),
            )
        )
    return rows


def plots(result: dict[str, Any]) -> list[Plot]:
    """Throughput and latency by callers that await; the one that pipelines stands in the table alone."""
    awaiting: dict[str, list[dict[str, Any]]] = {}
    for row in result["rows"]:
        if row["how"] == "awaiting":
            awaiting.setdefault(row["durability"], []).append(row)
    rates = {name: [(row["callers"], row["calls_per_s"]) for row in rows] for name, rows in awaiting.items()}
    latencies = {
        f"{name}, {share}": [(row["callers"], row["latency_us"][share] / 1000) for row in rows]
        for share in ("p50", "p99")
        for name, rows in awaiting.items()
    }
    note = "each awaits one call after the other"
    return [
        Plot("Calls by callers", "callers", "calls/s", rates, log_x=True, log_y=True, note=note),
        Plot("Latency of a call by callers", "callers", "ms", latencies, log_x=True, log_y=True, note=note),
    ]


def passed(result: dict[str, Any]) -> bool:
    """Whether all replicas did the same."""
    return all(row["digests_equal"] for row in result["rows"])
