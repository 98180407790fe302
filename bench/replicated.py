"""What does replication cost, end to end? Commands a second and latency through the generated client proxy.

One client sends columns of commands on integer keys, `window` columns in flight. *mixed*: half gets, half puts, all in the log;
three replicas order, store (`fdatasync` before a replica acknowledges) and execute each of them. *reads*: gets only, which
need no entry, at the leader or at a follower. Every run ends with the replicas' digests compared: a figure counts only if all
executed the same.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from apps.kv import IntegerKV
from bench._digests import digests
from bench._machine import machine
from bench._measurement import Spread, percentile
from psmr.client.connecting import connect_blocking
from psmr.cluster.local import LocalCluster

QUESTION = "what does replication cost?"


@dataclass(frozen=True, slots=True)
class Load:
    """One configuration to measure."""

    replicas: int = 3
    workers: int = 1
    durability: str = "disk"
    batch: int = 1024
    window: int = 16
    keys: int = 100_000
    warm_up_s: float = 1.0
    seconds: float = 4.0
    runs: int = 5
    commands: str = "mixed"
    at: str = "leader"


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure, durable and in memory, then reads; the durable figures stand at the top of the result."""
    load = Load(warm_up_s=0.2, seconds=0.5, runs=1) if quick else Load()
    loads = [replace(load, durability=durability) for durability in ("disk", "memory")]
    loads += [replace(load, commands="reads", at=at) for at in ("leader", "follower")]
    rows = [measure(one, say) for one in loads]
    return {"bench": "replicated", "question": QUESTION, "machine": machine(), **rows[0], "rows": rows}


def measure(load: Load, say: Callable[[str], None]) -> dict[str, Any]:
    """One configuration: `runs` runs on one cluster, their median throughput, the latencies of all."""
    throughput: list[float] = []
    latencies_us: list[float] = []
    with LocalCluster(
        IntegerKV, name="bench", replicas=load.replicas, workers=load.workers, durability=load.durability
    ) as cluster:
        what = f"{load.durability}, {load.commands} at the {load.at}"
        say(f"{what}: starting {load.replicas} replicas")
        leader = cluster.wait_ready()
        place = leader if load.at == "leader" else next(replica for replica in cluster.ids if replica != leader)
        address = cluster.addresses[cluster.ids.index(place)]
        with connect_blocking(
            IntegerKV, address, window=load.window, prefer_leader=False, reads_in_log=load.commands == "mixed"
        ) as kv:
            columns = _columns(load)
            for keys, values in columns:
                kv.put.many(keys, values)
            _drive(kv, columns, load, load.warm_up_s)
            for number in range(load.runs):
                commands_per_s, taken = _drive(kv, columns, load, load.seconds)
                say(f"{what}, run {number + 1} of {load.runs}: {commands_per_s:,.0f} commands/s")
                throughput.append(commands_per_s)
                latencies_us += taken
        taken_digests = digests(cluster)
    spread = Spread(tuple(throughput))
    return {
        "commands_per_s": round(spread.median),
        "runs_per_s": [round(run) for run in spread.runs],
        "latency_us": {"p50": round(percentile(latencies_us, 0.5)), "p99": round(percentile(latencies_us, 0.99))},
        "digests": taken_digests,
        "digests_equal": len(set(taken_digests)) == 1 and len(taken_digests) == load.replicas,
        **asdict(load),
    }


def _columns(load: Load) -> list[tuple[Any, Any]]:
    """Keys and values to send in turn, drawn before the clock runs."""
    random = np.random.default_rng(1)
    draw = [random.integers(0, load.keys, load.batch, dtype=np.uint64) for _ in range(64)]
    return [(keys, keys * np.uint64(3)) for keys in draw]


def _drive(kv: Any, columns: list[tuple[Any, Any]], load: Load, seconds: float) -> tuple[float, list[float]]:
    """Closed loop of `window` columns: (commands/s, latency of each column in microseconds)."""
    flying: deque[tuple[float, Any]] = deque()
    latencies_us: list[float] = []
    started = time.perf_counter()
    sent = 0
    while (now := time.perf_counter()) - started < seconds or flying:
        if now - started < seconds and len(flying) < load.window:
            keys, values = columns[sent % len(columns)]
            # Half of the commands read: every row of a column is the same command, so columns alternate.
            is_read = load.commands == "reads" or sent % 2
            pending = kv.get.submit(keys) if is_read else kv.put.submit(keys, values)
            flying.append((now, pending))
            sent += 1
            continue
        began, pending = flying.popleft()
        pending.result().check()
        latencies_us.append((time.perf_counter() - began) * 1e6)
    return len(latencies_us) * load.batch / (time.perf_counter() - started), latencies_us


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows for people: the first is the heading."""
    rows: list[tuple[str, ...]] = [
        ("commands", "durability", "replicas", "commands/s, median (least … most)", "p50", "p99", "digests")
    ]
    for row in result["rows"]:
        latency = row["latency_us"]
        rows.append(
            (
                f"{row['commands']}, {row['at']}",
                row["durability"],
                str(row["replicas"]),
                Spread(tuple(row["runs_per_s"])).text(""),
                f"{latency['p50'] / 1000:.2f} ms",
                f"{latency['p99'] / 1000:.2f} ms",
                "equal" if row["digests_equal"] else "DIFFER",
            )
        )
    return rows


def passed(result: dict[str, Any]) -> bool:
    """Whether the figures may be believed: all replicas did the same."""
    return all(row["digests_equal"] for row in result["rows"])
