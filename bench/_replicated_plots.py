"""The curves of `replicated`: what varies alone, around the default; and the open loop."""

from __future__ import annotations

from typing import Any

from bench._load import Load
from bench._plot import Plot

_Row = dict[str, Any]
_Curves = dict[str, list[tuple[float, float]]]
_DURABILITIES = ("disk", "memory")
_DIMENSIONS = ("batch", "window", "replicas")
_ONE_IN = {"p50": 2, "p99": 100, "p99.9": 1_000, "p99.99": 10_000}


def plots_of(result: _Row, default: Load) -> list[Plot]:
    """Throughput and latency by batch, window and replicas; latency of the open loop by rate and by rarity."""
    rows = [row for row in result["rows"] if row["commands"] == default.commands]
    by_batch, by_window, by_replicas = (
        {one: _varied(rows, default, one, by) for one in _DURABILITIES} for by in _DIMENSIONS
    )
    around = f"half reads, in the log; {default.replicas} replicas, window {default.window}"
    return [
        Plot(
            "Throughput by batch size",
            "commands a column",
            "commands/s",
            _throughput(by_batch, "batch"),
            True,
            True,
            around,
        ),
        Plot(
            "Latency of a column by batch size",
            "commands a column",
            "ms",
            _latency(by_batch, "batch"),
            True,
            True,
            around,
        ),
        Plot(
            "Latency over throughput, window 1 to 64",
            "commands/s",
            "ms",
            _latency(by_window, "commands_per_s"),
            log_y=True,
            note=f"half reads, in the log; {default.replicas} replicas, {default.batch:,} commands a column",
        ),
        Plot(
            "Throughput by replicas",
            "replicas",
            "commands/s",
            _throughput(by_replicas, "replicas"),
            note="all on the cores of one machine",
        ),
        *_open_loop(result["open_loop"]),
    ]


def _varied(rows: list[_Row], default: Load, durability: str, dimension: str) -> list[_Row]:
    """The rows in which nothing but `dimension` differs from the default, in its order; the first of each stands."""
    others = [name for name in _DIMENSIONS if name != dimension]
    found = {
        row[dimension]: row
        for row in reversed(rows)
        if row["durability"] == durability and all(row[other] == getattr(default, other) for other in others)
    }
    return [found[place] for place in sorted(found)]


def _throughput(rows: dict[str, list[_Row]], x: str) -> _Curves:
    return {name: [(row[x], row["commands_per_s"]) for row in found] for name, found in rows.items()}


def _latency(rows: dict[str, list[_Row]], x: str) -> _Curves:
    return {
        f"{name}, {share}": [(row[x], row["latency_us"][share] / 1000) for row in found]
        for share in ("p50", "p99")
        for name, found in rows.items()
    }


def _open_loop(rows: list[_Row]) -> list[Plot]:
    quoted = rows[:2]
    by_rate = [row for row in rows if all(row[name] == rows[0][name] for name in ("durability", "ahead"))]
    by_rate.sort(key=lambda row: float(row["rate_per_s"]))
    note = f"commands of {rows[0]['command_bytes']} bytes; from the time at which each was due"
    return [
        Plot(
            "Open loop, in memory: latency by rate",
            "commands/s",
            "ms",
            {
                name: [(row["rate_per_s"], row["latency_us"][name] / 1000) for row in by_rate]
                for name in ("p50", "p99", "p99.9")
            },
            log_x=True,
            log_y=True,
            note=note,
        ),
        Plot(
            f"Open loop at {rows[0]['rate_per_s']:,}/s: one command in N takes longer",
            "N",
            "ms",
            {
                row["durability"]: [(one_in, row["latency_us"][name] / 1000) for name, one_in in _ONE_IN.items()]
                for row in quoted
            },
            log_x=True,
            log_y=True,
            note=note,
        ),
    ]
