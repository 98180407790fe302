"""The twin of a program meets where the program meets, and its commands belong to the same workers and take their time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_advice_engine import random_batches

from cdep import service_of
from cdep.program import masks_of, rules_of
from cdep.schedule_model import BarrierCosts, owners_of
from psmr.advice.batches import program_of
from psmr.advice.probe import Probe
from psmr.advice.twin import Twin


def test_it_has_the_schedule_of_the_program() -> None:
    batches = random_batches(11, 6, 0.1)
    program = program_of(service_of(Probe), batches)
    program = replace(program, service_ns=np.where(program.op == 0, 1000.0, 3000.0))
    twin = Twin(2)
    try:
        with pytest.raises(ValueError, match="expected measurements, found none"):
            twin.stretch(BarrierCosts(), 1.0)
        made = program_of(service_of(Probe), twin.batches_of(program))
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
