"""From an application and a workload to the program whose commands have their costs: measured here, in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cdep import StateMachine, service_of
from cdep.prediction import Costs
from cdep.program import Program
from psmr.advice.barriers import measure_barriers
from psmr.advice.batches import Commands, program_of
from psmr.advice.costs import ServiceCosts

ROUNDS = 5


def measured(
    owner: type[StateMachine],
    preload: Sequence[Commands],
    batches: Sequence[Commands],
    say: Callable[[str], None],
    rounds: int = ROUNDS,
) -> tuple[Program, Costs]:
    """The program of `batches`, each command with what it costs on this machine, and what barriers cost."""
    say("measuring what a meeting costs")
    barrier = measure_barriers()
    say("measuring what commands cost")
    service = ServiceCosts(owner, preload, batches)
    try:
        service.round()
        service.forget()
        for _ in range(rounds):
            service.round()
        costs_ns, slowdown = service.costs_ns, service.slowdown
    finally:
        service.close()
    return with_costs(program_of(service_of(owner), batches), costs_ns), Costs(barrier, slowdown)


def with_costs(program: Program, costs_ns: NDArray[np.float64]) -> Program:
    """The same commands, each costing what its kind does."""
    return replace(program, service_ns=costs_ns[program.op])
