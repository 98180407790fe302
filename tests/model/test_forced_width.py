"""The number of workers that a batch is given never shows in the result: the choice is made at random, and nothing differs."""

from __future__ import annotations

import random

import pytest
from digest_services import Everything
from execution_support import RING_BYTES, execute
from random_calls import everything_call, random_log

from psmr.execution.engine import Engine

CALLS = 900


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 3, 5])
@pytest.mark.parametrize("seed", [11, 12])
def test_a_random_width_gives_the_same_replies_and_state(workers: int, seed: int) -> None:
    log = random_log(everything_call, seed, CALLS)
    chance = random.Random(seed)
    chosen: list[int] = []

    def choose(synchronous: int, count: int) -> int:
        chosen.append(chance.choice([1, workers]))
        return chosen[-1]

    reference = Engine(Everything, 1, ring_bytes=RING_BYTES, spin=20, patience=0)
    forced = Engine(Everything, workers, ring_bytes=RING_BYTES, spin=20, patience=0, choose=choose)
    try:
        reference.start()
        forced.start()
        assert execute(forced, log) == execute(reference, log)
        assert forced.digest() == reference.digest()
        assert set(chosen) == {1, workers}
    finally:
        reference.close()
        forced.close()
