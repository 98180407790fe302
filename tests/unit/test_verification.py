"""The parts of verification: footprints are C-Dep, cells clash as they should, a run under watch stops at the access."""

from __future__ import annotations

from random import Random

import pytest
from services_to_verify import Marks, Teller, Transfers, Watched

from apps.kv import KV
from apps.nameserver import Nameserver
from cdep import StateMachine, conflict, group_of, service_of
from psmr.verification.cells import ADD, READ, VALUE, WORD, WRITE, Cell, Place, clash
from psmr.verification.declared import footprints, ordered
from psmr.verification.examining import clash_of
from psmr.verification.explaining import access_text
from psmr.verification.machine import Call, TracedMachine, named_call
from psmr.verification.orders import both_orders, differences
from psmr.verification.pools import Pools
from psmr.verification.search import Suspicion
from psmr.verification.shrinking import refutation_of, shrunk
from psmr.verification.tracing import UndeclaredAccess, Watch, traced_run

PLACE = Place("x.py", 1, "f")


@pytest.mark.parametrize("owner", [KV, Nameserver, Transfers, Watched])
def test_a_footprint_says_what_c_dep_says(owner: type[StateMachine]) -> None:
    service = service_of(owner)
    chance = Random(3)
    palette = Pools(owner, service, (), chance).palette()
    footprint = footprints(service)
    calls = [palette.call(chance.choice(service.commands).name) for _ in range(60)]
    verdicts = set()
    for one in calls:
        for other in calls:
            said = conflict(service, named_call(service, one), named_call(service, other))
            assert ordered(footprint(one), footprint(other)) == said
            verdicts.add(said)
    assert verdicts == {True, False}


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ([READ], [READ], None),
        ([ADD], [ADD], None),
        ([READ], [ADD], (READ, ADD)),
        ([ADD], [WRITE], (ADD, WRITE)),
        ([READ, WRITE], [READ], (WRITE, READ)),
        ([READ, WRITE], [READ, WRITE], (WRITE, WRITE)),
    ],
)
def test_how_cells_clash(one: list[str], other: list[str], how: tuple[str, str] | None) -> None:
    assert clash(dict.fromkeys(one, PLACE), dict.fromkeys(other, PLACE)) == how


def test_a_raising_command_changes_nothing_and_has_touched_what_it_touched() -> None:
    machine = TracedMachine(KV)
    machine.call(Call("put", (b"a", b"1")))
    before = machine.content()
    outcome = machine.call(Call("put", (b"b", b"x" * 257)))
    assert outcome.raised
    assert outcome.reply == "ValueError: a byte value is longer than the 256 bytes declared for it"
    assert machine.content() == before
    assert WRITE in outcome.touched[Cell("table", VALUE, b"b")]


def test_a_run_under_watch_stops_at_the_undeclared_access() -> None:
    calls = [Call("deposit", (1, 5)), Call("deposit", (2, 5)), Call("transfer", (1, 2, 3))]
    with pytest.raises(UndeclaredAccess) as raised:
        traced_run(Transfers, calls)
    text = str(raised.value)
    assert "Transfers.deposit writes balances[2] (" in text
    assert "Transfers.transfer writes it (" in text
    assert "services_to_verify.py:" in text
    assert "deposit(2, 5) is declared to touch account write" in text
    assert "transfer(1, 2, 3) is declared to touch source (account) write" in text
    assert raised.value.clash.cell == Cell("balances", VALUE, 2)


def test_a_run_under_watch_that_is_as_declared() -> None:
    outcomes = traced_run(Transfers, [Call("deposit", (1, 5)), Call("transfer", (1, 1, 3)), Call("deposit", (1, 1))])
    assert [outcome.reply for outcome in outcomes] == [None, True, None]
    watch = Watch(Watched)
    assert watch.call(Call("peek", ())).reply == 0
    with pytest.raises(UndeclaredAccess, match=r"annotate peek with @dependent: no parameter of it names ends\[0\]"):
        watch.call(Call("push", ()))


def test_a_counterexample_is_made_as_small_as_it_gets() -> None:
    noise = [Call("deposit", (number, 1000 + number)) for number in range(3, 30)]
    found = Suspicion(
        (*noise, Call("deposit", (77, 900)), *noise),
        Call("transfer", (77, 5000, 300)),
        Call("transfer", (5000, 78, 250)),
    )
    machine = TracedMachine(Transfers)
    least = shrunk(machine, [found])
    assert least is not None
    assert len(least.before) == 1
    assert least.differences
    assert all(abs(value) <= 3 for call in (*least.before, least.first, least.second) for value in call.arguments)
    assert refutation_of(machine, Suspicion(least.before, least.first, least.second)) == least


def test_rows_of_one_word_are_in_danger_between_two_workers() -> None:
    def word(key: int) -> tuple[int, int]:
        return group_of(8 * key), key >> 6  # a row of one byte: eight to a word, of one group

    first, second = next(
        (one, other)
        for one in range(200)
        for other in range(one)
        if word(one) == word(other) and group_of(one) != group_of(other)
    )
    machine = TracedMachine(Marks)
    found = clash_of(machine, Call("mark", (first,)), Call("mark", (second,)))
    assert found is not None
    assert found.cell.kind == WORD
    assert "Marks.mark writes eight bytes of marks that hold several values" in access_text(machine.service, found)
    assert clash_of(machine, Call("mark", (first,)), Call("mark", (first + 1,))) is None


def test_events_that_show_the_order() -> None:
    machine = TracedMachine(Teller)
    first, second = Call("add", (1,)), Call("add", (2,))
    found = differences(first, second, *both_orders(machine, first, second))
    one, two, three = (number.to_bytes(8, "little") for number in (1, 2, 3))
    assert found == [
        f"the events of add(1): {(('told', (one,)),)!r} or {(('told', (three,)),)!r}",
        f"the events of add(2): {(('told', (three,)),)!r} or {(('told', (two,)),)!r}",
    ]
    refused = machine.call(Call("add", (101,)))
    assert refused.raised
    assert refused.events == ()


def test_what_is_ordered_is_no_suspicion() -> None:
    pair = Suspicion((), Call("deposit", (1, 1)), Call("deposit", (1, 2)))
    assert refutation_of(TracedMachine(Transfers), pair) is None
    assert shrunk(TracedMachine(Transfers), [pair]) is None
