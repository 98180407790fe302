"""What does parallel execution win, and where does it collapse? One prepared log, no network, no disk.

The same batches are executed by one worker without masks and barriers (single-threaded SMR), by several workers with a barrier
a synchronous command (`look_ahead = 0`, as in the paper), and by several workers whose barriers combine and whose width is
chosen by what has been measured; these keep the order of arrival. The last contestant declares commutative order: the dependent
commands of a batch come after the others. Batches are in place and routed before the clock runs; runs take turns. The state
afterwards and every reply must be those that one thread gives in the same order: a figure counts only then.

Amdahl's bound for a share d of dependent commands on k workers is 1 / (d + (1 - d) / k).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash

from bench._machine import machine
from bench._measurement import Spread
from bench._plot import Plot
from bench._work import CELLS, CommutativeWork, Work
from cdep import StateMachine, service_of
from proxies.layout import layout_of
from psmr.execution.engine import Engine

QUESTION = "what does parallel execution win, and where does it collapse?"
BATCH = 1024
WARM_UPS = 8
"""Rounds that are not counted: code, caches, and the choice of width, which sees both ways and learns only from round to round."""
RING_BYTES = 512 << 20
_STALL_S = 60.0
_COLLECT_S = 1.0
_SERVICE_NS = (20, 200, 2_000, 20_000)
_SHARES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Grid:
    """What to measure."""

    workers: tuple[int, ...]
    service_ns: tuple[int, ...] = _SERVICE_NS
    shares: tuple[float, ...] = _SHARES
    runs: int = 5
    run_s: float = 0.08


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """The grid: workers × share of dependent commands × service time, and an interpreted handler."""
    cores = len(os.sched_getaffinity(0))
    workers = tuple(count for count in (2, 4, 8, 16) if count <= cores) or (2,)
    grid = Grid(workers[:1], (200,), (0.0, 1.0), 1, 0.005) if quick else Grid(workers)
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
        def engine(service: type[StateMachine], workers: int, **options: Any) -> Engine:
            return Engine(service, workers, compiled=compiled, ring_bytes=RING_BYTES, **options)

        self._made = {
            "smr": engine(Work, 1),
            "paper": engine(Work, workers, look_ahead=0, choose=lambda synchronous, count: workers),
            "psmr": engine(Work, workers),
            "commutative": engine(CommutativeWork, workers),
            "commutative_smr": engine(CommutativeWork, 1),
        }
        for made in self._made.values():
            made.start()

    def race(self, records: np.ndarray[Any, Any], runs: int) -> dict[str, Spread]:
        """Commands a second of each, over runs that take turns; raises AssertionError if their answers differ."""
        figures: dict[str, list[float]] = {name: [] for name in self._made}
        for _ in range(runs + WARM_UPS):
            answers: dict[str, tuple[int, int]] = {}
            for name, engine in self._made.items():
                seconds, replies = _execute(engine, records)
                figures[name].append(len(records) / seconds)
                answers[name] = (replies, engine.digest())
            orders = ("smr", "paper", "psmr"), ("commutative", "commutative_smr")
            for names in orders:
                if len({answers[name] for name in names}) != 1:
                    raise AssertionError(f"execution: expected one answer of {', '.join(names)}, found several")

        return {name: Spread(tuple(values[WARM_UPS:])) for name, values in figures.items()}

    def close(self) -> None:
        for engine in self._made.values():
            engine.close()


def _execute(engine: Engine, records: np.ndarray[Any, Any]) -> tuple[float, int]:
    """Execute prepared batches: (seconds from publishing to the last reply, hash of all replies)."""
    stride = engine.layout.stride
    for start in range(0, len(records), BATCH):
        rows = records[start : start + BATCH]
        _prepare(engine, stride, rows)
    started = time.perf_counter()
    engine.publish()
    digest = xxhash.xxh3_64()
    # Replies that are not collected may leave no room for more; where there is room, nothing is collected while the clock runs.
    while not engine.settle(_COLLECT_S):
        if time.perf_counter() - started > _STALL_S:
            raise AssertionError(f"execution: expected the workers to finish, found {engine.dead() or 'them stalled'}")
        for executed in engine.collect():
            digest.update(executed.reply)
    seconds = time.perf_counter() - started
    for executed in engine.collect():
        digest.update(executed.reply)
    return seconds, digest.intdigest()


def _prepare(engine: Engine, stride: int, rows: np.ndarray[Any, Any]) -> None:
    """Put a batch in place; a worker that has only passed others' batches may need a moment to give their places back."""
    until = time.perf_counter() + _STALL_S
    while not engine.prepare(1, 1, stride, len(rows), rows.tobytes(), b"", 0):
        if time.perf_counter() > until:
            raise AssertionError("execution: expected the whole log to fit the ring")
        time.sleep(0.001)


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
    engine = Engine(Work, 1, ring_bytes=RING_BYTES)
    engine.start()
    try:
        empty = min(_execute(engine, _log(200_000, 0.0, 0))[0] for _ in range(5)) / 200_000 * 1e9
        full = min(_execute(engine, _log(20_000, 0.0, 1000))[0] for _ in range(5)) / 20_000 * 1e9
    finally:
        engine.close()
    say(f"a command without work takes {empty:.1f} ns, a round {(full - empty) / 1000:.2f} ns")
    return empty, (full - empty) / 1000


def _measure(grid: Grid, workers: int, cost: tuple[float, float], say: Callable[[str], None]) -> list[dict[str, Any]]:
    contestants = _Contestants(workers, compiled=True)
    rows: list[dict[str, Any]] = []
    try:
        for service_ns in grid.service_ns:
            rounds = max(0, round((service_ns - cost[0]) / cost[1]))
            count = int(min(900_000, max(2048, grid.run_s * 1e9 / service_ns)))
            for share in grid.shares:
                spreads = contestants.race(_log(count, share, rounds), grid.runs)
                rows.append(_row("compiled", workers, share, service_ns, spreads))
                say(_line(rows[-1]))
    finally:
        contestants.close()
    return rows


def _measure_interpreted(grid: Grid, workers: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    contestants = _Contestants(workers, compiled=False)
    rows: list[dict[str, Any]] = []
    try:
        for share in grid.shares:
            spreads = contestants.race(_log(4000, share, 1), grid.runs)
            rows.append(_row("interpreted", workers, share, round(1e9 / spreads["smr"].median), spreads))
            say(_line(rows[-1]))
    finally:
        contestants.close()
    return rows


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
