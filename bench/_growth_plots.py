"""The curves of what grows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bench._growth_rows import Row
from bench._plot import Plot

_RATE = "commands/s"
_Of = Callable[[Row], float]
_Curves = dict[str, list[tuple[float, float]]]


def plots(result: Mapping[str, Any]) -> list[Plot]:
    """One picture a dimension that has figures; latency has its own, workers and groups share one."""
    rows: list[Row] = [row for row in result["rows"] if "stopped" not in row]
    note = f"on {result['machine']['cores']} cores"
    latency = {name: _latency(rows, name) for name in ("p50", "p99")}
    drawn = [
        Plot(
            "Processor time of a command by keys",
            "keys",
            "ns a command",
            _curves(rows, ("keys",), _cost_ns),
            log_x=True,
        ),
        Plot("Rate by length of the log", "commands executed", _RATE, _log_rates(rows), log_x=True),
        Plot(
            "Workers, and groups in use", "number", _RATE, _curves(rows, ("workers", "groups")), log_x=True, note=note
        ),
        Plot("Skew of keys", "exponent of Zipf's law", _RATE, _curves(rows, ("skew",))),
        Plot("Throughput of all clients", "clients", _RATE, _curves(rows, ("clients",)), log_x=True),
        Plot("Latency of a client's column", "clients", "ms", latency, log_x=True, log_y=True),
    ]
    return [plot for plot in drawn if any(plot.curves.values())]


def _rate(row: Row) -> float:
    return float(row["commands_per_s"])


def _cost_ns(row: Row) -> float:
    return float(row["cpu_ns_per_command"])


def _curves(rows: list[Row], dimensions: tuple[str, ...], of: _Of = _rate) -> _Curves:
    """A curve a series of the dimensions."""
    curves: _Curves = {}
    for row in rows:
        if row["dimension"] in dimensions:
            curves.setdefault(row["series"], []).append((float(row["size"]), of(row)))
    return curves


def _log_rates(rows: list[Row]) -> _Curves:
    log = [row for row in rows if row["dimension"] == "log"]
    return {
        "on the wall": [(row["size"], _rate(row)) for row in log],
        # So short a run may have used less than the account of processor time can tell.
        "of processor time": [(row["size"], 1e9 / _cost_ns(row)) for row in log if _cost_ns(row)],
    }


def _latency(rows: list[Row], name: str) -> list[tuple[float, float]]:
    return [(row["size"], row["latency_us"][name] / 1000) for row in rows if "latency_us" in row]
