"""Do two workers ever write one cache line in parallel mode? And how many rows does a worker look at that are not its own?

Every store that a worker's machine code makes while it executes batches without a synchronous command is recorded, and counted
by the 64-byte line it goes to and by the part of the replica's memory (`psmr.execution.layout`) that the line belongs to. The
workers take turns in one process, so the counts are the same in every run; their replies are compared with one worker's, and
the lines recorded with those that changed. Lines that are fetched as a pair (128 bytes) are compared, too.

It is exact for compiled handlers, stores that change nothing included. What it does not see: interpreted handlers, whose writes
only show where they change something; reads of a line that another worker writes; and the two words that are meant for several
writers, and are written only around sleep: BELL_WANTED, put back by the one who rings for a sleeping replica, and the ALARM of a
sleeping worker. Processors can count lines that travel between cores (`perf c2c`), but seldom let a virtual machine see that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench._lines_apart import Request, counted
from bench._machine import machine

QUESTION = "do two workers ever write one cache line in parallel mode?"
SERVICES = ("work", "kv:integer", "kv", "nameserver")
_HIDDEN = ("delivery", "staging")
"""Parts that compiled workers do not write; they count all the same."""


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Each service with several numbers of workers, more than there are cores if need be."""
    rows: list[dict[str, Any]] = []
    for service in SERVICES[:2] if quick else SERVICES:
        say(f"{service}: compiling with recorded stores, or loading what was")
        request = Request(service, (2, 3), 2, 256) if quick else Request(service, (2, 4, 8, 16), 4, 1024)
        for row in counted(request):
            rows.append(row)
            say(_line(row))
    return {"bench": "lines", "question": QUESTION, "machine": machine(), "rows": rows}


def shared_lines(row: dict[str, Any]) -> int:
    """How many lines more than one worker has written."""
    return sum(row["shared"].values())


def _line(row: dict[str, Any]) -> str:
    written = sum(sum(lines) for lines in row["lines"].values())
    return (
        f"{row['service']}, {row['workers']} workers: {written:,} lines written, {shared_lines(row)} of them by several; "
        f"{_looked_at(row)} rows looked at for each that is executed"
    )


def _looked_at(row: dict[str, Any]) -> str:
    return f"{sum(row['looked_at']) / sum(row['executed']):.1f}"


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Lines written by all workers together, by part of the layout; the first row is the heading."""
    parts = [part for part in result["rows"][0]["lines"] if part not in _HIDDEN]
    rows = [("service", "workers", *parts, "by several", "pairs by several", "rows looked at / executed")]
    for row in result["rows"]:
        lines = [f"{sum(row['lines'][part]):,}" for part in parts]
        shared = (str(shared_lines(row)), str(row["shared_pairs"]))
        rows.append((row["service"], str(row["workers"]), *lines, *shared, _looked_at(row)))
    return rows


def passed(result: dict[str, Any]) -> bool:
    """Nothing is shared, nobody but the replica writes what it delivers, no change escaped the record, answers agree."""
    rows = result["rows"]
    return bool(rows) and all(
        row["answers_equal"]
        and row["unrecorded"] == shared_lines(row) == row["shared_pairs"] == sum(row["lines"]["delivery"]) == 0
        for row in rows
    )
