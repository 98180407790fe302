"""Statuses of replicas as a table, once or again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from psmr.cli.output import bytes_text, rate_text
from psmr.cluster import ReplicaStatus

ROLE_STYLES = {"leader": "bold green", "candidate": "yellow"}


def status_table(
    statuses: Sequence[ReplicaStatus],
    *,
    digest: bool = False,
    rates: Mapping[int, float] | None = None,
    problems: Mapping[int, str] | None = None,
) -> Table:
    """One row a replica. `rates` (commands/s by replica) and `problems` (instead of the status's own) are optional."""
    table = Table()
    numbers = ["term", "leader", "log index", "executed", *(["commands/s"] if rates is not None else [])]
    table.add_column("replica", justify="right")
    table.add_column("role")
    for heading in numbers:
        table.add_column(heading, justify="right")
    for heading in ("workers' shares", "memory", *(["digest"] if digest else [])):
        table.add_column(heading)
    table.add_column("address", overflow="fold", style="dim")
    for status in statuses:
        name = "?" if status.id is None else str(status.id)
        if not status.reachable:
            problem = (problems or {}).get(status.id or 0) or f"unreachable: {status.problem}"
            gap = [""] * (len(table.columns) - 3)
            table.add_row(name, Text(problem, style="red"), *gap, status.address)
            continue
        found = (rates or {}).get(status.id or 0)
        rate = [] if rates is None else ["…" if found is None else rate_text(found)]
        table.add_row(name, *_cells(status, rate), *([_text(status.get("digest"))] if digest else []), status.address)
    return table


def shares(workers: Any) -> str:
    """Which part of the commands each worker executed: "52 % 48 %"."""
    if not isinstance(workers, list) or not sum(workers):
        return "-"
    return " ".join(f"{100 * count / sum(workers):.0f} %" for count in workers)


def _cells(status: ReplicaStatus, rate: list[str]) -> list[str | Text]:
    role = _text(status.get("role"))
    memory = status.get("memory_bytes")
    return [
        Text(role, style=ROLE_STYLES.get(role, "")),
        _text(status.get("term")),
        _text(status.get("leader")),
        _text(status.get("last_index")),
        _text(status.get("executed")),
        *rate,
        shares(status.get("workers")),
        bytes_text(memory) if isinstance(memory, int) else "-",
    ]


def _text(value: Any) -> str:
    return "-" if value is None else str(value)
