"""What does replication cost, end to end? Commands a second and latency through the generated client proxy.

Closed loop: one client keeps `window` columns of `batch` commands unanswered. *mixed*: half gets, half puts on integer keys,
all in the log; three replicas order, store (`fdatasync` before a replica acknowledges) and execute each of them. *reads*: gets
only, which need no entry, at the leader or at a follower. *writes*: puts of 32 bytes under keys of 16. Around the default of
1,024 commands a column, window 16, three replicas, one of these varies at a time.

Open loop: commands of 100 bytes are due at a fixed rate, and latency runs from the time at which each was due, so that
stalls count. See `bench/_open_loop.py`.

Every configuration ends with the replicas' digests compared: a figure counts only if all executed the same. Where each
nanosecond of processor goes is read from the kernel around the runs: `bench/_cpu.py`.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from bench._cpu import cpu_table
from bench._digests import digests
from bench._load import SERVICES, Load, measure
from bench._machine import machine
from bench._measurement import Spread
from bench._open_loop import PERCENTILES
from bench._plot import Plot
from bench._rate import Rate, measure_rate
from bench._records import Messages
from bench._replicated_plots import plots_of
from cdep import StateMachine
from psmr.cluster.local import LocalCluster

QUESTION = "what does replication cost?"
BATCHES = (1, 16, 64, 256, 1024, 4096)
WINDOWS = (1, 4, 16, 64)
REPLICAS = (1, 3, 5)
RATES = (10_000, 30_000, 100_000, 200_000, 400_000)
AHEAD = (1, 2, 4)

_QUICK: dict[str, Any] = {"warm_up_s": 0.1, "seconds": 0.3, "runs": 1}
_SWEEP: dict[str, Any] = {"warm_up_s": 0.2, "seconds": 0.5, "runs": 3}

_Cluster = tuple[type[StateMachine], int, int, str]
"""Service, replicas, workers, durability: configurations that have these in common are measured on one cluster."""


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure each configuration; the first, durable and mixed, stands at the top of the result as well."""
    # As any server in Python does: a full collection looks through every import and stops the client for 100 ms.
    gc.collect()
    gc.freeze()
    loads = [replace(load, **_QUICK) for load in headlines()[:-1]] if quick else [*headlines(), *sweeps()]
    rates = [Rate(**_QUICK)] if quick else open_loops()
    found = _measure_all(loads, rates, say)
    rows = [found[load] for load in loads]
    return {
        "bench": "replicated",
        "question": QUESTION,
        "machine": machine(),
        **rows[0],
        "rows": rows,
        "open_loop": [found[rate] for rate in rates],
    }


def headlines() -> list[Load]:
    """The configurations that are quoted."""
    mixed = [Load(durability=durability) for durability in ("disk", "memory")]
    reads = [Load(commands="reads", at=at) for at in ("leader", "follower")]
    return mixed + reads + [Load(commands="writes", durability=durability) for durability in ("disk", "memory")]


def sweeps() -> list[Load]:
    """One thing at a time varied around the default, which is among the headlines."""
    default = Load(**_SWEEP)
    varied = [
        *(replace(default, batch=batch) for batch in BATCHES if batch != default.batch),
        *(replace(default, window=window) for window in WINDOWS if window != default.window),
        *(replace(default, replicas=replicas) for replicas in REPLICAS if replicas != default.replicas),
    ]
    return [replace(load, durability=durability) for durability in ("disk", "memory") for load in varied]


def open_loops() -> list[Rate]:
    """The rate that is quoted, in memory and durable; then other rates, and other numbers of columns ahead."""
    default = Rate()
    brief = Rate(warm_up_s=0.3, seconds=1.0, runs=2)
    return [
        default,
        replace(default, durability="disk"),
        *(replace(brief, rate_per_s=rate) for rate in RATES if rate != default.rate_per_s),
        *(replace(brief, ahead=ahead) for ahead in AHEAD if ahead != default.ahead),
    ]


