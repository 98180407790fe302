"""The twin of a program meets where the program meets, and its commands belong to the same workers and take their time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from staged_service import Orders
from test_advice_engine import random_batches, staged_batches

from cdep import service_of
from cdep.program import masks_of, rules_of
from cdep.schedule_model import BarrierCosts, owners_of
from cdep.staged_model import has_early, simulate_stages, stages_of
from psmr.advice.batches import program_of
from psmr.advice.probe import Probe
from psmr.advice.staged_probe import StagedProbe
from psmr.advice.twin import Twin
from psmr.advice.twin_rows import Crank, twin_of


def test_it_has_the_schedule_of_the_program() -> None:
    batches = random_batches(11, 6, 0.1)
    program = program_of(service_of(Probe), batches)
    program = replace(program, service_ns=np.where(program.op == 0, 1000.0, 3000.0))
    twin = Twin(program, 2)
    try:
        with pytest.raises(ValueError, match="expected measurements, found none"):
            twin.stretch(BarrierCosts(), 1.0)
        made = twin.program_of(program)
        rules = rules_of(program.service)
        assert owners_of(masks_of(made, rules), 2).tolist() == owners_of(masks_of(program, rules), 2).tolist()
        assert made.op.tolist() == program.op.tolist()
        assert made.batches.tolist() == program.batches.tolist()
        twin.round(program)
        twin.round(program)
        found = twin.stretch(BarrierCosts(), 1.0)
        assert found.least > 0 < found.usual
        assert found.slowdown == 1.0
    finally:
        twin.close()


@pytest.mark.parametrize("share", [0.0, 0.05])
def test_in_stages_it_goes_through_the_rounds_of_the_program(share: float) -> None:
    program = program_of(service_of(Orders), staged_batches(3, 8))
    waits = has_early(program) & (np.random.default_rng(1).random(program.count) < share)
    program = replace(program, service_ns=np.full(program.count, 900.0), waits=waits)
    batches, costs_ns, waiting = twin_of(program, 2, Crank())
    assert costs_ns.tolist() == program.service_ns.tolist()
    made = replace(program_of(service_of(StagedProbe), batches), service_ns=costs_ns, waits=waiting)
    found, expected = (
        simulate_stages(stages_of(each, rules_of(each.service)), each.batches, 2, BarrierCosts())
        for each in (made, program)
    )
    assert found.meetings == expected.meetings > len(batches)
    assert found.took_ns == pytest.approx(expected.took_ns)
