"""The wavefront, from the engine's own source, in many interleavings: replies are those of log order, and mistakes are found."""

from __future__ import annotations

import pytest
from faults import STAGE_FAULTS
from twin import Fault
from twin_stages import TwinStages

SEEDS = 40
"""So many logs and interleavings are tried; a fault that none of them shows is not found."""
MANY_SEEDS = 1000


def run(*faults: Fault) -> None:
    for seed in range(SEEDS):
        TwinStages(seed, *faults).run()


def test_stages_in_any_interleaving_give_what_log_order_gives() -> None:
    run()


@pytest.mark.slow
def test_stages_in_many_more_interleavings() -> None:
    for seed in range(SEEDS, MANY_SEEDS):
        TwinStages(seed).run()


@pytest.mark.parametrize("fault", STAGE_FAULTS, ids=str)
def test_a_fault_of_the_stages_is_found(fault: Fault) -> None:
    with pytest.raises(AssertionError):
        run(fault)
