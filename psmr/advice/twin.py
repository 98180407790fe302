"""The twin of a program: commands that are as long, meet where its own meet, and do nothing; executed here, by the real engine.

A model of the schedule knows what a meeting costs when nothing comes between. On a machine that others use, too, a worker that
comes late by 10 µs costs whoever waits for it 200 commands of 50 ns, and how much that is depends on how often commands meet and
how long they are. So it is measured, and not with the commands themselves, which would be no prediction: with commands of the
engine's own (`Probe`) that turn a crank for as long as one worker was measured to take for each command, on cells that belong to
the same workers. What is learnt is one figure, the **stretch**: how many times as long as the model says they took.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from cdep.groups import key_groups
from cdep.prediction import Stretch
from cdep.program import Program, masks_of, order_of, rules_of
from cdep.schedule_model import LOOK_AHEAD, BarrierCosts, owners_of, rows_ahead, simulate
from cdep.service import service_of
from cdep.types import u32, value_type
from proxies.layout import layout_of
from psmr.advice.batches import Commands
from psmr.advice.costs import at_once
from psmr.advice.pace import pace_of
from psmr.advice.probe import CELLS, Probe
from psmr.advice.running import Runner
from psmr.advice.undisturbed import pieces, undisturbed

WINDOW = 16
"""Batches at once, as in a measurement: what follows a pause is measured as often."""
_TURN, _MEET = 0, 1
_ROWS, _ROUNDS, _TIMES = 1024, 400, 24


class Twin:
    """Executes round after round with one worker, with two at once that share nothing, and with `workers` that meet."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._ones = [Runner(Probe, 1, at_once=WINDOW) for _ in range(2)]
        self._many: Runner | None = None
        self._rounds = 0
        self._one_ns: list[float] = []
        self._beside_ns: list[float] = []
        self._many_ns: list[float] = []
        self._rows: list[tuple[NDArray[np.uint64], NDArray[np.float64], NDArray[np.int64]]] = []
        for runner in self._ones:
            runner.start()
        self._base_ns, self._turn_ns = self._calibrated()

    def round(self, program: Program) -> None:
        """One part of the program; its commands have their costs."""
        batches, owners, costs_ns = self._twin_of(program)
        self._rows.append((owners, costs_ns, program.batches))
        counts = [batch.count for batch in batches]
        many = self._runner_of_many(program)
        self._rounds += 1
        if self._rounds % 2:
            for runner in self._ones:
                ran = runner.run(batches)
                self._one_ns += pieces([busy[0] for busy in ran.busy_ns], counts)
        else:
            for busy_ns in at_once(self._ones, batches):
                self._beside_ns += pieces(busy_ns.tolist(), counts)
        self._many_ns += pace_of(many.run(batches), counts)

    def stretch(self, barriers: BarrierCosts, slowdown: float) -> Stretch:
        """What was found, against the model with these costs of meetings. Raises ValueError before the first round.

        `slowdown`: of the program's own commands beside others. To turn a crank beside others costs no more.
        """
        one_ns, usual_ns = undisturbed(self._one_ns), median(self._one_ns)
        slow = undisturbed(self._beside_ns) / one_ns if self._beside_ns else 1.0
        slow = min(max(1.0, slow), slowdown)
        said_ns = counted = 0.0
        for owners, costs_ns, batches in self._rows:
            scaled_ns = costs_ns * (one_ns * len(owners) / max(1.0, float(costs_ns.sum())))
            ahead = rows_ahead(one_ns, LOOK_AHEAD)
            said_ns += simulate(owners, scaled_ns * slow, batches, self._workers, barriers, look_ahead=ahead).total_ns
            counted += len(owners)
        said_ns /= counted
        usual = median(self._many_ns) * one_ns / (said_ns * usual_ns)
        return Stretch(undisturbed(self._many_ns) / said_ns, usual, slow)

    def close(self) -> None:
        """End the workers."""
        for runner in [*self._ones, *([self._many] if self._many else [])]:
            runner.close()

    def _runner_of_many(self, program: Program) -> Runner:
        """Made when it is known how long commands are: on to the next meeting workers go as the engine does with such."""
        if self._many is None:
            ahead = rows_ahead(float(program.service_ns.mean()), LOOK_AHEAD)
            self._many = Runner(
                Probe, self._workers, at_once=WINDOW, look_ahead=ahead, choose=lambda synchronous, count: self._workers
            )
            self._many.start()
        return self._many

    def _calibrated(self) -> tuple[float, float]:
        """What a command costs that turns the crank no time, and each turn."""
        owners, cells = np.ones(_ROWS, np.uint64), np.arange(_ROWS) % CELLS
        batches_at = np.array([0, _ROWS])
        found: list[float] = []
        for rounds in (0, _ROUNDS):
            (batch,) = _batches(owners, np.full(_ROWS, rounds), cells, batches_at)
            for runner in self._ones:
                ran = runner.run([batch] * _TIMES)
            found.append(undisturbed([busy[0] / _ROWS for busy in ran.busy_ns]))
        return found[0], max(0.01, (found[1] - found[0]) / _ROUNDS)

    def batches_of(self, program: Program) -> list[Commands]:
        """The twin: of each row, in the order of execution, a command of as many workers on a cell that the same worker owns."""
        return self._twin_of(program)[0]

    def _twin_of(self, program: Program) -> tuple[list[Commands], NDArray[np.uint64], NDArray[np.float64]]:
        """The batches; of each row its owners, and what it should take."""
        rules = rules_of(program.service)
        masks = masks_of(program, rules)
        order = order_of(program, masks, rules)
        owners = owners_of(masks[order], self._workers)
        rounds = np.rint(np.maximum(0.0, program.service_ns[order] - self._base_ns) / self._turn_ns).astype(np.int64)
        keys = np.maximum(0, program.keys[order, 0])
        wanted = np.where(program.keys[order, 0] >= 0, program.groups[order, 0], 0) % self._workers
        is_one = owners & (owners - np.uint64(1)) == 0
        wanted = np.where(is_one, np.log2(owners.astype(np.float64)).astype(np.int64), wanted)
        cells = np.zeros(len(order), np.int64)
        worker_of = _groups_of_cells() % self._workers
        for worker in range(self._workers):
            own = np.flatnonzero(worker_of == worker)
            cells[wanted == worker] = own[keys[wanted == worker] % len(own)]
        everybody = np.uint64((1 << self._workers) - 1)
        owners = np.where(is_one, owners, everybody)
        costs_ns = (self._base_ns + rounds * self._turn_ns).astype(np.float64)
        return _batches(owners, rounds, cells, program.batches), owners, costs_ns


def _groups_of_cells() -> NDArray[np.int64]:
    return np.asarray(key_groups("turn", "cell", value_type(u32), np.arange(CELLS, dtype=np.uint32)), np.int64)


def _batches(
    owners: NDArray[np.uint64], rounds: NDArray[np.int64], cells: NDArray[np.int64], starts: NDArray[np.int64]
) -> list[Commands]:
    layout = layout_of(service_of(Probe))
    records = np.zeros(len(owners), layout.commands[_TURN].dtype(layout.stride))
    records["op"] = np.where(owners & (owners - np.uint64(1)) == 0, _TURN, _MEET)
    records["cell"], records["rounds"] = cells, rounds
    return [Commands(records[begin:end].tobytes(), end - begin, b"") for begin, end in pairwise(starts.tolist())]
