"""The credit matrix: each refusal by its own code and without effect, at and around every limit."""

from __future__ import annotations

import random
from itertools import islice
from typing import Any

import numpy as np
import pytest

from apps.credit import APPLICATION, Answer, Credit
from apps.credit.codes import AMOUNT_MAX, CLIENTS, SETTLED_MAX
from apps.credit.model import CreditMeaning, CreditModel
from cdep import service_of
from psmr.checking import Operation, check
from psmr.workload import WorkloadOptions

A, B, C, UNKNOWN = 1, 2, 3, 77
Call = tuple[str, tuple[Any, ...]]


def prepared() -> CreditModel:
    """A and B grant each other 100 and 80, have 150 in all; C is suspended; 30 are reserved between A and B."""
    model = CreditModel()
    calls: list[Call] = [("set_gross", (client, 150)) for client in (A, B, C)]
    calls += [("set_line", (A, B, 100)), ("set_line", (B, A, 80)), ("suspend", (C,)), ("reserve", (A, B, 30))]
    assert [model.apply(*call) for call in calls] == [Answer.DONE] * len(calls)
    return model


REFUSALS: list[tuple[Answer, Call]] = [
    (Answer.ZERO_AMOUNT, ("reserve", (A, B, 0))),
    (Answer.NEGATIVE_AMOUNT, ("release", (A, B, -1))),
    (Answer.AMOUNT_TOO_LARGE, ("settle", (A, B, AMOUNT_MAX + 1))),
    (Answer.AMOUNT_TOO_LARGE, ("reserve", (A, B, (1 << 63) - 1))),
    (Answer.NEGATIVE_AMOUNT, ("reserve", (A, B, -(1 << 63)))),
    (Answer.UNKNOWN_CLIENT, ("reserve", (UNKNOWN, B, 1))),
    (Answer.UNKNOWN_CLIENT, ("suspend", (CLIENTS,))),
    (Answer.UNKNOWN_CLIENT, ("reinstate", ((1 << 32) - 1,))),
    (Answer.UNKNOWN_COUNTERPARTY, ("release", (A, UNKNOWN, 1))),
    (Answer.UNKNOWN_COUNTERPARTY, ("set_line", (A, UNKNOWN, 1))),
    (Answer.SAME_PARTY, ("reserve", (A, A, 1))),
    (Answer.CLIENT_SUSPENDED, ("reserve", (C, A, 1))),
    (Answer.COUNTERPARTY_SUSPENDED, ("reserve", (A, C, 1))),
    (Answer.CLIENT_GROSS_EXCEEDED, ("reserve", (A, B, 121))),
    (Answer.CLIENT_LINE_EXCEEDED, ("reserve", (A, B, 71))),
    (Answer.COUNTERPARTY_LINE_EXCEEDED, ("reserve", (A, B, 51))),
    (Answer.CLIENT_LINE_EXCEEDED, ("reserve", (B, A, 51))),
    (Answer.MORE_THAN_USED, ("release", (A, B, 31))),
    (Answer.MORE_THAN_USED, ("settle", (B, A, 31))),
    (Answer.NEGATIVE_LIMIT, ("set_gross", (A, -1))),
    (Answer.LIMIT_TOO_LARGE, ("set_line", (A, B, AMOUNT_MAX + 1))),
    (Answer.LIMIT_BELOW_USED, ("set_gross", (A, 29))),
    (Answer.LIMIT_BELOW_USED, ("set_line", (B, A, 29))),
    (Answer.CLIENT_OUT_OF_RANGE, ("set_gross", (CLIENTS, 1))),
    (Answer.ALREADY_SUSPENDED, ("suspend", (C,))),
    (Answer.NOT_SUSPENDED, ("reinstate", (A,))),
]


@pytest.mark.parametrize(("answer", "call"), REFUSALS, ids=lambda value: getattr(value, "name", None))
def test_a_refusal_says_why_and_changes_nothing(answer: Answer, call: Call) -> None:
    model, untouched = prepared(), prepared()
    assert model.apply(*call) is answer
    assert model.book == untouched.book


def test_what_just_fits_a_limit_is_taken() -> None:
    model = prepared()
    assert model.apply("reserve", (B, A, 50)) is Answer.DONE
    assert [model.apply("available_between", pair) for pair in ((A, B), (B, A), (A, C), (A, A))] == [0, 0, 0, None]
    assert model.apply("set_line", (B, A, 80)) is Answer.DONE
    assert model.apply("set_gross", (A, 80)) is Answer.DONE
    assert model.apply("available", (A,)) == 0
    assert model.apply("settle", (A, B, 80)) is Answer.DONE
    assert [model.apply("settled", (client,)) for client in (A, B, C, UNKNOWN)] == [80, 80, 0, None]
    assert model.apply("total_used", ()) == 0


def test_a_suspended_client_may_release_and_settle_and_be_given_limits() -> None:
    model = prepared()
    assert model.apply("suspend", (A,)) is Answer.DONE
    calls = [("release", (A, B, 10)), ("settle", (A, B, 10)), ("set_gross", (A, 10)), ("set_line", (A, B, 10))]
    assert [model.apply(*call) for call in calls] == [Answer.DONE] * 4
    assert model.apply("reserve", (A, B, 1)) is Answer.CLIENT_SUSPENDED


