"""How long does the check of a history take, of one that is linearizable and of one whose late read is wrong?

Clients that never pause, drawn by seed (`bench/_checking_histories.py`). Fewer keys mean more operations at once on each, which is
what makes a history hard. Time is taken of `psmr.checking.check` alone: the history is read, and the search compiled, before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any, NamedTuple

from bench._checking_histories import key_value, register, with_a_late_wrong_read
from bench._machine import machine
from psmr.checking import Operation, check
from psmr.checking.recorded_check import model_named

QUESTION = "how long does the check of a history take, right or with a late wrong read?"
RUNS, QUICK_RUNS = 5, 1
LIMIT_S = 60.0


class _Case(NamedTuple):
    name: str
    model: str
    partition: bool
    draw: Callable[[int], list[list[Operation]]]
    """The histories of a run, by its seed; checked one after another."""


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Each kind of history, right and wrong; a run has histories of its own."""
    rows: list[dict[str, Any]] = []
    for case in _cases(quick):
        for is_right in (True, False):
            rows.append(_measured(case, is_right, QUICK_RUNS if quick else RUNS))
            say(_line(rows[-1]))
    return {"bench": "checking", "question": QUESTION, "machine": machine(), "rows": rows}


def _cases(quick: bool) -> list[_Case]:
    many, few, registers = (400, 100, 5) if quick else (4000, 400, 100)
    by_key = [
        _Case(
            f"key-value, 50 clients, {keys} keys",
            "kv",
            True,
            _one(partial(key_value, operations=many, clients=50, keys=keys)),
        )
        for keys in (40, 10, 3)
    ]
    whole = [
        _Case(
            f"key-value, 10 clients, {keys} keys, as a whole",
            "kv",
            False,
            _one(partial(key_value, operations=few, clients=10, keys=keys)),
        )
        for keys in (10, 3)
    ]
    return [*by_key, *whole, *(_registers(registers, clients) for clients in (5, 10))]


def _one(draw: Callable[[int], list[Operation]]) -> Callable[[int], list[list[Operation]]]:
    return lambda seed: [draw(seed)]


def _registers(count: int, clients: int) -> _Case:
    def draw(seed: int) -> list[list[Operation]]:
        return [register(1000 * seed + number, 150, clients) for number in range(count)]

    return _Case(f"{count} registers, {clients} clients", "register", True, draw)


def _measured(case: _Case, is_right: bool, runs: int) -> dict[str, Any]:
    model = model_named(case.model, partition=case.partition)
    took_ms: list[float] = []
    verdicts: list[bool | None] = []
    operations = 0
    for seed in range(-1, runs):  # the first warms up
        histories = case.draw(seed % 1000)
        if not is_right:
            histories = [with_a_late_wrong_read(history) for history in histories]
        operations = sum(map(len, histories))
        begun = time.perf_counter()
        found = [check(one, model, partition=case.partition, timeout_s=LIMIT_S).linearizable for one in histories]
        if seed >= 0:
            took_ms.append((time.perf_counter() - begun) * 1000)
            verdicts += found
    return {
        "history": case.name,
        "operations": operations,
        "linearizable": is_right,
        "median_ms": round(median(took_ms), 1),
        "max_ms": round(max(took_ms), 1),
        "undecided": verdicts.count(None),
        "wrong": verdicts.count(not is_right),
    }


def _line(row: dict[str, Any]) -> str:
    word = "linearizable" if row["linearizable"] else "a late wrong read"
    return f"{row['history']}, {row['operations']:,} operations, {word}: {row['median_ms']} ms"


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Milliseconds by history; the first row is the heading."""
    rows: list[tuple[str, ...]] = [("history", "operations", "linearizable", "median ms", "max ms", "undecided")]
    for row in result["rows"]:
        answer = "yes" if row["linearizable"] else "no"
        times = (f"{row['median_ms']:,.1f}", f"{row['max_ms']:,.1f}", str(row["undecided"]))
        rows.append((row["history"], f"{row['operations']:,}", answer, *times))
    return rows


def passed(result: dict[str, Any]) -> bool:
    """No verdict was wrong."""
    return not any(row["wrong"] for row in result["rows"])
