"""What would handlers win that take columns of calls instead of one call, on run lengths that occur?

Neighbours that commute may be executed as one call with columns. Three forms are compared, on one worker's records, by processor
time: *scalar*, the loop that is generated today; *ahead*, the same loop that touches the memory of up to 64 rows before it
executes the first, which needs neither runs nor other handlers; *vectors*, runs of one command found (of writes: with no key
twice) and executed column by column, by the best forms that could be written by hand: nothing noted that cannot fail, memory
touched ahead where the map is large. Balances are also executed without compiled handlers, row by row and by NumPy.

Run lengths are counted in real mixes, among the rows of a batch of 1,024 that one of 1, 2 or 4 workers owns; the mixes of the
integer store are then executed in all three forms. Key streams are read from the folder that PSMR_KEY_STREAMS names.
Calls ordered against everything are left out where time is taken, so that several workers can take turns in one process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench._machine import machine
from bench._vectors_measure import FORMS, Effort, measured, measured_interpreted, measured_mix
from bench._vectors_mixes import Drawn, mixes

QUESTION = "what do handlers win that take columns of calls, on run lengths that occur?"
KEY_STREAMS = "PSMR_KEY_STREAMS"
_FULL = Effort((10_000, 1_000_000, 10_000_000), 32, 7, 64)
_INTERPRETED = Effort((10_000,), 2, 5, 0)
_QUICK = Effort((2_000,), 1, 1, 2)
_WORKERS = (1, 2, 4)


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Forms by length of runs, then run lengths in mixes and what the forms win there."""
    effort = _QUICK if quick else _FULL
    rows: list[dict[str, Any]] = []
    for kind in ("kv:integer", "balances"):
        say(f"{kind}: compiling, or loading what was")
        rows += measured(kind, effort)
    rows += measured_interpreted(_QUICK if quick else _INTERPRETED)
    for row in rows:
        say(f"{row['kind']}, {row['keys']:,} keys, runs of {row['length']}: {_forms(row['ns'])}")
    found: list[dict[str, Any]] = []
    for mix in mixes(_streams(), quick):
        drawn = Drawn(mix, effort.mix_batches)
        for workers in _WORKERS:
            row = {"mix": mix.name, "workers": workers, "lengths": drawn.lengths(workers)}
            if mix.is_timed:
                row |= measured_mix(mix, drawn, workers, effort.runs)
            found.append(row)
            say(f"{mix.name}, {workers} workers: runs of {row['lengths']['mean']:.1f}; {_forms(row.get('ns', {}))}")
    return {"bench": "vectors", "question": QUESTION, "machine": machine(), "rows": rows, "mixes": found}


def _streams() -> list[Path]:
    folder = os.environ.get(KEY_STREAMS)
    return sorted(Path(folder).glob("*.trace*")) if folder else []


def _forms(ns: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.1f} ns" for name, value in ns.items())


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Nanoseconds a command, by length of runs; the first row is the heading."""
    rows: list[tuple[str, ...]] = [("handlers", "keys", "runs of", *FORMS, "vectors / scalar")]
    for row in result["rows"]:
        rows.append((row["kind"], f"{row['keys']:,}", str(row["length"]), *_cells(row["ns"])))
    return rows


def more_tables(result: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """Run lengths of mixes, and nanoseconds a command."""
    classes = [name for name in result["mixes"][0]["lengths"] if name != "mean"]
    rows: list[tuple[str, ...]] = [("mix", "workers", "mean run", *classes, *FORMS, "vectors / scalar")]
    for row in result["mixes"]:
        shares = [f"{row['lengths'][name]:.0%}" for name in classes]
        rows.append(
            (row["mix"], str(row["workers"]), f"{row['lengths']['mean']:.1f}", *shares, *_cells(row.get("ns", {})))
        )
    return {"Runs in mixes: share of calls by length of their run, ns a command": rows}


def _cells(ns: dict[str, float]) -> list[str]:
    forms = [f"{ns[name]:,.1f}" if name in ns else "" for name in FORMS]
    return [*forms, f"{ns['vectors'] / ns['scalar']:.2f}" if ns else ""]


def passed(result: dict[str, Any]) -> bool:
    """All forms gave the same replies and left the same state."""
    return bool(result["rows"]) and all(row.get("answers_equal", True) for row in result["rows"] + result["mixes"])