def test_what_was_ever_settled_has_a_limit_of_its_own() -> None:
    model = CreditModel()
    for client in (A, B):
        model.apply("set_gross", (client, AMOUNT_MAX))
    for pair in ((A, B), (B, A)):
        model.apply("set_line", (*pair, AMOUNT_MAX))
    model.book[B] = model.book[B]._replace(settled=SETTLED_MAX - 9)
    model.apply("reserve", (A, B, 20))
    assert model.apply("settle", (A, B, 10)) is Answer.SETTLED_TOO_LARGE
    assert model.apply("settle", (A, B, 9)) is Answer.DONE
    assert model.apply("settled", (B,)) == SETTLED_MAX


def test_no_code_is_without_a_refusal() -> None:
    assert {answer for answer, _ in REFUSALS} == {*Answer} - {
        Answer.DONE,
        Answer.COUNTERPARTY_GROSS_EXCEEDED,
        Answer.SETTLED_TOO_LARGE,
    }
    model = prepared()
    model.apply("set_gross", (B, 40))
    assert model.apply("reserve", (A, B, 11)) is Answer.COUNTERPARTY_GROSS_EXCEEDED


def test_no_limit_is_exceeded_after_any_command_of_the_workload() -> None:
    model = CreditModel()
    workload = APPLICATION.workload(WorkloadOptions(parameters={"clients": "40", "room": "3", "wrong": "50000"}))
    answers: set[Answer] = set()
    for batch in (*workload.preload(), *islice(workload.batches(0), 100)):
        for segment in batch:
            columns = [column.tolist() for column in segment.columns.values()]
            for row in zip(*columns, strict=True) if columns else [()] * segment.count:
                reply = model.apply(segment.command, row)
                answers |= {reply} if isinstance(reply, Answer) else set()
                for touched in {*row[:2], row[:2]} & model.book.keys():
                    assert 0 <= model.book[touched].used <= model.book[touched].limit
    pairs = [key for key in model.book if isinstance(key, tuple)]
    assert all(model.book[pair].used == model.book[pair[::-1]].used for pair in pairs)
    for client in range(40):
        assert model.book[client].used == sum(model.book[pair].used for pair in pairs if pair[0] == client)
    assert {Answer.CLIENT_GROSS_EXCEEDED, Answer.COUNTERPARTY_LINE_EXCEEDED, Answer.MORE_THAN_USED} <= answers


def test_a_checkers_step_and_the_model_agree() -> None:
    chosen = random.Random(3)
    model, meaning, state = prepared(), CreditMeaning(), CreditMeaning.initial.changed(dict(prepared().book))
    calls = [call for _, call in REFUSALS] + [("reserve", (A, B, 7)), ("release", (B, A, 5)), ("suspend", (A,))]
    calls += [("reinstate", (A,)), ("available", (A,)), ("used", (B,)), ("total_used", ()), ("set_gross", (9, 5))]
    for _ in range(600):
        command, arguments = chosen.choice(calls)
        before = state
        state, reply = meaning.step(state, command, arguments)
        assert reply == model.apply(command, arguments)
        assert dict(state.items()) == model.book
        assert (state == before) == (hash(state) == hash(before))
        assert command not in meaning.read_only or state == before


def test_a_history_in_which_a_limit_is_exceeded_is_refused() -> None:
    calls: list[Call] = [("set_gross", (A, 10)), ("set_gross", (B, 10)), ("set_line", (A, B, 10))]
    calls += [("set_line", (B, A, 10)), ("reserve", (A, B, 6)), ("reserve", (B, A, 6))]
    replies = [Answer.DONE] * 5 + [Answer.CLIENT_GROSS_EXCEEDED]
    history = [Operation("p", 2 * n, 2 * n + 1, *call, int(replies[n])) for n, call in enumerate(calls)]
    assert check(history, APPLICATION.checking).linearizable
    history[-1] = history[-1]._replace(reply=int(Answer.DONE))
    assert check(history, APPLICATION.checking).linearizable is False


def test_the_classes_of_the_commands_are_those_of_the_readme() -> None:
    found: dict[str, Any] = {
        command.name: [(key.parameter, key.access) for key in command.dependencies] or command.kind
        for command in service_of(Credit).commands
    }
    both = [("client", "write"), ("counterparty", "write")]
    assert found == {
        **dict.fromkeys(("reserve", "release", "settle"), both),
        **{name: [("client", "write")] for name in ("set_gross", "suspend", "reinstate")},
        "set_line": [("client", "write"), ("counterparty", "read")],
        **{name: [("client", "read")] for name in ("available", "used", "settled")},
        "available_between": [("client", "read"), ("counterparty", "read")],
        "total_used": "dependent",
    }
    assert {key.domain for command in service_of(Credit).commands for key in command.dependencies} == {"client"}


def test_a_workload_without_a_file_and_with_its_parameters_only() -> None:
    with pytest.raises(ValueError, match="expected one of clients, distribution, room, wrong"):
        APPLICATION.workload(WorkloadOptions(parameters={"instruments": "3"}))
    drawn = [next(APPLICATION.workload(WorkloadOptions(seed=4)).batches(1)) for _ in range(2)]
    for one, other in zip(*drawn, strict=True):
        assert one.command == other.command
        assert all(np.array_equal(one.columns[name], other.columns[name]) for name in one.columns)
