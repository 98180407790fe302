"""From an application and a workload to the program whose commands have their costs: measured here, in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cdep import StateMachine, service_of
from cdep.prediction import Costs
from cdep.program import Program
from cdep.staged_model import is_staged
from psmr.advice.barriers import MeasuredBarriers
from psmr.advice.batches import Commands, in_parts, program_of
from psmr.advice.costs import ServiceCosts
from psmr.advice.stage_waits import StageWaits
from psmr.advice.twin import Twin

ROUNDS = 8
WARM_UPS = 1
BARRIERS_EVERY = 2
"""Rounds from one measurement of meetings to the next: it takes a quarter of a second."""


_WORKERS = 2


class Measured:
    """What a prediction is made of, round after round, each of one part of the workload.

    The workload is never timed with several workers; of a service with early stages it is counted with two whose wait.
    """

    def __init__(self, owner: type[StateMachine], preload: Sequence[Commands], workers: int) -> None:
        self._workers = workers
        self._service = service_of(owner)
        self._rounds = 0
        self._known_ns: NDArray[np.float64] = np.zeros(0)
        self._twin: Twin | None = None
        self._stage_waits: StageWaits | None = None
        self._waits: list[NDArray[np.bool_]] = []
        with ExitStack() as stack:
            self._barriers = stack.enter_context(closing(MeasuredBarriers()))
            self._costs = stack.enter_context(closing(ServiceCosts(owner, preload)))
            if is_staged(self._service):
                self._stage_waits = stack.enter_context(closing(StageWaits(owner, preload)))
            self._all = stack.pop_all()

    def round(self, batches: Sequence[Commands], *, is_counted: bool) -> None:
        """Measure once more; rounds that do not count come first, one at least: they warm up, and say how long the twin takes."""
        if is_counted and self._twin is None:
            self._make_twin(batches)
        self._costs.round(batches)
        if self._stage_waits is not None:
            self._waits.append(self._stage_waits.of(batches))
        if self._rounds % BARRIERS_EVERY == 0 if is_counted else self._rounds == 0:
            self._barriers.round()
        if self._twin is not None:
            self._twin.round(self._part(batches))
        self._rounds += 1

    def _make_twin(self, batches: Sequence[Commands]) -> None:
        """Its commands stay as long as they are now, and as many wait: so the rounds are of one kind."""
        self._known_ns = self._costs.costs_ns
        self._costs.forget()
        self._rounds = 0
        program = with_costs(program_of(self._service, batches), self._known_ns)
        self._twin = self._all.enter_context(closing(Twin(program, self._workers)))

    def _part(self, batches: Sequence[Commands]) -> Program:
        """The part measured last, with the costs that the twin has."""
        program = with_costs(program_of(self._service, batches), self._known_ns)
        return replace(program, waits=self._waits[-1]) if self._waits else program

    def program(self, batches: Sequence[Commands], before: int = 0) -> Program:
        """Commands that were measured, behind as many `before` them: with what each costs, and which early stages wait."""
        program = with_costs(program_of(self._service, batches), self._costs.costs_ns)
        if not self._waits:
            return program
        return replace(program, waits=np.concatenate(self._waits)[before : before + program.count])

    @property
    def costs(self) -> Costs:
        """What the machine adds. Without rounds that count, because there was one batch, the model stands alone."""
        barriers = self._barriers.costs
        costs = Costs(barriers, self._costs.slowdown)
        if self._twin is None:
            return costs
        return replace(costs, stretch=self._twin.stretch(barriers, costs.slowdown_of(self._workers)))

    def close(self) -> None:
        """End the workers."""
        self._all.close()


def measured(
    owner: type[StateMachine],
    preload: Sequence[Commands],
    batches: Sequence[Commands],
    say: Callable[[str], None],
    rounds: int = ROUNDS,
) -> tuple[Program, Costs]:
    """The program of `batches`, each command with what it costs on this machine, and what barriers cost."""
    say("measuring what meetings and commands cost")
    with closing(Measured(owner, preload, _WORKERS)) as found:
        for number, part in enumerate(in_parts(batches, rounds + WARM_UPS)):
            found.round(part, is_counted=number >= WARM_UPS)
        return found.program(batches), found.costs


def with_costs(program: Program, costs_ns: NDArray[np.float64]) -> Program:
    """The same commands, each costing what its kind does."""
    return replace(program, service_ns=costs_ns[program.op])
