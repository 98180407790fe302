"""Every history of a few operations on a register: how many there are, and that both verdicts agree; the rest is a command."""

from __future__ import annotations

import json
from itertools import pairwise, permutations

import numpy as np
import pytest

from psmr.checking import Operation
from psmr.checking.exhaustive import has_an_order, shapes
from psmr.checking.exhaustive.__main__ import main
from psmr.checking.exhaustive.groups import groups
from psmr.checking.exhaustive.running import Disagreement, Run, history
from psmr.checking.verdict import Verdict


def test_there_are_as_many_shapes_as_interval_orders() -> None:
    assert [len(list(shapes(operations))) for operations in range(1, 6)] == [1, 2, 5, 15, 53]


def test_groups_say_how_many_histories_they_have_and_none_comes_twice() -> None:
    for model in ("register", "cas-register"):
        for operations in (1, 2, 3):
            every = [
                (group.shape, group.kinds, rows) for group in groups(model, operations) for rows in group.histories()
            ]
            assert len(set(every)) == len(every) == Run(model, operations).count


def explains(order: tuple[int, ...], kinds: tuple[int, ...], rows: tuple[tuple[int, int], ...]) -> bool:
    state = 0
    for place in order:
        first, second = rows[place]
        if kinds[place] in (READ, CAS, LOST_CAS) and state != first:
            return False
        state = state if kinds[place] == READ else second if kinds[place] in (CAS, LOST_CAS) else first
    return True


def in_words(intervals: tuple[tuple[int, int], ...], kinds: tuple[int, ...], rows: tuple[tuple[int, int], ...]) -> bool:
    """The definition: some of the lost operations, and all others, in an order that keeps precedence."""
    places = range(len(kinds))
    for count in range(len(kinds) + 1):
        for order in permutations(places, count):
            if any(kinds[place] not in LOST and place not in order for place in places):
                continue
            precedes = any(
                kinds[later] not in LOST and intervals[later][1] < intervals[earlier][0]
                for at, earlier in enumerate(order)
                for later in order[at + 1 :]
            )
            if not precedes and explains(order, kinds, rows):
                return True
    return False


def test_the_compiled_search_is_the_definition() -> None:
    for group in groups("cas-register", 3):
        intervals, kinds = np.array(group.shape.intervals, np.int64), np.array(group.kinds, np.int64)
        for rows in list(group.histories())[::3]:
            found = has_an_order(intervals[:, 0], intervals[:, 1], kinds, np.array(rows, np.int64))
            assert found == in_words(group.shape.intervals, group.kinds, rows), (group, rows)


def test_no_process_does_two_things_at_once() -> None:
    for group in groups("register", 4):
        operations = history(group, next(group.histories()))
        busy: dict[int, list[Operation]] = {}
        for operation in operations:
            busy.setdefault(operation.process, []).append(operation)
        assert len(busy) <= 3
        for own in busy.values():
            own.sort(key=lambda each: each.invoked_us)
            for one, next_one in pairwise(own):
                assert one.returned_us is None or one.returned_us < next_one.invoked_us


def test_a_run_goes_on_where_another_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--operations", "3", "--json"]
    found = []
    for more in ([], ["--histories", "100"], ["--start", "100"]):
        assert main([*arguments, *more]) == 0
        found.append(json.loads(capsys.readouterr().out))
    whole, first, rest = found
    assert whole["checked"] == whole["histories"] == first["checked"] + rest["checked"] == 268
    assert whole["linearizable"] == first["linearizable"] + rest["linearizable"]
    assert (first["next"], rest["next"]) == (100, 268)


def test_a_wrong_verdict_is_told_with_its_history(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def always(operations: object, model: object) -> Verdict:
        return Verdict(True, 2, 1)

    monkeypatch.setattr("psmr.checking.exhaustive.running.check", always)
    with pytest.raises(Disagreement, match="expected linearizable False"):
        list(Run("register", 2).check(0, 22))
    assert main(["--operations", "2", "--json"]) == 1
    assert "read" in json.loads(capsys.readouterr().out)["disagreement"]
