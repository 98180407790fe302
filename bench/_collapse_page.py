"""The report as one page of HTML that needs nothing else, for whoever has not read the paper."""

from __future__ import annotations

from html import escape
from typing import Any

from psmr.advice.chart import bars
from psmr.advice.page import STYLE, html_table, section

_ABOUT = """
<p>A service replicated by state-machine replication executes the same commands in the same order on every replica. P-SMR executes
those at the same time whose order does not matter. What matters is declared at each command: on which keys it depends, and whether
it reads or writes. Commands are dealt out to workers by their keys; a command that belongs to several workers makes them meet, and
while they meet only one of them works. If that happens often, or if most of the work has one key, several workers are no faster
than one: the service has become one thread.</p>
<p>Each section has: the throughput of one thread, of P-SMR as published (a meeting for each such command), and of this engine,
which combines meetings that are near each other and leaves a batch to one worker where that has been cheaper; how much of its time
each worker waits, and at which commands and keys (measured, with all workers in every batch); and what was predicted from the
annotations and from what each command costs alone. Figures are of the quarter of many short measurements that took least time:
others who use the machine only take time away.</p>
"""


def page(result: dict[str, Any]) -> str:
    """One page; the same result gives the same page."""
    facts = " · ".join(f"{key} {value}" for key, value in result["machine"].items())
    load = " ".join(f"{value:.1f}" for value in result["load"])
    sections = "\n".join(_section(row) for row in result["rows"])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Where parallel execution becomes one thread</title>'
        f"{STYLE}</head>\n<body><h1>Where parallel execution becomes one thread</h1>\n{_ABOUT}"
        f"<p><small>{escape(facts)} · load {load}</small></p>\n{sections}</body></html>\n"
    )


def _section(row: dict[str, Any]) -> str:
    title = f"{row['app']}: {row['label']}, {row['workers']} workers"
    best = max(row[f"{name}_per_s"] for name in ("smr", "paper", "psmr"))
    predicted = row["predicted_per_s"]
    names = {"one thread": "smr", "the paper": "paper", "this engine": "psmr"}
    rates = [
        (
            name,
            float(row[f"{key}_per_s"]),
            f"{row[f'{key}_per_s']:,} /s; predicted {predicted[key]:,} ({row['difference'][key]:+.0%})",
        )
        for name, key in names.items()
    ]
    waiting = row["waiting"]
    shares = [(f"worker {worker}", *_time(waiting, worker)) for worker in range(row["workers"])]
    tables = "".join(
        f"<h3>{title}</h3>\n{html_table(_waits(waiting[key], what))}\n"
        for title, key, what in (
            ("What workers waited at: commands", "by_command", "command"),
            ("What workers waited at: keys", "by_key", "key"),
        )
        if waiting[key]
    )
    return (
        f'<h2>{escape(title)}</h2>\n<p class="verdict">{escape(row["advice"]["verdict"])}</p>\n'
        f"<h3>Commands a second</h3>\n{bars(rates, full=best)}\n<h3>Waiting, measured</h3>\n{bars(shares)}\n{tables}"
        f"<h3>Predicted for 1 to 64 workers</h3>\n{section(row['advice'])}"
    )


def _time(waiting: dict[str, Any], worker: int) -> tuple[float, str]:
    """The share of its time that a worker waits, and for what."""
    at_commands, stages = waiting["at_commands"][worker], waiting["for_early_stages"][worker]
    text = f"{at_commands:.0%} of its time at commands, {waiting['nothing_left'][worker]:.0%} with nothing left to do"
    return at_commands + stages, f"{text}, {stages:.0%} for others' early stages" if stages else text


def _waits(shares: list[dict[str, Any]], what: str) -> list[tuple[str, ...]]:
    return [
        (what, "of the waiting", "of the commands"),
        *((each["what"], f"{each['share']:.1%}", f"{each['of_commands']:.2%}") for each in shares),
    ]
