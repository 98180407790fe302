"""What does growth cost? Keys, log, workers, groups, skew, clients: one grows, the others stand still.

*keys*: what a command costs in nanoseconds as keys go from 10⁴ to 10⁸, on one worker and on two, in a map and in an array.
*log*: the rate while 10⁵ to 10⁹ commands are executed; it must stay flat. *workers*, *groups*: 1 to 16 of them; *skew*: keys
drawn by Zipf's law. All of these without network or disk: batches are in place and routed before the clock runs, except for
*log*, which is fed as it runs. *clients*: 1 to 256 sessions with three replicas in memory.

A command's *ns* are time on the wall, its *cpu* is processor time of the workers, waiting in a loop included: that says more
where others want the cores. Every reply is compared with a NumPy model's, digests between numbers of workers and between
replicas: a figure counts only if they agree. Where memory or time does not suffice, a row says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bench import _growth_clients as clients
from bench import _growth_keys as keys
from bench import _growth_log as log
from bench import _growth_routing as routing
from bench._growth_plan import FULL, QUICK
from bench._growth_plots import plots
from bench._growth_rows import Row
from bench._machine import machine
from bench._measurement import Spread

__all__ = ["QUESTION", "passed", "plots", "run", "table"]

QUESTION = "what does growth cost?"
DIMENSIONS = (
    keys.DIMENSION,
    log.DIMENSION,
    routing.WORKERS_DIMENSION,
    routing.GROUPS_DIMENSION,
    routing.SKEW_DIMENSION,
    clients.DIMENSION,
)


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Every dimension in turn; what starts threads comes last, for workers are forked before there are any."""
    plan = QUICK if quick else FULL
    until = time.monotonic() + plan.engines_s
    rows: list[Row] = []
    for measure in (
        keys.measure,
        log.measure,
        routing.measure_workers,
        routing.measure_groups,
        routing.measure_skew,
    ):
        rows += measure(plan, until, say)
    rows += clients.measure(plan, say)
    return {"bench": "growth", "question": QUESTION, "machine": machine(), "rows": rows}


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows for people: the first is the heading."""
    rows: list[tuple[str, ...]] = [("what", "to", "of", "ns", "cpu", "commands/s, median (least … most)", "answers")]
    for row in result["rows"]:
        size = f"{row['size']:,}"
        if "stopped" in row:
            rows.append((row["dimension"], size, row["series"], "–", "–", row["stopped"], "–"))
            continue
        series = f"{row['series']}; {row['note']}" if row.get("note") else row["series"]
        rate = Spread(tuple(row["runs_per_s"])).text("")
        answers = "right" if row["answers_right"] else "WRONG"
        cpu = f"{row['cpu_ns_per_command']:,.1f}" if "cpu_ns_per_command" in row else "–"
        rows.append((row["dimension"], size, series, f"{row['ns_per_command']:,.1f}", cpu, rate, answers))
    return rows


def passed(result: dict[str, Any]) -> bool:
    """Whether every dimension was measured, and all answers were right."""
    measured = [row for row in result["rows"] if "stopped" not in row]
    return {row["dimension"] for row in measured} == set(DIMENSIONS) and all(row["answers_right"] for row in measured)
