"""What several workers take longer than the model says: batches of one worker are not stretched, and the choice sees the usual."""

from __future__ import annotations

import numpy as np
import pytest

from cdep import StateMachine, dependent, partially_dependent, service_of
from cdep.prediction import Costs, Predictor, Stretch, stretched
from cdep.program import Program, rules_of
from cdep.schedule_model import BarrierCosts, simulate
from cdep.types import u32


class Halves(StateMachine):
    """Two keys, each of its own worker."""

    @partially_dependent("key")
    def turn(self, key: u32) -> None:
        """On one of them."""

    @dependent
    def meet(self) -> None:
        """On both."""


BATCHES, ROWS = 20, 64
OP = (np.arange(BATCHES * ROWS) % ROWS == 0).astype(np.int64)
GROUPS = (np.arange(BATCHES * ROWS) % 2).reshape(-1, 1)
PROGRAM = Program(
    service_of(Halves),
    OP,
    np.where(OP[:, None] == 1, -1, GROUPS),
    GROUPS,
    np.arange(0, BATCHES * ROWS + 1, ROWS),
    [("key", "0"), ("key", "1")],
    np.full(BATCHES * ROWS, 100.0),
)
RULES = rules_of(PROGRAM.service)


def at_two(stretch: Stretch) -> tuple[float, float, float]:
    found = Predictor(PROGRAM, RULES, Costs(BarrierCosts(meet_ns=50, resume_ns=50), stretch=stretch)).at(2)
    return found.engine_per_s, found.together_per_s, found.alone_share


def test_two_workers_take_so_many_times_as_long() -> None:
    engine, together, alone = at_two(Stretch())
    assert (engine, alone) == (together, 0.0)
    slow_engine, slow_together, alone = at_two(Stretch(1.25, 1.25))
    assert alone == 0.0
    assert slow_engine == pytest.approx(engine / 1.25)
    assert slow_together == pytest.approx(together / 1.25)


def test_the_engine_chooses_by_what_is_usual() -> None:
    one = Predictor(PROGRAM, RULES, Costs()).at(1).engine_per_s
    engine, together, alone = at_two(Stretch(1.1, 3.0))
    assert alone == 1.0
    assert engine == pytest.approx(one)
    assert together > one


def test_waiting_is_what_is_added_and_batches_of_one_worker_stay() -> None:
    masks = np.full(6, 3, np.uint64)
    found = simulate(masks, np.full(6, 10.0), np.array([0, 3, 6]), 2, BarrierCosts(meet_ns=5))
    more = stretched(found, 2.0, np.array([True, False]))
    assert more.took_ns.tolist() == [found.took_ns[0], 2 * found.took_ns[1]]
    assert more.total_ns == found.total_ns + found.took_ns[1]
    assert (more.idle_ns - found.idle_ns).tolist() == [found.took_ns[1]] * 2
