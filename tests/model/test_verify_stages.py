"""Services with early stages under verification: the project's own are not accused, wrong ones are explained and shown again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from staged_service import FAILS_EARLY, FAILS_LATE, Holdings, Orders
from wrong_services_stages import GrantsTooEarly, RaisesTooLate, Reserving, TwoReserve

from apps.exchange import Exchange
from cdep import StateMachine, i64, service_of
from cdep.staging import WAIT
from psmr.cli import main
from psmr.services import find_application
from psmr.verification.explaining import explained
from psmr.verification.inferring import infer
from psmr.verification.machine import Call, TracedMachine, waits
from psmr.verification.passing import stage_differences
from psmr.verification.script import script_of
from psmr.verification.search import Search
from psmr.verification.shrinking import refutation_of, shrunk
from psmr.verification.stages import PASSING
from psmr.verification.verifying import started


@pytest.mark.parametrize("owner", [Orders, Holdings], ids=lambda owner: owner.__name__)
def test_services_with_early_stages_are_not_accused(owner: type[StateMachine]) -> None:
    search = Search(owner, seed=2)
    for _ in range(5):
        search.explore()
    assert search.suspicions == {}
    assert search.searched.in_both_orders > 10


def test_the_exchange_is_not_accused() -> None:
    search = started(Exchange, find_application("exchange"), 1, lambda trials: None)
    for _ in range(12):
        search.explore()
    assert search.suspicions == {}
    assert search.searched.succeeded["limit"] > 0


class RefusesAtOnce(Exchange):
    """An order that would have to wait for what is given back is refused."""

    def _take_credit(self, client: int, amount: i64) -> i64:
        found = super()._take_credit(client, amount)
        return i64(-64) if found == WAIT else found


@pytest.mark.long
@pytest.mark.parametrize("owner", [Exchange, RefusesAtOnce], ids=lambda owner: owner.__name__)
def test_the_exchange_near_exhaustion(owner: type[StateMachine]) -> None:
    application = find_application("exchange")
    near = {"room": "1", "instruments": "2", "clients": "4", "live": "100"}
    tight = replace(application, workload=lambda options: application.workload(replace(options, parameters=near)))
    search = started(owner, tight, 1, lambda trials: None)
    while search.searched.states < 300 and not search.suspicions:
        search.explore()
    assert {key[2] for key in search.suspicions} == ({"passing"} if owner is RefusesAtOnce else set())


def test_stages_are_executed_and_undone_each_for_itself() -> None:
    machine = TracedMachine(Orders)
    assert machine.call(Call("deposit", (1, 100))).reply is not None
    waiting = machine.early(Call("order", (1, 2, 101)))
    assert waiting is not None
    assert waits(waiting)
    assert waiting.events == ()
    before = machine.content()
    refused = machine.call(Call("order", (1, 2, FAILS_EARLY)))
    assert refused.raised
    assert refused.stages is not None
    assert refused.stages.main is None
    assert machine.content() == before
    late = machine.call(Call("order", (1, 2, FAILS_LATE)))
    assert late.raised
    assert [name for name, _ in late.events] == ["reserving"]
    assert machine.content() != before  # what the early stage reserved stays
    granted = machine.call(Call("order", (1, 2, 5)))
    assert [name for name, _ in granted.events] == ["reserving", "taken"]
    assert granted.stages is not None
    assert granted.stages.early is not None
    assert granted.stages.early.reply != WAIT


def test_a_grant_that_more_releases_would_not_give() -> None:
    machine = TracedMachine(GrantsTooEarly)
    for number in range(2):
        assert machine.call(Call("order", (1, 3, 5 + number))).reply is True
    found = stage_differences(machine, PASSING, Call("give_up", (3,)), Call("order", (1, 4, 1)))
    assert found == [
        "with nothing of the main stage of give_up(3) done: the early stage of order(1, 4, 1) answers 1, and WAIT when all of it "
        "is done"
    ]
    assert machine.call(Call("give_up", (3,))).reply == 6
    assert stage_differences(machine, PASSING, Call("give_up", (3,)), Call("order", (1, 4, 1))) == []


def test_a_part_that_is_taken_back() -> None:
    machine = TracedMachine(RaisesTooLate)
    assert machine.call(Call("order", (1, 3, 12))).reply is True
    found = stage_differences(machine, PASSING, Call("order", (2, 3, 1)), Call("order", (1, 4, 2)))
    assert found == [
        "with a part of the main stage of order(2, 3, 1) done, which raises and is taken back (released[25] = 12): the early "
        "stage of order(1, 4, 2) answers 2, and WAIT when all of it is done"
    ]
    assert machine.content() == {**machine.content()}


@pytest.mark.parametrize("owner", [RaisesTooLate, TwoReserve], ids=lambda owner: owner.__name__)
def test_a_refutation_of_stages_is_made_small_and_can_be_shown_again(
    owner: type[StateMachine], capsys: pytest.CaptureFixture[str]
) -> None:
    search = Search(owner, seed=1)
    while not search.suspicions:
        search.explore()
    machine = TracedMachine(owner)
    found = shrunk(machine, next(iter(search.suspicions.values())))
    assert found is not None
    assert len(found.before) <= 2
    lines = explained(service_of(owner), found)
    assert lines[-1].startswith("cure: ")
    assert "the early stage _reserve" in " ".join(lines)
    script = script_of(f"{owner.__module__}:{owner.__name__}", found, lines)
    names: dict[str, object] = {}
    exec(script, names)
    assert names["found"] == list(found.differences)
    assert "in the order of the log" in capsys.readouterr().out
    assert machine.content() == {}


def test_what_is_declared_of_stages_is_proposed_again() -> None:
    left = 20
    result = infer(Reserving, None, 1, lambda states: states < left)
    found = {one.command: (one.verdict, one.declared, one.proposed) for one in result.comparisons}
    assert set(found) == {"deposit", "give_up", "order, early stage", "order, main stage", "credit"}
    assert {verdict for verdict, _, _ in found.values()} == {"as declared"}
    assert found["order, early stage"][1:] == ('@early(order, "client")',) * 2
    assert found["order, main stage"][1:] == ('@partially_dependent("stock")',) * 2
    too_weak = infer(TwoReserve, None, 1, lambda states: states < left)
    verdicts = {one.command: one for one in too_weak.comparisons}
    assert verdicts["order, early stage"].verdict == "declared too weakly"
    assert verdicts["order, early stage"].proposed == '@early(order, "client", "payer", domain="client")'


def test_the_command_line_names_the_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.chdir(tmp_path)
    service = "wrong_services_stages:LooksAtTheLimit"
    assert main(["cdep", "verify", service, "--states", "6", "--script", "shown.py"]) == 1
    text = capsys.readouterr().out
    assert text.startswith("LooksAtTheLimit: refuted\n")
    assert "the main stage order of LooksAtTheLimit reads limits[" in text
    assert "nothing orders a main stage with early stages behind it" in text
    assert "cure: let the early stage carry it to the main stage" in text
    assert "so any number of workers is at most" in text
    assert "stage_differences(machine, 'passing', FIRST, SECOND)" in Path("shown.py").read_text()
    assert main(["cdep", "infer", "wrong_services_stages:Reserving", "--states", "20", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert "order, early stage" in [one["command"] for one in document["commands"]]


def test_what_is_ordered_is_no_refutation() -> None:
    search = Search(TwoReserve, seed=1)
    while not search.suspicions:
        search.explore()
    suspicion = next(iter(search.suspicions.values()))[0]
    same = suspicion.second._replace(arguments=suspicion.first.arguments)
    assert refutation_of(TracedMachine(TwoReserve), replace(suspicion, second=same)) is None
