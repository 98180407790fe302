"""What do stages win: one worker, two in rounds, and what the engine chooses, by what a stage costs and how often credit runs out?

A window's batches are all in place before the workers begin, so what the replica's process does is not in the figures. *Time* is
the wall's, which needs as many idle cores as there are workers. *Busiest* is the processor time of the worker that worked longest:
what the time would be on idle cores, with waiting in it as far as workers spin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench._machine import machine
from bench._stages_measure import FORMS, Mix, measured

QUESTION = "what do stages win, by their cost and by how often they wait?"
_MIXES = (
    Mix("25 steps a stage, credit for all", 25, 4096, 1 << 31),
    Mix("95 steps a stage, credit for all", 95, 4096, 1 << 31),
    Mix("25 steps a stage, credit runs out", 25, 64, 3),
    Mix("25 steps a stage, no credit for most", 25, 64, 1),
)


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """One row a mix."""
    rows: list[dict[str, Any]] = []
    for mix in _MIXES[:: 2 if quick else 1]:
        rows.append(measured(mix, 1 if quick else 11, 2 if quick else 40))
        say(f"{mix.name}: two workers {_speedup(rows[-1], 'busiest_ns', 'two')} × one by their processor time")
    return {"bench": "stages", "question": QUESTION, "machine": machine(), "rows": rows}


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Nanoseconds a command; the first row is the heading."""
    heading = ["mix", *(f"time, {form}" for form in FORMS), *(f"busiest, {form}" for form in FORMS)]
    rows: list[tuple[str, ...]] = [(*heading, "one / two", "one / chosen", "rounds a batch", "waited")]
    for row in result["rows"]:
        times = [f"{row[kind][form]:,.0f}" for kind in ("wall_ns", "busiest_ns") for form in FORMS]
        won = [_speedup(row, "busiest_ns", form) for form in ("two", "chosen")]
        rows.append((row["mix"], *times, *won, f"{row['rounds_a_batch']:.1f}", f"{row['waited']:.1%}"))
    return rows


def _speedup(row: dict[str, Any], kind: str, form: str) -> str:
    """`–` where a quick run was shorter than a tick of the kernel's count."""
    return f"{row[kind]['one'] / row[kind][form]:.2f}" if row[kind][form] else "–"


def passed(result: dict[str, Any]) -> bool:
    """All forms left the same state."""
    return bool(result["rows"]) and all(row["answers_equal"] for row in result["rows"])
