"""The model of the schedule against a simulation of workers that each follow the engine's rules, and where the answer is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from program_support import DESK, program, random_calls

from cdep import Call
from cdep.prediction import Costs, Predictor, classes_of
from cdep.program import masks_of, rules_of
from cdep.schedule_model import BarrierCosts, simulate
from cdep.what_if import gains
from psmr.core.width import class_of

RULES = rules_of(DESK)
DEAR = BarrierCosts(row_ns=1, batch_ns=5, meet_ns=7, resume_ns=11, spin_ns=40, wake_ns=100, call_ns=3)


@dataclass
class _Worker:
    """One worker as `psmr.execution.schedule` describes it: it holds others, is held, or goes on by itself."""

    number: int
    row: int = 0
    clock: float = 0.0
    waits_at: int = -1
    holds: int = 0
    stop: int = 0
    meetings: int = 0


class _Slot:
    """A batch executed by workers step by step, whichever can go on: their clocks do not depend on who is looked at first."""

    def __init__(self, owners: list[int], costs: list[float], look_ahead: int, barrier: BarrierCosts) -> None:
        self.owners, self.costs, self.look_ahead, self.barrier = owners, costs, look_ahead, barrier

    def run(self, workers: list[_Worker]) -> None:
        for worker in workers:
            worker.row, worker.waits_at = 0, -1
            worker.clock += self.barrier.batch_ns
        while not all(worker.row == len(self.owners) and not worker.holds for worker in workers):
            assert any(self._step(worker, workers) for worker in workers), "nobody can go on"

    def _step(self, worker: _Worker, workers: list[_Worker]) -> bool:
        if worker.waits_at >= 0:
            return False
        if worker.holds and worker.row >= worker.stop:
            self._let_go(worker, workers)
            return True
        if worker.row == len(self.owners):
            return False
        owner = self.owners[worker.row]
        if worker.holds or owner == 1 << worker.number:
            if owner & (worker.holds or owner):
                worker.clock += self.costs[worker.row] + self.barrier.row_ns
            worker.row += 1
        elif not owner >> worker.number & 1:
            worker.row += 1
        elif owner & ((1 << worker.number) - 1):
            worker.waits_at = worker.row
        else:
            return self._gather(
                worker, [other for other in workers if owner >> other.number & 1 and other is not worker]
            )
        return True

    def _gather(self, worker: _Worker, others: list[_Worker]) -> bool:
        if any(other.waits_at != worker.row for other in others):
            return False
        arrived = max(other.clock for other in [worker, *others])
        slept = arrived - worker.clock > self.barrier.spin_ns
        worker.clock = arrived + self.barrier.meet_ns + (self.barrier.wake_ns if slept else 0)
        worker.holds = self.owners[worker.row]
        worker.meetings += 1
        worker.stop = self._stop(worker.row)
        return True

    def _stop(self, row: int) -> int:
        held, last = self.owners[row], row
        for place in range(row + 1, len(self.owners)):
            owner = self.owners[place]
            if place > last + self.look_ahead or (owner & held and owner & ~held):
                break
            if owner & held and owner.bit_count() > 1:
                last = place
        return last + 1

    def _let_go(self, worker: _Worker, workers: list[_Worker]) -> None:
        held, worker.holds = worker.holds, 0
        for other in workers:
            if held >> other.number & 1 and other is not worker:
                goes_on = worker.clock + self.barrier.resume_ns
                if worker.clock - other.clock > self.barrier.spin_ns:
                    goes_on += self.barrier.wake_ns
                    worker.clock += self.barrier.call_ns
                other.clock = max(other.clock, goes_on)
                other.row, other.waits_at = worker.row, -1


@pytest.mark.parametrize("look_ahead", [0, 2, 8])
@pytest.mark.parametrize(("workers", "barrier"), [(2, BarrierCosts()), (2, DEAR), (3, DEAR), (5, DEAR)])
def test_it_is_what_workers_do_that_follow_the_rules(workers: int, barrier: BarrierCosts, look_ahead: int) -> None:
    for seed in range(4):
        random = np.random.default_rng(seed)
        made = program(random_calls(random, 120, items=40), random.integers(1, 60, 120).tolist(), 50)
        masks = masks_of(made, RULES)
        found = simulate(masks, made.service_ns, made.batches, workers, barrier, look_ahead=look_ahead)
        team = [_Worker(number) for number in range(workers)]
        owners = [sum({1 << group % workers for group in range(64) if int(m) >> group & 1}) for m in masks]
        for begin, end in zip(made.batches[:-1], made.batches[1:], strict=True):
            _Slot(owners[begin:end], made.service_ns[begin:end].tolist(), look_ahead, barrier).run(team)
        assert found.total_ns == pytest.approx(max(worker.clock for worker in team))
        assert found.meetings == sum(worker.meetings for worker in team)
        assert found.left_ns == pytest.approx([found.total_ns - worker.clock for worker in team])
        assert found.idle_ns.sum() == pytest.approx(found.waited_ns.sum())


@pytest.mark.parametrize("workers", [1, 2, 4, 8, 64])
def test_all_independent_on_k_workers_is_k(workers: int) -> None:
    made = program([Call("ping", {})] * 640, [10.0] * 640, 64)
    predictor = Predictor(made, RULES, Costs())
    assert predictor.at(workers).engine_per_s / predictor.at(1).engine_per_s == pytest.approx(workers)
    assert predictor.group_bound() == pytest.approx(64)


@pytest.mark.parametrize("workers", [2, 8, 64])
def test_all_dependent_is_one_thread(workers: int) -> None:
    made = program([Call("close", {"item": 1})] * 300, [10.0] * 300, 100)
    found = Predictor(made, RULES, Costs(DEAR)).at(workers)
    one = Predictor(made, RULES, Costs(DEAR)).at(1)
    assert found.engine_per_s == pytest.approx(one.engine_per_s)
    assert found.alone_share == 1.0
    assert found.paper_per_s < found.together_per_s <= one.engine_per_s
    assert Predictor(made, RULES, Costs()).group_bound() == pytest.approx(1.0)


def test_commands_slow_each_other_down() -> None:
    made = program([Call("ping", {})] * 640, [10.0] * 640, 64)
    costs = Costs(slowdown=((1, 1.0), (2, 1.6)))
    one, two, four = (Predictor(made, RULES, costs).at(workers).engine_per_s for workers in (1, 2, 4))
    assert two / one == pytest.approx(2 / 1.6)
    assert four / one == pytest.approx(4 / 1.6)


def test_classes_are_those_of_the_engine() -> None:
    pairs = [
        (several, count) for count in (1, 7, 64, 1024, 5000) for several in range(0, count + 1, max(1, count // 40))
    ]
    several, counts = (np.array(column) for column in zip(*pairs, strict=True))
    assert classes_of(several, counts).tolist() == [class_of(a, b) for a, b in pairs]


def test_what_if_finds_the_declaration_that_makes_it_one_thread() -> None:
    calls = [Call("close" if row % 4 == 0 else "change", {"item": row % 97}) for row in range(2000)]
    best, *others = gains(program(calls, [100.0] * 2000, 500), Costs(), (2, 8))
    assert best.text in {"close: @partially_dependent on item", "close: @independent"}
    assert best.per_s[-1] > 3e7
    assert "close" in best.valid_if
    assert all(gain.per_s[-1] <= best.per_s[-1] for gain in others)


def test_a_number_of_workers_that_there_cannot_be() -> None:
    with pytest.raises(ValueError, match="expected 1 to 64, found 65"):
        simulate(np.zeros(0, np.uint64), np.zeros(0), np.zeros(1, np.int64), 65, BarrierCosts())
