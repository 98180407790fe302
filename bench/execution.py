"""What does parallel execution win, and where does it collapse? One prepared log, no network, no disk.

The same batches are executed by one worker without masks and barriers (single-threaded SMR), by several workers with a barrier
a synchronous command (`look_ahead = 0`, as in the paper), and by several workers whose barriers combine and whose width is
chosen by what has been measured; these keep the order of arrival. The last contestant declares commutative order: the dependent
commands of a batch come after the others. Everybody gets the log window by window, as many batches at once as four clients have
under way, so that the choice of width learns as a replica's does; what is prepared before a window and collected after it is no
worker's time and does not count, nor does the first batch of a window, in which workers wake up (`Runner`). Runs take turns.
The state afterwards and every reply must be those that one thread gives in the same order: a figure counts only then.

Amdahl's bound for a share d of dependent commands on k workers is 1 / (d + (1 - d) / k).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import xxhash

from bench._machine import machine
from bench._measurement import Spread
from bench._plot import Plot
from bench._work import CELLS, CommutativeWork, Work
from cdep import StateMachine, service_of
from proxies.layout import layout_of
from psmr.advice.batches import Commands
from psmr.advice.running import WINDOW, Runner

QUESTION = "what does parallel execution win, and where does it collapse?"
BATCH = 1024
COUNT_MAX = 400_000
"""Commands of a run."""
WARM_UP_BATCHES, WARM_UP_S = 64, 0.2
"""At least so many batches, and so much of one thread, are not counted: code, caches, first trials of the choice of width."""
_SERVICE_NS = (20, 200, 2_000, 20_000)
_INTERPRETED_NS = 10_000
"""About what an interpreted command takes: runs are as long as others."""
_SHARES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Grid:
    """What to measure; a run is `run_s` of one thread, and at least `least` batches."""

    workers: tuple[int, ...]
    service_ns: tuple[int, ...] = _SERVICE_NS
    shares: tuple[float, ...] = _SHARES
    runs: int = 5
    run_s: float = 0.08
    least: int = 8
    warm_up_batches: int = WARM_UP_BATCHES
    warm_up_s: float = WARM_UP_S


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """The grid: workers × share of dependent commands × service time, and an interpreted handler."""
    cores = len(os.sched_getaffinity(0))
    workers = tuple(count for count in (2, 4, 8, 16) if count <= cores) or (2,)
    grid = Grid(workers[:1], (200,), (0.0, 1.0), 1, 0.005, 8, 16, 0.005) if quick else Grid(workers)
    cost = _calibrate(say)
    rows: list[dict[str, Any]] = []
    for count in grid.workers:
        rows += _measure(grid, count, cost, say)
        if not quick:
            rows += _measure_interpreted(grid, count, say)
    return {"bench": "execution", "question": QUESTION, "machine": machine(), "calibration_ns": cost, "rows": rows}


class _Contestants:
    """Engines over the same service, by name; they sleep while another one runs."""

    def __init__(self, workers: int, compiled: bool) -> None:
        def runner(service: type[StateMachine], workers: int, **options: Any) -> Runner:
            return Runner(service, workers, at_once=WINDOW, compiled=compiled, **options)

        self._made = {
            "smr": runner(Work, 1),
            "paper": runner(Work, workers, look_ahead=0, choose=lambda synchronous, count: workers),
            "psmr": runner(Work, workers),
            "commutative": runner(CommutativeWork, workers),
            "commutative_smr": runner(CommutativeWork, 1),
        }
        for made in self._made.values():
            made.start()

    def race(self, log: np.ndarray[Any, Any], runs: int, warm_ups: int) -> dict[str, Spread]:
        """Commands a second of each, over runs that take turns; raises AssertionError if their answers differ."""
        batches = _batches(log)
        figures: dict[str, list[float]] = {name: [] for name in self._made}
        for _ in range(warm_ups + runs):
            answers: dict[str, tuple[int, int]] = {}
            for name, runner in self._made.items():
                rate_per_s, replies = _execute(runner, batches)
                figures[name].append(rate_per_s)
                answers[name] = (replies, runner.engine.digest())
            orders = ("smr", "paper", "psmr"), ("commutative", "commutative_smr")
            for names in orders:
                if len({answers[name] for name in names}) != 1:
                    raise AssertionError(f"execution: expected one answer of {', '.join(names)}, found several")

        return {name: Spread(tuple(values[warm_ups:])) for name, values in figures.items()}

    def close(self) -> None:
        for runner in self._made.values():
            runner.close()


def _execute(runner: Runner, batches: Sequence[Commands]) -> tuple[float, int]:
    """(commands a second while workers execute batch after batch, hash of all replies)."""
    digest = xxhash.xxh3_64()
    ran = runner.run(batches, lambda executed: digest.update(executed.reply))
    return ran.rate_per_s(batches), digest.intdigest()


def _batches(log: np.ndarray[Any, Any]) -> list[Commands]:
    rows = (log[start : start + BATCH] for start in range(0, len(log), BATCH))
    return [Commands(each.tobytes(), len(each), b"") for each in rows]


def _log(count: int, share: float, rounds: int) -> np.ndarray[Any, Any]:
    """`count` commands, a share of them dependent, spread at random."""
    layout = layout_of(service_of(Work))
    random = np.random.default_rng(7)
    records = np.zeros(count, layout.command("turn").dtype(layout.stride))
    records["op"] = random.random(count) < share
    records["cell"] = random.integers(0, CELLS, count)
    records["rounds"] = rounds
    records["seed"] = random.integers(0, 1 << 60, count)
    return records


def _calibrate(say: Callable[[str], None]) -> tuple[float, float]:
    """(ns of a command without work, ns a round), on one worker."""
    with closing(Runner(Work, 1)) as runner:
        runner.start()
        empty, full = (
            1e9 / max(_execute(runner, _batches(_log(count, 0.0, rounds)))[0] for _ in range(9))
            for count, rounds in ((200_000, 0), (20_000, 1000))
        )
    say(f"a command without work takes {empty:.1f} ns, a round {(full - empty) / 1000:.2f} ns")
    return empty, (full - empty) / 1000


def _measure(grid: Grid, workers: int, cost: tuple[float, float], say: Callable[[str], None]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for service_ns in grid.service_ns:
        rounds = max(0, round((service_ns - cost[0]) / cost[1]))
        for share in grid.shares:
            spreads = _race(grid, workers, True, share, rounds, service_ns)
            rows.append(_row("compiled", workers, share, service_ns, spreads))
            say(_line(rows[-1]))
    return rows


def _measure_interpreted(grid: Grid, workers: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for share in grid.shares:
        spreads = _race(grid, workers, False, share, 1, _INTERPRETED_NS)
        rows.append(_row("interpreted", workers, share, round(1e9 / spreads["smr"].median), spreads))
        say(_line(rows[-1]))
    return rows


def _race(grid: Grid, workers: int, compiled: bool, share: float, rounds: int, service_ns: int) -> dict[str, Spread]:
    """One cell, by engines of its own: nothing that was learned of other commands is known."""
    batch_ns = service_ns * BATCH
    batches = max(grid.least, int(min(grid.run_s * 1e9 / batch_ns, COUNT_MAX / BATCH)))
    warm_ups = ceil(max(grid.warm_up_batches, grid.warm_up_s * 1e9 / batch_ns) / batches)
    with closing(_Contestants(workers, compiled)) as contestants:
        return contestants.race(_log(batches * BATCH, share, rounds), grid.runs, warm_ups)


def _row(handler: str, workers: int, share: float, service_ns: int, spreads: dict[str, Spread]) -> dict[str, Any]:
    rates = {f"{name}_per_s": round(spread.median) for name, spread in spreads.items()}
    return {
        "handler": handler,
        "workers": workers,
        "dependent_share": share,
        "service_ns": service_ns,
        **rates,
        "paper_ratio": round(rates["paper_per_s"] / rates["smr_per_s"], 3),
        "psmr_ratio": round(rates["psmr_per_s"] / rates["smr_per_s"], 3),
        "commutative_ratio": round(rates["commutative_per_s"] / rates["smr_per_s"], 3),
        "amdahl": round(1 / (share + (1 - share) / workers), 3),
        "runs_per_s": {name: [round(run) for run in spread.runs] for name, spread in spreads.items()},
    }


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['handler']}, {row['workers']} workers, {row['service_ns']} ns, {row['dependent_share']:.0%} dependent: "
        f"paper {row['paper_ratio']:.2f} ×, combining {row['psmr_ratio']:.2f} ×, "
        f"commutative {row['commutative_ratio']:.2f} × one thread"
    )


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows for people: the first is the heading."""
    rows: list[tuple[str, ...]] = [
        ("handler", "workers", "service", "dependent", "one thread /s", "paper", "combining", "commutative", "Amdahl")
    ]
    for row in result["rows"]:
        rows.append(
            (
                row["handler"],
                str(row["workers"]),
                f"{row['service_ns']:,} ns",
                f"{row['dependent_share']:.0%}",
                f"{row['smr_per_s']:,}",
                f"{row['paper_ratio']:.2f} ×",
                f"{row['psmr_ratio']:.2f} ×",
                f"{row['commutative_ratio']:.2f} ×",
                f"{row['amdahl']:.2f} ×",
            )
        )
    return rows


def plots(result: dict[str, Any]) -> list[Plot]:
    """For each handler, number of workers and service time: what both ways win, by the share of dependent commands."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in result["rows"]:
        # An interpreted command takes what it takes, measured anew in each row: not a time that was chosen.
        length = f" of {row['service_ns']:,} ns" if row["handler"] == "compiled" else ""
        found.setdefault(f"{row['workers']} workers, {row['handler']} commands{length}", []).append(row)
    names = {
        "paper": "paper_ratio",
        "combining": "psmr_ratio",
        "commutative order": "commutative_ratio",
        "Amdahl's bound": "amdahl",
    }
    return [
        Plot(
            title,
            "share of dependent commands",
            "× one thread",
            {name: [(row["dependent_share"], row[key]) for row in rows] for name, key in names.items()},
        )
        for title, rows in found.items()
    ]


def passed(result: dict[str, Any]) -> bool:
    """Answers were compared as each row was measured."""
    return bool(result["rows"])
