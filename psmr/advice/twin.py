"""The twin of a program: commands that are as long, meet where its own meet, and do nothing; executed here, by the real engine.

A model of the schedule knows what a meeting costs when nothing comes between. On a machine that others use, too, a worker that
comes late by 10 µs costs whoever waits for it 200 commands of 50 ns, and how much that is depends on how often commands meet and
how long they are. So it is measured, and not with the commands themselves, which would be no prediction: with commands of the
engine's own (`Probe`, `StagedProbe`) that turn a crank for as long as one worker was measured to take for each command, on cells
that belong to the same workers. What is learnt is one figure, the **stretch**: how many times as long as the model says they took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from cdep import StateMachine
from cdep.prediction import Costs, Predictor, Stretch
from cdep.program import Program, rules_of
from cdep.schedule_model import LOOK_AHEAD, BarrierCosts, rows_ahead
from cdep.service import service_of
from psmr.advice.batches import Commands, program_of
from psmr.advice.costs import at_once
from psmr.advice.pace import pace_of
from psmr.advice.running import Runner
from psmr.advice.twin_rows import Crank, owner_of_twin, records, twin_of
from psmr.advice.undisturbed import pieces, undisturbed

WINDOW = 16
"""Batches at once, as in a measurement: what follows a pause is measured as often."""
_ROWS, _ROUNDS, _TIMES = 1024, 400, 24


class Twin:
    """Executes round after round with one worker, with two at once that share nothing, and with `workers` that meet."""

    def __init__(self, program: Program, workers: int) -> None:
        self._owner: type[StateMachine] = owner_of_twin(program)
        self._workers = workers
        # On to the next meeting workers go as the engine does with commands so long.
        ahead = rows_ahead(float(program.service_ns.mean()), LOOK_AHEAD)
        self._ones = [Runner(self._owner, 1, at_once=WINDOW) for _ in range(2)]
        self._many = Runner(
            self._owner, workers, at_once=WINDOW, look_ahead=ahead, choose=lambda synchronous, count: workers
        )
        self._rounds = 0
        self._one_ns: list[float] = []
        self._beside_ns: list[float] = []
        self._many_ns: list[float] = []
        self._programs: list[Program] = []
        for runner in (*self._ones, self._many):
            runner.start()
        self._crank = self._calibrated()

    def program_of(self, program: Program) -> Program:
        """The twin of a part of the program, whose commands have their costs; what its own should take."""
        return self._made(program)[1]

    def _made(self, program: Program) -> tuple[list[Commands], Program]:
        batches, costs_ns, waits = twin_of(program, self._workers, self._crank)
        return batches, replace(program_of(service_of(self._owner), batches), service_ns=costs_ns, waits=waits)

    def round(self, program: Program) -> None:
        """One part of the program; its commands have their costs."""
        batches, made = self._made(program)
        self._programs.append(made)
        self._rounds += 1
        middle = (len(batches) + self._rounds % 2) // 2
        alone, beside = (
            (batches[:middle], batches[middle:]) if self._rounds % 2 else (batches[middle:], batches[:middle])
        )
        for runner in self._ones if alone else ():
            self._one_ns += pieces([busy[0] for busy in runner.run(alone).busy_ns], _counts(alone))
        for busy_ns in at_once(self._ones, beside) if beside else ():
            self._beside_ns += pieces(busy_ns.tolist(), _counts(beside))
        self._many_ns += pace_of(self._many.run(batches), _counts(batches))

    def stretch(self, barriers: BarrierCosts, slowdown: float) -> Stretch:
        """What was found, against the model with these costs of meetings. Raises ValueError before the first round.

        `slowdown`: of the program's own commands beside others. To turn a crank beside others costs no more.
        """
        one_ns, usual_ns = undisturbed(self._one_ns), median(self._one_ns)
        slow = undisturbed(self._beside_ns) / one_ns if self._beside_ns else 1.0
        slow = min(max(1.0, slow), slowdown)
        costs = Costs(barriers, ((1, 1.0), (self._workers, slow)))
        said_ns = self._said_ns(costs, one_ns)
        usual = median(self._many_ns) * one_ns / (said_ns * usual_ns)
        return Stretch(undisturbed(self._many_ns) / said_ns, usual, slow)

    def _said_ns(self, costs: Costs, one_ns: float) -> float:
        """What a command takes by the model, if one worker takes so long."""
        said_ns = counted = 0.0
        for program in self._programs:
            scale = one_ns * program.count / max(1.0, float(program.service_ns.sum()))
            scaled = replace(program, service_ns=program.service_ns * scale)
            said_ns += Predictor(scaled, rules_of(program.service), costs).together(self._workers).total_ns
            counted += program.count
        return said_ns / counted

    def close(self) -> None:
        """End the workers."""
        for runner in (*self._ones, self._many):
            runner.close()

    def _calibrated(self) -> Crank:
        names, cells = np.full(_ROWS, "turn"), np.arange(_ROWS)
        found: list[float] = []
        for rounds in (0, _ROUNDS):
            columns = {"cell": cells, "rounds": np.full(_ROWS, rounds)}
            (batch,) = records(self._owner, names, columns, np.array([0, _ROWS]))
            ran = [runner.run([batch] * _TIMES) for runner in self._ones]
            found.append(undisturbed([busy[0] / _ROWS for each in ran for busy in each.busy_ns]))
        return Crank(found[0], max(0.01, (found[1] - found[0]) / _ROUNDS))


def _counts(batches: Sequence[Commands]) -> list[int]:
    return [batch.count for batch in batches]