def _measure_all(
    loads: Iterable[Load], rates: Iterable[Rate], say: Callable[[str], None]
) -> dict[Load | Rate, dict[str, Any]]:
    """A row for each, with one cluster started for all that can be measured on it."""
    groups: dict[_Cluster, list[Load | Rate]] = {}
    wanted: list[Load | Rate] = [*loads, *rates]
    for one in wanted:
        service = SERVICES[one.commands] if isinstance(one, Load) else Messages
        groups.setdefault((service, one.replicas, one.workers, one.durability), []).append(one)
    found: dict[Load | Rate, dict[str, Any]] = {}
    for cluster, members in groups.items():
        found |= _measure_on(cluster, members, say)
    return found


def _measure_on(
    wanted: _Cluster, members: list[Load | Rate], say: Callable[[str], None]
) -> dict[Load | Rate, dict[str, Any]]:
    service, replicas, workers, durability = wanted
    found: dict[Load | Rate, dict[str, Any]] = {}
    with LocalCluster(service, name="bench", replicas=replicas, workers=workers, durability=durability) as cluster:
        say(f"{durability}, {service.__name__}: starting {replicas} replicas")
        leader = cluster.wait_ready()
        for one in members:
            if isinstance(one, Load):
                found[one] = measure(one, cluster, leader, say)
            else:
                found[one] = measure_rate(one, cluster, leader, say)
        taken = digests(cluster)
    equal = len(set(taken)) == 1 and len(taken) == replicas
    return {one: {**row, "digests": taken, "digests_equal": equal} for one, row in found.items()}


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows for people: the first is the heading."""
    rows: list[tuple[str, ...]] = [
        (
            "commands",
            "durability",
            "replicas",
            "batch",
            "window",
            "commands/s, median (least … most)",
            "p50",
            "p99",
            "digests",
        )
    ]
    for row in result["rows"]:
        rows.append(
            (
                f"{row['commands']}, {row['at']}",
                row["durability"],
                str(row["replicas"]),
                f"{row['batch']:,}",
                str(row["window"]),
                Spread(tuple(row["runs_per_s"])).text(""),
                *(_milliseconds(row["latency_us"][name]) for name in ("p50", "p99")),
                _verdict(row),
            )
        )
    return rows


def more_tables(result: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """The open loop, and where the processor's time goes, each by its title."""
    heading = ("commands/s", "durability", "ahead", "commands a column", *PERCENTILES, "p50 of it gathering", "digests")
    rows: list[tuple[str, ...]] = [heading]
    for row in result["open_loop"]:
        rows.append(
            (
                f"{row['rate_per_s']:,}",
                row["durability"],
                str(row["ahead"]),
                f"{row['commands_per_column']:.0f}",
                *(_milliseconds(row["latency_us"][name]) for name in PERCENTILES),
                _milliseconds(row["gathering_us"]["p50"]),
                _verdict(row),
            )
        )
    return {
        "open loop, commands of 100 bytes: latency from the time each was due": rows,
        "where the processor's time goes: ns a command": cpu_table(_quoted(result)),
    }


def _quoted(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The rows that are quoted, by a name for each."""
    default = Load()
    rows = {
        f"{row['commands']}\n{row['at'] if row['commands'] == 'reads' else row['durability']}": row
        for row in reversed(result["rows"])
        if (row["batch"], row["window"], row["replicas"]) == (default.batch, default.window, default.replicas)
    }
    rate = {f"open loop\n{row['durability']}": row for row in reversed(result["open_loop"][:2])}
    return dict(reversed([*rate.items(), *rows.items()]))


def plots(result: dict[str, Any]) -> list[Plot]:
    """Throughput and latency by what varies; latency of the open loop."""
    return plots_of(result, Load())


def _milliseconds(time_us: float) -> str:
    return f"{time_us / 1000:.2f} ms"


def _verdict(row: dict[str, Any]) -> str:
    return "equal" if row["digests_equal"] else "DIFFER"


def passed(result: dict[str, Any]) -> bool:
    """Whether the figures may be believed: all replicas did the same."""
    return all(row["digests_equal"] for row in (*result["rows"], *result["open_loop"]))
