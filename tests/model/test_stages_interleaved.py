"""The wavefront, from the engine's own source, in many interleavings: replies are those of log order, and mistakes are found."""

from __future__ import annotations

import pytest
from faults import STAGE_FAULTS
from twin import Fault
from twin_stages import TwinStages

SEEDS = 8
FAULTY_SEEDS = 400
"""So many logs and interleavings are tried, at most, with a fault; one that none of them shows is not found."""
MANY_SEEDS = 1000


def run(seeds: int, *faults: Fault) -> None:
    for seed in range(seeds):
        TwinStages(seed, *faults).run()


def test_stages_in_any_interleaving_give_what_log_order_gives() -> None:
    run(SEEDS)


@pytest.mark.long
def test_stages_in_many_more_interleavings() -> None:
    run(MANY_SEEDS)


@pytest.mark.parametrize("fault", STAGE_FAULTS, ids=str)
def test_a_fault_of_the_stages_is_found(fault: Fault) -> None:
    with pytest.raises(AssertionError):
        run(FAULTY_SEEDS, fault)
