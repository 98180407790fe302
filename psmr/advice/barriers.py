"""What meeting costs on this machine: two workers over commands that do nothing, or little, each of which needs both."""

from __future__ import annotations

import time
from statistics import median, quantiles
from typing import Any

import numpy as np

from cdep.compiled import compiled
from cdep.schedule_model import BarrierCosts
from cdep.service import service_of
from proxies.layout import layout_of
from psmr.advice.batches import Commands
from psmr.advice.probe import CELLS, Probe
from psmr.advice.running import Runner
from psmr.execution.patience import PATIENCE, Patience, Pressure
from psmr.state.atomics import load_acquire, relax

SPIN = 2000
"""Looks at a word before a worker of the engine sleeps, on a machine that has more to run than processors."""
_ROWS = 1024
_FEW = 64
_VERY_FEW = 16
_SLOTS = 24
_LONG = 8.0
"""Commands that take so many times as long as a worker spins: whoever waits for them is asleep."""
TURN, MEET = 0, 1


class MeasuredBarriers:
    """Measures again and again, each `round` a quarter of a second; the engine's own code is compiled first if it never was."""

    def __init__(self) -> None:
        self._one = Runner(Probe, 1, spin=SPIN, patience=0)
        self._two = Runner(Probe, 2, spin=SPIN, patience=0, look_ahead=0, choose=lambda synchronous, count: 2)
        self._found: list[BarrierCosts] = []
        self._pressure = Pressure()
        self._patience = Patience(SPIN, PATIENCE, self._pressure.waited_us)
        for runner in (self._one, self._two):
            runner.start()
            runner.run([_batch(TURN, _ROWS, 0), _batch(MEET, _ROWS, 0)] * _SLOTS)

    def round(self) -> None:
        """Measure once more."""
        self._found.append(_measure(self._one, self._two, self._patience.look()))

    @property
    def costs(self) -> BarrierCosts:
        """Of each cost the median of the rounds."""
        names = BarrierCosts.__slots__
        return BarrierCosts(**{name: median(getattr(each, name) for each in self._found) for name in names})

    def close(self) -> None:
        """End the workers."""
        self._one.close()
        self._two.close()
        self._pressure.close()


def _measure(one: Runner, two: Runner, patience: int) -> BarrierCosts:
    """`patience`: looks at a word before a worker sleeps that waits for another, on the machine as it is now."""
    command_ns = _busy_ns(one, _batch(TURN, _ROWS, 0)) / _ROWS
    small_ns, large_ns = (_busy_ns(two, _batch(TURN, rows, 0)) for rows in (_FEW, _ROWS))
    parallel_ns = (large_ns - small_ns) / ((_ROWS - _FEW) / 2)
    batch_ns = max(0.0, small_ns - parallel_ns * _FEW / 2)
    row_ns = max(0.0, parallel_ns - command_ns)
    meeting_ns = max(0.0, _busy_ns(two, _batch(MEET, _ROWS, 0)) / _ROWS - command_ns - row_ns)
    spin_ns = _spin_ns()
    wake_ns = _wake_ns(one, two, spin_ns, meeting_ns)
    patience_ns = spin_ns * patience / SPIN
    # Only their sum can be seen from here: an executor's next meeting follows at once.
    return BarrierCosts(row_ns, batch_ns, meeting_ns / 2, meeting_ns / 2, patience_ns, wake_ns, 0.0)


def _wake_ns(one: Runner, two: Runner, spin_ns: float, meeting_ns: float) -> float:
    """How much longer a meeting takes with one who sleeps."""
    thousand_ns = (_busy_ns(one, _batch(TURN, _FEW, 1000)) - _busy_ns(one, _batch(TURN, _FEW, 0))) / _FEW
    rounds = max(1, round(1000 * _LONG * spin_ns / max(thousand_ns, 1.0)))
    alone_ns = _busy_ns(one, _batch(TURN, _VERY_FEW, rounds), slots=3) / _VERY_FEW
    return max(0.0, _busy_ns(two, _batch(MEET, _VERY_FEW, rounds), slots=3) / _VERY_FEW - alone_ns - meeting_ns)


def _busy_ns(runner: Runner, batch: Commands, slots: int = _SLOTS) -> float:
    """What a batch keeps its workers busy for: the lower quartile, for what is disturbed only takes longer."""
    busy = [float(np.mean(workers)) for workers in runner.run([batch] * slots).busy_ns]
    return quantiles(busy, n=4)[0]


def _batch(op: int, rows: int, rounds: int) -> Commands:
    """Commands on cells next to each other: of each worker as many as of any other."""
    layout = layout_of(service_of(Probe))
    records = np.zeros(rows, layout.commands[op].dtype(layout.stride))
    records["op"] = op
    records["cell"] = np.arange(rows) % CELLS
    records["rounds"] = rounds
    return Commands(records.tobytes(), rows, b"")


def _spin_ns() -> float:
    """How long a worker looks at a word before it sleeps."""
    word = np.zeros(2, np.int64)
    found: list[float] = []
    for _ in range(9):
        started = time.perf_counter_ns()
        _spin(word.ctypes.data, SPIN)
        found.append(float(time.perf_counter_ns() - started))
    return quantiles(found, n=4)[0]


@compiled
def _spin(word: Any, times: int) -> int:
    for _ in range(times):
        if load_acquire(word) > 0:
            return 1
        relax()
    return 0
