"""Rows of the result: one shape for everything that grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench._measurement import Spread

Row = dict[str, Any]
TIME_IS_UP = "left out: the time for engines is up"


@dataclass(frozen=True, slots=True)
class Figures:
    """Commands a second by the clock on the wall, and nanoseconds of processor time a command; a figure a run."""

    per_s: Spread
    cpu_ns: Spread


def measured(dimension: str, size: float, series: str, figures: Figures | Spread, right: bool, **more: Any) -> Row:
    """The figures, or a rate alone, and whether what they were measured on answered as the model does."""
    rates = figures.per_s if isinstance(figures, Figures) else figures
    row = {
        "dimension": dimension,
        "size": size,
        "series": series,
        "commands_per_s": round(rates.median),
        "ns_per_command": round(1e9 / rates.median, 1),
        "runs_per_s": [round(run) for run in rates.runs],
        "answers_right": right,
        **more,
    }
    if isinstance(figures, Figures):
        row["cpu_ns_per_command"] = round(figures.cpu_ns.median, 1)
        row["runs_cpu_ns"] = [round(run, 1) for run in figures.cpu_ns.runs]
    return row


def stopped(dimension: str, size: float, series: str, why: str) -> Row:
    """In place of a figure: why there is none."""
    return {"dimension": dimension, "size": size, "series": series, "stopped": why}


def line(row: Row) -> str:
    """A row as a line of progress."""
    what = f"{row['dimension']} {row['size']:,}, {row['series']}"
    if "stopped" in row:
        return f"{what}: {row['stopped']}"
    cpu = f", {row['cpu_ns_per_command']:,} of processor time" if "cpu_ns_per_command" in row else ""
    return f"{what}: {row['commands_per_s']:,} commands/s, {row['ns_per_command']:,} ns a command{cpu}"
