"""The model of stages where the answer is known: what overlaps, what makes all meet, and the path over stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cdep import Carried, StateMachine, early, group_of, i64, partially_dependent, service_of, u32
from cdep.critical_path import critical_path
from cdep.prediction import Costs, Predictor
from cdep.program import Program, rules_of
from cdep.schedule_model import BarrierCosts
from cdep.staged_model import EARLY_SHARE, is_staged, simulate_stages, staged_path, stages_of


class Market(StateMachine):
    """Orders of clients on items; never executed."""

    @partially_dependent("item")
    def order(self, item: u32, client: u32, carried: Carried) -> i64: ...

    @early(order, "client")
    def _reserve(self, client: u32) -> i64: ...

    @partially_dependent("client", stage="exact")
    def limit(self, client: u32) -> i64: ...


SERVICE = service_of(Market)
RULES = rules_of(SERVICE)
ORDER, LIMIT = (SERVICE.command(name).op for name in ("order", "limit"))


def program(calls: Sequence[tuple[int, int, int]], batch: int) -> Program:
    """Calls (op, client, item), each of 30 ns."""
    numbers: dict[tuple[str, int], int] = {}
    keys = np.full((len(calls), 2), -1, np.int64)
    groups = np.zeros((len(calls), 2), np.int64)
    for row, (op, client, item) in enumerate(calls):
        for place, key in enumerate([("client", client), ("item", item)][: 2 if op == ORDER else 1]):
            keys[row, place] = numbers.setdefault(key, len(numbers))
            groups[row, place] = group_of(key[1])
    starts = np.array([*range(0, len(calls), batch), len(calls)], np.int64)
    names = [(domain, str(value)) for domain, value in numbers]
    op = np.array([call[0] for call in calls], np.int64)
    return Program(SERVICE, op, keys, groups, starts, names, np.full(len(calls), 30.0))


def test_orders_of_one_client_on_many_items_overlap() -> None:
    made = program([(ORDER, 1, row) for row in range(640)], 64)
    assert is_staged(SERVICE)
    path, rows = staged_path(made, RULES)
    # Early stages one after another, then the last main stage.
    assert path.length_ns == pytest.approx(30 * (640 * EARLY_SHARE + 1 - EARLY_SHARE))
    assert path.work_ns == pytest.approx(30 * 640)
    assert rows.tolist() == [*range(640), 639]
    assert critical_path(made, RULES).length_ns == pytest.approx(30 * 640)


@pytest.mark.parametrize("workers", [2, 8])
def test_orders_of_many_clients_on_many_items_scale(workers: int) -> None:
    made = program([(ORDER, row, 63 - row % 64) for row in range(640)], 64)
    predictor = Predictor(made, RULES, Costs())
    assert predictor.at(workers).engine_per_s / predictor.at(1).engine_per_s == pytest.approx(workers)


def test_commands_decided_as_a_whole_are_one_thread() -> None:
    made = program([(LIMIT, row % 64, 0) for row in range(300)], 100)
    predictor = Predictor(made, RULES, Costs(BarrierCosts(meet_ns=100, resume_ns=100)))
    found = predictor.at(2)
    assert found.engine_per_s == pytest.approx(predictor.at(1).engine_per_s)
    assert found.together_per_s < found.engine_per_s
    path, _ = staged_path(made, RULES)
    assert path.speed_up_max == pytest.approx(1.0)


def test_a_round_for_each_batch_and_one_more_for_each_stop() -> None:
    made = program([(LIMIT if row % 200 == 199 else ORDER, row % 64, row % 64) for row in range(1600)], 800)
    stages = stages_of(made, RULES)
    assert simulate_stages(stages, made.batches, 4, BarrierCosts()).meetings == 2 + 8
    assert stages.exact.sum() == 8


def test_a_batch_with_too_many_stops_is_finished_by_one() -> None:
    made = program([(LIMIT if row % 10 == 9 else ORDER, row % 64, row % 64) for row in range(400)], 200)
    found = simulate_stages(stages_of(made, RULES), made.batches, 2, BarrierCosts())
    assert found.meetings == 2 * 3
    assert found.total_ns == pytest.approx(400 * 30, rel=0.15)


def test_early_stages_that_wait_cost_rounds() -> None:
    made = program([(ORDER, row % 64, row % 64) for row in range(640)], 64)
    free = simulate_stages(stages_of(made, RULES), made.batches, 2, BarrierCosts())
    waits = np.arange(made.count) % 10 == 0
    waiting = simulate_stages(stages_of(replace(made, waits=waits), RULES), made.batches, 2, BarrierCosts())
    assert waiting.meetings > free.meetings
    assert waiting.total_ns > free.total_ns
