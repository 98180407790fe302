"""From an application and a workload to the program whose commands have their costs: measured here, in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cdep import StateMachine, service_of
from cdep.prediction import Costs
from cdep.program import Program
from psmr.advice.barriers import MeasuredBarriers
from psmr.advice.batches import Commands, in_parts, program_of
from psmr.advice.costs import ServiceCosts, wait_share_of

ROUNDS = 8
WARM_UPS = 1


def measured(
    owner: type[StateMachine],
    preload: Sequence[Commands],
    batches: Sequence[Commands],
    say: Callable[[str], None],
    rounds: int = ROUNDS,
) -> tuple[Program, Costs]:
    """The program of `batches`, each command with what it costs on this machine, and what barriers cost."""
    say("measuring what meetings and commands cost")
    with closing(MeasuredBarriers()) as barriers, closing(ServiceCosts(owner, preload)) as service:
        for number, part in enumerate(in_parts(batches, rounds + WARM_UPS)):
            if number == WARM_UPS:
                service.forget()
            service.round(part)
            barriers.round()
        costs = Costs(barriers.costs, service.slowdown, wait_share_of(owner, preload, batches))
        return with_costs(program_of(service_of(owner), batches), service.costs_ns), costs


def with_costs(program: Program, costs_ns: NDArray[np.float64]) -> Program:
    """The same commands, each costing what its kind does."""
    return replace(program, service_ns=costs_ns[program.op])
