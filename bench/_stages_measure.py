"""The same batches of trades executed by one worker, by two, and by as many as the engine chooses, in turn."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from bench._growth_cpu import clock_of
from bench._stages_service import STOCKS, Trades
from cdep import service_of
from proxies.layout import layout_of
from psmr.advice.twin import WINDOW
from psmr.execution.engine import Engine

ROWS = 1000
FORMS = ("one", "two", "chosen")
_NAP_S = 0.0002


@dataclass(frozen=True)
class Mix:
    """`work` steps a stage; how many `clients` trade, of whom each may hold `limit` stocks."""

    name: str
    work: int
    clients: int
    limit: int


def measured(mix: Mix, runs: int, batches: int) -> dict[str, Any]:
    """Medians of `runs`, each of `batches`, so many at once before the workers begin as `WINDOW`; forms take turns, run by run.

    Workers that wait sleep soon: spinning would count as work.
    """
    forms = {
        "one": _Form(Engine(Trades, 1)),
        "two": _Form(Engine(Trades, 2, patience=0, choose=lambda synchronous, count: 2)),
        "chosen": _Form(Engine(Trades, 2, patience=0)),
    }
    try:
        for form in forms.values():
            form.start()
        content = [_records(mix, seed) for seed in range(batches)]
        for form in forms.values():
            form.run(content)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in FORMS}
        for _ in range(runs):
            for name, form in forms.items():
                found[name].append(form.run(content))
        two = forms["two"].engine.counters()
        return {
            "mix": mix.name,
            "wall_ns": {name: median(wall for wall, _ in figures) for name, figures in found.items()},
            "busiest_ns": {name: median(busiest for _, busiest in figures) for name, figures in found.items()},
            "rounds_a_batch": max(two.rounds) / ((runs + 1) * batches),
            "waited": sum(two.waited) / ((runs + 1) * batches * ROWS),
            "answers_equal": len({form.engine.digest() for form in forms.values()}) == 1,
        }
    finally:
        for form in forms.values():
            form.engine.close()


def _records(mix: Mix, seed: int) -> bytes:
    layout = layout_of(service_of(Trades))
    command = layout.command("trade")
    chance = np.random.default_rng(seed)
    rows = np.zeros(ROWS, command.dtype(layout.stride))
    rows["op"] = command.command.op
    rows["client"] = chance.integers(0, mix.clients, ROWS)
    rows["stock"] = chance.integers(0, STOCKS, ROWS)
    rows["limit"], rows["work"] = mix.limit, mix.work
    return rows.tobytes()


class _Form:
    """An engine and the processes of its workers."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._clocks: list[int] = []
        self._given = 0

    def start(self) -> None:
        """Start the workers."""
        others = set(multiprocessing.active_children())
        self.engine.start()
        workers = set(multiprocessing.active_children()) - others
        self._clocks = [clock_of(worker.pid) for worker in workers if worker.pid]

    def run(self, content: list[bytes]) -> tuple[float, float]:
        """(time, processor time of the busiest worker) a command, in ns."""
        wall, spent = 0, [0 for _ in self._clocks]
        for begin in range(0, len(content), WINDOW):
            window_ns, window_spent = self._window(content[begin : begin + WINDOW])
            wall += window_ns
            spent = [sum(each) for each in zip(spent, window_spent, strict=True)]
        commands = len(content) * ROWS
        return wall / commands, max(spent) / commands

    def _window(self, content: list[bytes]) -> tuple[int, list[int]]:
        for records in content:
            self._given += 1
            if not self.engine.prepare(1, self._given, len(records) // ROWS, ROWS, records, b"", 0):
                raise AssertionError("stages: expected room for a window's batches in an idle engine, found none")
        before = [time.clock_gettime_ns(clock) for clock in self._clocks]
        began = time.perf_counter_ns()
        self.engine.publish()
        while self.engine.completed() < self._given:
            time.sleep(_NAP_S)
        wall = time.perf_counter_ns() - began
        spent = [time.clock_gettime_ns(clock) - earlier for clock, earlier in zip(self._clocks, before, strict=True)]
        # Between windows the choice of width is told what they took, as a replica's is.
        self.engine.collect()
        return wall, spent
