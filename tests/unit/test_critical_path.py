"""The critical path against the longest path in the graph of conflicts, and where the answer is known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from program_support import DESK, program, random_calls

from cdep import Call, conflict, mask
from cdep.critical_path import EVERYTHING, critical_path
from cdep.program import masks_of, rules_of
from cdep.serial import commands_on_path, keys_on_path

RULES = rules_of(DESK)


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_longest_path_of_conflicts(seed: int) -> None:
    random = np.random.default_rng(seed)
    calls = random_calls(random, 60, items=1 + seed)
    costs = random.integers(1, 100, len(calls)).tolist()
    ends = [0] * len(calls)
    for row, call in enumerate(calls):
        ends[row] = costs[row] + max((ends[i] for i in range(row) if conflict(DESK, calls[i], call)), default=0)
    path = critical_path(program(calls, costs, 16), RULES)
    assert path.length_ns == max(ends)
    assert path.work_ns == sum(costs)
    assert sum(costs[row] for row in path.rows) == path.length_ns
    rows = path.rows.tolist()
    assert all(conflict(DESK, calls[a], calls[b]) for a, b in pairwise(rows))


@pytest.mark.parametrize("batch", [7, 64, 200])
def test_masks_are_those_of_the_mapping(batch: int) -> None:
    calls = random_calls(np.random.default_rng(batch), 200, items=500)
    expected = [mask(DESK, call, row % batch) for row, call in enumerate(calls)]
    assert masks_of(program(calls, [1.0] * 200, batch), RULES).tolist() == expected


def test_all_dependent_leaves_no_speed_up() -> None:
    path = critical_path(program([Call("close", {"item": 1})] * 50, [3.0] * 50, 10), RULES)
    assert path.speed_up_max == 1.0
    assert len(path.rows) == 50
    assert set(path.through[1:].tolist()) == {EVERYTHING}


def test_all_independent_is_bounded_by_the_longest_command() -> None:
    assert critical_path(program([Call("ping", {})] * 50, [1.0] * 50, 10), RULES).speed_up_max == 50.0


def test_reads_of_one_key_do_not_wait_for_each_other() -> None:
    calls = [Call("look", {"item": 1})] * 9 + [Call("change", {"item": 1})]
    assert critical_path(program(calls, [1.0] * 10, 10), RULES).length_ns == 2.0


def test_the_key_and_the_command_that_serialise_are_named() -> None:
    calls = [Call("change", {"item": 7 if row % 2 else 100 + row}) for row in range(100)]
    made = program(calls, [1.0] * 100, 50)
    path = critical_path(made, RULES)
    assert path.speed_up_max == 2.0
    (key, *_) = keys_on_path(made, RULES, path, top=3)
    assert (key.domain, key.key, key.of_commands) == ("item", "7", 0.5)
    assert key.share == pytest.approx(49 / 50)
    (command,) = commands_on_path(made, path)
    assert (command.domain, command.share) == ("change", 1.0)


def test_nothing_has_no_path() -> None:
    path = critical_path(program([], [], 1), RULES)
    assert (path.length_ns, path.speed_up_max, len(path.rows)) == (0.0, 1.0, 0)
