"""What do stages win for an exchange, and are they exact? Plain and staged, one log, every reply, event and state compared.

First near exhaustion: few clients on few instruments, and credit that refuses many orders. The plain exchange on one
worker, the staged one on one, two and three, and the sequential model must agree in every reply and event, and in the states
between. Then at the size of a market: 1,000 instruments, 10,000 clients, both by zipf, with credit that hardly ever
refuses, near exhaustion, and with trades that two clients have agreed on, which make all workers meet. Batches are in place
before the clock runs; contestants take turns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from bench._exchange_equal import Equality, compare
from bench._exchange_rate import Race
from bench._machine import machine

QUESTION = "what do stages win for an exchange, and are they exact?"
COMMANDS = 2_000_000
ROUNDS, BATCHES = 9, 100
FLOWS = {
    "ample credit": {"room": "400"},
    "near exhaustion": {"room": "30"},
    "1 in 200 agreed": {"room": "400", "trades": "5000"},
}
"""Named parameters of the workload."""


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Equality, then the race of each flow."""
    say("comparing plain and staged (the first time, handlers are compiled)")
    equality = compare(20_000 if quick else COMMANDS, say)
    rows: list[dict[str, Any]] = []
    for name, parameters in list(FLOWS.items())[: 1 if quick else None]:
        say(name)
        with Race(parameters) as race:
            figures = race.run(1 if quick else ROUNDS, 4 if quick else BATCHES, say)
            waits = race.waits()
        for contestant, figure in figures.items():
            rows.append(
                {
                    "flow": name,
                    "contestant": contestant,
                    "commands_per_s": round(figure["rate"].median),
                    "runs_per_s": [round(rate) for rate in figure["rate"].runs],
                    "cpu_ns": round(figure["cpu_ns"].median),
                    "ratio": round(figure["rate"].median / figures["plain, 1 worker"]["rate"].median, 3),
                    **(waits if contestant == "staged, 2 workers" else {}),
                }
            )
    return {"bench": "exchange", "question": QUESTION, "machine": machine(), "equality": asdict(equality), "rows": rows}


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows for people: the first is the heading."""
    rows: list[tuple[str, ...]] = [("flow", "contestant", "commands /s", "× plain, 1 worker", "processor a command")]
    for row in result["rows"]:
        figures = f"{row['commands_per_s']:,}", f"{row['ratio']:.2f}", f"{row['cpu_ns']:,} ns"
        rows.append((row["flow"], row["contestant"], *figures))
    return rows


def more_tables(result: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """What was compared, and when the workers met."""
    found = Equality(**result["equality"])
    rows: list[tuple[str, ...]] = [
        ("what", "found"),
        ("commands, each way", f"{found.commands:,}"),
        ("refused for want of credit", f"{found.no_credit:,}"),
        ("reservations that waited", f"{found.waited:,} with 2 workers"),
        ("exact commands", f"{found.exact:,}"),
        ("difference", found.difference or "none"),
    ]
    met: list[tuple[str, ...]] = [("flow", "commands", "rounds", "reservations that waited")]
    for row in result["rows"]:
        if "rounds" in row:
            met.append((row["flow"], f"{row['commands']:,}", f"{row['rounds']:,}", f"{row['waited']:,}"))
    return {"every reply, event and state": rows, "where two workers met": met}


def passed(result: dict[str, Any]) -> bool:
    """Whether nothing differed, and credit was what refused."""
    equality = Equality(**result["equality"])
    return not equality.difference and equality.no_credit * 50 > equality.commands
