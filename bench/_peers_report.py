"""What is made of the rows: ratios, tables, plots."""

from __future__ import annotations

from typing import Any

from bench._measurement import Spread
from bench._peers_measure import COLUMNS, MEASURED, ONE_A_CALL
from bench._plot import Plot

_AGAINST = (
    ("durable columns against Redis, AOF always, WAIT 1", "Redis, AOF always", (COLUMNS, True), 6.0),
    (
        "the same against Redis, AOF always on the primary only",
        "Redis, AOF always on the primary only",
        (COLUMNS, True),
        6.0,
    ),
    ("durable columns against etcd's transactions of 64 puts", "etcd, transactions", (COLUMNS, True), 25.0),
    ("columns in memory against PySyncObj, tuned", "PySyncObj, tuned", (COLUMNS, False), 15.0),
)
"""In words, the `short` of the peer's entry, which of this engine's rows, and the factor to reach."""


def compared(rows: list[dict[str, Any]], system: str) -> list[dict[str, Any]]:
    """The rows, each of a peer with the `ratio` of this engine's row that does the like."""
    own = _own(rows, system)
    result = []
    for row in rows:
        ours = own.get((row["like"], row["durable"]))
        if row["system"] == system or row["state"] != MEASURED or ours is None:
            result.append({**row, "ratio": None})
        else:
            result.append({**row, "ratio": round(ours / row["commands_per_s"], 2)})
    return result


def targets(rows: list[dict[str, Any]], system: str) -> list[dict[str, Any]]:
    """Each factor to reach, and the one that was found; None without the peer."""
    own = _own(rows, system)
    theirs = {row["short"]: row["commands_per_s"] for row in rows if row["state"] == MEASURED}
    found = []
    for words, peer, like, factor in _AGAINST:
        both = like in own and peer in theirs
        found.append(
            {"against": words, "factor": factor, "found": round(own[like] / theirs[peer], 2) if both else None}
        )
    return found


def _own(rows: list[dict[str, Any]], system: str) -> dict[tuple[str, bool], int]:
    return {
        (row["like"], row["durable"]): row["commands_per_s"]
        for row in rows
        if row["system"] == system and row["state"] == MEASURED
    }


def peers_table(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The figures."""
    heading = ("system", "work", "on disk before the answer?", "commands/s, median (least … most)", "p50", "p99")
    lines: list[tuple[str, ...]] = [(*heading, "psmr does × as many", "answers")]
    for row in rows:
        what = (row["system"], row["work"], row["on_disk"])
        if row["state"] != MEASURED:
            lines.append((*what, f"{row['state']}: {row['reason']}", "", "", "", ""))
            continue
        like = f"{row['like']}, {'durable' if row['durable'] else 'in memory'}"
        lines.append(
            (
                f"{row['system']} {row['version']}",
                *what[1:],
                Spread(tuple(row["runs_per_s"])).text(""),
                *(f"{value / 1000:.2f} ms" for value in row["latency_us"].values()),
                "" if row["ratio"] is None else f"{row['ratio']:.2f} × ({like})",
                row["complaint"] or "agree",
            )
        )
    return lines


def setups(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """How each system was set up, and what its client was."""
    lines: list[tuple[str, ...]] = [("system", "work", "set up", "client")]
    return lines + [(row["system"], row["work"], row["setup"], row["client"]) for row in rows]


def peers_plots(rows: list[dict[str, Any]]) -> list[Plot]:
    """A point for each row: how many commands a second, at which latency."""
    titles = {COLUMNS: "Writes in batches", ONE_A_CALL: "Writes one by one"}
    return [
        Plot(
            title=title,
            x_label="latency p50, ms",
            y_label="commands/s",
            curves={
                row["short"]: [(_rounded(row["latency_us"]["p50"] / 1000), row["commands_per_s"])]
                for row in rows
                if row["like"] == like and row["state"] == MEASURED
            },
            log_x=True,
            log_y=True,
            note="16-byte keys, 32-byte values, three replicas: up and left is better",
        )
        for like, title in titles.items()
    ]


def _rounded(value: float) -> float:
    """Two digits, for the places of a plot's ticks."""
    return float(f"{value:.2g}")
