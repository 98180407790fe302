"""Every history of a few operations on a register: how many there are, and that both verdicts agree; the rest is a command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise, permutations

import numpy as np
import pytest

from psmr.checking import Operation
from psmr.checking.exhaustive import has_an_order, shapes
from psmr.checking.exhaustive.__main__ import main
from psmr.checking.exhaustive.blocks import fill
from psmr.checking.exhaustive.distinct import without_hope
from psmr.checking.exhaustive.every_set import extensions, is_explained, must_be
from psmr.checking.exhaustive.groups import Group, groups
from psmr.checking.exhaustive.kinds import CAS, LOST, LOST_CAS, READ
from psmr.checking.exhaustive.prepared import places, searches
from psmr.checking.exhaustive.running import Disagreement, Run
from psmr.checking.exhaustive.written_out import history
from psmr.checking.layout import Layout
from psmr.checking.memory import (
    AT_HEADS,
    AT_LEFT,
    AT_LINK_STARTS,
    AT_LINKS,
    AT_MORE,
    AT_OPERATIONS,
    AT_READ_STARTS,
    AT_READS,
    AT_STATES,
    CALLED,
    CHAINS,
    COLUMNS,
    IMPOSSIBLE,
    KIND,
    NEVER,
    STALE,
    pack,
)
from psmr.checking.model import Model
from psmr.checking.models.registers import CasRegister
from psmr.checking.recorded_check import model_named
from psmr.checking.search import Effort, Search
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


def sampled(model: str, operations: int, every: int) -> Iterator[tuple[Group, int]]:
    """Every so manyth history, as its group and its number there."""
    begin = 0
    for group in groups(model, operations):
        yield from ((group, number - begin) for number in range(-(-begin // every) * every, begin + group.count, every))
        begin += group.count


def test_a_history_is_found_by_its_number() -> None:
    for group in groups("cas-register", 3):
        assert [group.history(number) for number in range(group.count)] == list(group.histories())


def test_remembering_which_are_placed_changes_nothing() -> None:
    states = np.zeros(1 << 4, np.int64)
    for group, number in sampled("cas-register", 4, 97):
        intervals, kinds = np.array(group.shape.intervals, np.int64), np.array(group.kinds, np.int64)
        rows = np.array(group.history(number), np.int64)
        further = extensions(group.shape, tuple(kind in LOST for kind in group.kinds))
        found = is_explained(further, must_be(group.kinds), kinds, rows, states)
        assert found == has_an_order(intervals[:, 0], intervals[:, 1], kinds, rows), (group, rows)


def read_back(memory: np.ndarray, rows: int) -> dict[str, object]:
    """What the memory of a search says, apart from how replies and kinds are numbered."""
    operations = memory[memory[AT_OPERATIONS] :][: COLUMNS * rows].reshape(rows, COLUMNS)
    starts = memory[memory[AT_LINK_STARTS] :][: rows + 1]
    reads = memory[memory[AT_READS] :][: memory[memory[AT_READ_STARTS] + 1]]
    kinds = [(row[KIND], row[CALLED] == NEVER) for row in operations.tolist()]
    return {
        "operations": np.delete(operations, KIND, 1).tolist(),
        "alike": [[one == other for other in kinds] for one in kinds],
        "heads": memory[memory[AT_HEADS] :][: memory[CHAINS]].tolist(),
        "left": memory[memory[AT_LEFT] :][:rows].tolist(),
        "more": memory[memory[AT_MORE] :][:rows].tolist(),
        "links": [sorted(memory[memory[AT_LINKS] :][begin:end].tolist()) for begin, end in pairwise(starts)],
        "reads": reads.tolist(),
        "impossible": memory[IMPOSSIBLE],
        "begins stale": memory[memory[AT_STATES]] == STALE,
    }


@pytest.mark.parametrize(("name", "every"), [("register", 11), ("cas-register", 1009)])
def test_the_memory_of_a_search_in_a_block_is_what_the_checker_lays_out(name: str, every: int) -> None:
    model = model_named(name)
    space = np.zeros(1 << 14, np.int64)
    for group, number in sampled(name, 4, every):
        rows = group.history(number)
        for prepared, is_narrow in zip(searches(group, model), (False, True), strict=True):
            if len(prepared):
                layout = Layout(history(group, rows), model, by_session=is_narrow, whole_batches=is_narrow)
                fill(prepared, np.array(group.kinds, np.int64), np.array(rows, np.int64), space)
                count = len(layout.operations)
                assert read_back(space, count) == read_back(pack(layout.work)[0], count), (group, rows)


def asked(group: Group, rows: tuple[tuple[int, int], ...], model: Model) -> tuple[bool, object]:
    """Whether there is an order, and how the wide search of the checker went: what it placed in which order, and the ends."""
    effort = Effort(by_session=False, whole_batches=False, steps_max=None)
    operations = history(group, rows)
    search = Search(operations, model, effort, lambda: None)
    found = bool(search.run())
    places = {id(operation): place for place, operation in enumerate(operations)}
    placed = search.order() if found else [*search.dead_end().prefix, *search.dead_end().heads]
    return found, [places[id(operation)] for operation in placed]


def test_a_history_left_out_for_operations_without_hope_has_the_search_of_one_that_stays() -> None:
    model = model_named("cas-register")
    for group in list(groups("cas-register", 3))[::3]:
        arrays = places(group, model)
        searches_of: dict[object, list[tuple[bool, object]]] = {}
        stay: set[object] = set()
        for rows in group.histories():
            dead = brute_hopeless(group, rows)
            alive = tuple(row for place, row in enumerate(rows) if place not in dead)
            key = (dead, named_anew(group, alive, dead))
            searches_of.setdefault(key, []).append(asked(group, rows, model))
            found = without_hope(arrays.kinds, np.array(rows, np.int64), arrays.ahead)
            if found >= 0:
                assert {place for place in range(3) if found >> place & 1} == dead
                assert key not in stay, "one stays, not two"
                stay.add(key)
        assert stay == set(searches_of)
        assert all(len(set(map(repr, each))) == 1 for each in searches_of.values())


def brute_hopeless(group: Group, rows: tuple[tuple[int, int], ...]) -> frozenset[int]:
    """The operations to which no order leads of those that may come before, and are not of these themselves."""
    intervals, kinds = group.shape.intervals, group.kinds
    found: set[int] = set()
    before: set[int] | None = None
    while before != found:
        before = set(found)
        for place in range(len(rows)):
            others = [
                other
                for other in range(len(rows))
                if other not in {place, *before}
                and (kinds[place] in LOST or intervals[other][0] <= intervals[place][1])
            ]
            orders = [order for count in range(len(others) + 1) for order in permutations(others, count)]
            if not any(explains((*order, place), kinds, rows) for order in orders):
                found.add(place)
    return frozenset(found)


def named_anew(group: Group, alive: tuple[tuple[int, int], ...], dead: frozenset[int]) -> tuple[tuple[int, int], ...]:
    """The same rows, the values numbered in the order in which they first occur."""
    names = {0: 0}
    kinds = [kind for place, kind in enumerate(group.kinds) if place not in dead]
    for kind, (first, second) in zip(kinds, alive, strict=True):
        if kind != READ:
            names.setdefault(second if kind in (CAS, LOST_CAS) else first, len(names))
    return tuple((names.get(first, -1), names.get(second, -1)) for first, second in alive)


def test_a_fault_in_how_a_history_is_laid_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checker's own search, made to think that every operation was called at the beginning."""

    class Forgetful(Layout):
        def _rows(self, chains: list[list[Operation]], **options: bool) -> tuple[list[list[int]], list[int]]:
            rows, heads = super()._rows(chains, **options)
            return [[row[0] if row[0] == NEVER else 0, *row[1:]] for row in rows], heads

    monkeypatch.setattr("psmr.checking.exhaustive.prepared.Layout", Forgetful)
    with pytest.raises(Disagreement, match="expected linearizable False, as trying every order has it, found True"):
        list(Run("cas-register", 3, one_in=10**9).check(0, 10**9))


def test_a_wrong_answer_of_the_model_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def always(self: CasRegister, state: object, command: str, arguments: tuple[object, ...]) -> tuple[object, object]:
        return (state, state) if command == "read" else (arguments[-1], None)

    monkeypatch.setattr(CasRegister, "step", always)
    with pytest.raises(Disagreement, match="found True"):
        list(Run("cas-register", 2).check(0, 10**9))
