"""The exchange's rules one by one, on its model: what is reserved, what comes back, and why a command is refused."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.book.rules import Reason
from apps.exchange import APPLICATION, VARIANTS, Exchange, PlainExchange
from apps.exchange.model import Account, ExchangeModel
from apps.exchange.rules import CLIENTS, LIMIT_MAX, RESERVED_MAX, SETTLED_AT_ONCE_MAX, Refusal
from cdep import service_of
from psmr.workload import WorkloadOptions

CEILING = 100
BUY, SELL = 1, 2
DAY, IMMEDIATE = 0, 1
A, B, C, UNKNOWN = 1, 2, 3, 77
Call = tuple[str, tuple[Any, ...]]


def limit(client: int, order: int, side: int, price: int, quantity: int, kind: int = DAY) -> Call:
    return "limit", (0, client, order, side, kind, 0, price, quantity)


def prepared() -> ExchangeModel:
    """A and B may use 5,000, C 1,000 and is suspended; A and B grant each other 900 and 800; B has an order to buy 10 at 50."""
    model = ExchangeModel()
    calls: list[Call] = [("list_instrument", (0, CEILING)), ("list_instrument", (1, CEILING)), ("halt", (1,))]
    calls += [("set_gross", (A, 5_000)), ("set_gross", (B, 5_000)), ("set_gross", (C, 1_000)), ("suspend", (C,))]
    calls += [("set_line", (A, B, 900)), ("set_line", (B, A, 800)), limit(B, 7, BUY, 50, 10)]
    for call in calls:
        assert model.apply(*call) >= 0, call
    model.events.clear()
    return model


REFUSALS: list[tuple[Reason | Refusal, Call]] = [
    (Refusal.NO_CREDIT, limit(A, 8, BUY, 100, 51)),
    (Refusal.NO_CREDIT, limit(A, 8, SELL, 1, 51)),
    (Refusal.NO_CREDIT, ("market_order", (0, A, 8, SELL, 0, 51))),
    (Refusal.NO_CREDIT, ("replace", (0, B, 7, 10, 46))),
    (Refusal.CLIENT_SUSPENDED, limit(C, 8, BUY, 1, 1)),
    (Refusal.ABOVE_CEILING, limit(A, 8, BUY, 101, 1)),
    (Reason.PRICE_TOO_HIGH, limit(A, 8, BUY, 1 << 40, 1)),
    (Reason.PRICE_NOT_POSITIVE, limit(A, 8, SELL, 0, 1)),
    (Reason.QUANTITY_NOT_POSITIVE, limit(A, 8, SELL, 1, -(1 << 63))),
    (Reason.QUANTITY_TOO_LARGE, limit(A, 8, SELL, 1, (1 << 63) - 1)),
    (Reason.UNKNOWN_CLIENT, limit(UNKNOWN, 8, BUY, 1, 1)),
    (Reason.UNKNOWN_INSTRUMENT, ("limit", (9, A, 8, BUY, DAY, 0, 1, 1))),
    (Reason.INSTRUMENT_HALTED, ("limit", (1, A, 8, BUY, DAY, 0, 1, 1))),
    (Reason.DUPLICATE_ORDER, limit(A, 7, BUY, 1, 1)),
    (Reason.NOTHING_TO_TRADE_WITH, ("market_order", (0, A, 8, BUY, 0, 1))),
    (Reason.REPLACE_BEYOND_LIMITS, ("replace", (0, B, 7, 101, 1))),
    (Reason.REPLACE_BEYOND_LIMITS, ("reduce", (0, B, 7, 11))),
    (Reason.REPLACE_BEYOND_LIMITS, ("reduce", (0, B, 7, 0))),
    (Reason.NOT_OWN_ORDER, ("reduce", (0, A, 7, 1))),
    (Reason.ORDER_NOT_RESTING, ("cancel", (0, B, 6))),
    (Refusal.CEILING_OUT_OF_RANGE, ("list_instrument", (5, 0))),
    (Refusal.NEGATIVE_LIMIT, ("set_gross", (A, -1))),
    (Refusal.LIMIT_TOO_LARGE, ("set_gross", (A, LIMIT_MAX + 1))),
    (Refusal.LIMIT_BELOW_USED, ("set_gross", (B, 499))),
    (Refusal.CLIENT_OUT_OF_RANGE, ("set_gross", (CLIENTS, 1))),
    (Refusal.ALREADY_SUSPENDED, ("suspend", (C,))),
    (Refusal.NOT_SUSPENDED, ("reinstate", (A,))),
    (Refusal.UNKNOWN_COUNTERPARTY, ("set_line", (A, UNKNOWN, 1))),
    (Refusal.SAME_PARTY, ("trade", (0, A, A, BUY, 1, 1))),
    (Refusal.COUNTERPARTY_SUSPENDED, ("trade", (0, A, C, BUY, 1, 1))),
    (Refusal.COUNTERPARTY_NO_CREDIT, ("trade", (0, A, B, BUY, 100, 46))),
    (Refusal.LINE_EXCEEDED, ("trade", (0, A, B, BUY, 91, 10))),
    (Refusal.COUNTERPARTY_LINE_EXCEEDED, ("trade", (0, A, B, BUY, 81, 10))),
    (Refusal.TOO_MANY_CLIENTS, ("settle", (0, SETTLED_AT_ONCE_MAX + 1))),
    (Refusal.TOO_MANY_CLIENTS, ("settle", (CLIENTS - 1, 2))),
]


@pytest.mark.parametrize(("reason", "call"), REFUSALS, ids=lambda value: getattr(value, "name", None))
def test_a_refusal_says_why_and_uses_no_credit(reason: Reason | Refusal, call: Call) -> None:
    model, untouched = prepared(), prepared()
    assert model.apply(*call) == -int(reason)
    assert [name for name, _ in model.events] == ["rejected"]
    assert model.events[0][1][-1] == int(reason)
    for client in (A, B, C):
        assert model.cells[client]._replace(reserved=0) == untouched.cells[client]._replace(reserved=0)
    assert model.books[0].content() == untouched.books[0].content()


def test_every_refusal_is_tried() -> None:
    assert {reason for reason, _ in REFUSALS if isinstance(reason, Refusal)} == {*Refusal} - {
        Refusal.CREDIT_TO_BE_SETTLED
    }
    model = prepared()
    model.cells[A] = model.cells[A]._replace(reserved=RESERVED_MAX + 1)
    assert model.apply(*limit(A, 8, BUY, 1, 1)) == -int(Refusal.CREDIT_TO_BE_SETTLED)
    assert model.apply("settle", (0, 10)) == 0
    assert model.apply(*limit(A, 8, BUY, 1, 1)) == 0


def available(model: ExchangeModel, *clients: int) -> list[int]:
    return [model.apply("available", (client,)) for client in clients]


def test_an_order_uses_its_worst_price_and_a_fill_what_it_cost() -> None:
    model = prepared()
    assert available(model, A, B) == [5_000, 4_500]
    assert model.apply(*limit(A, 8, SELL, 40, 4)) == 4
    assert available(model, A, B) == [4_800, 4_500], "sold at the buyer's 50"
    assert model.apply(*limit(A, 9, SELL, 60, 10)) == 0
    assert available(model, A) == [3_800], "an order to sell could cost the ceiling"
    assert model.apply(*limit(B, 10, BUY, 70, 3, IMMEDIATE)) == 3
    assert available(model, A, B) == [3_920, 4_320]
    assert model.apply("reduce", (0, A, 9, 2)) == 0
    assert model.apply("cancel", (0, A, 9)) == 2
    assert available(model, A) == [5_000 - 200 - 180]
    assert [model.apply("position", (0, client)) for client in (A, B)] == [-7, 7]
    assert [model.apply("cash", (client,)) for client in (A, B)] == [380, -380]
    assert model.apply("settle", (0, 100)) == 2
    assert available(model, A, B) == [5_000, 5_000 - 6 * 50]
    assert [model.apply("cash", (client,)) for client in (A, B)] == [380, -380]


def test_what_two_clients_agree_on_uses_their_lines_until_it_is_paid() -> None:
    model = prepared()
    assert model.apply("trade", (0, A, B, SELL, 80, 10)) == 10
    assert available(model, A, B) == [4_200, 3_700]
    assert model.apply("trade", (0, B, A, SELL, 1, 1)) == -int(Refusal.LINE_EXCEEDED)
    assert model.apply("pay", (B, A)) == 800
    assert model.apply("pay", (B, A)) == 0
    assert model.apply("trade", (0, B, A, SELL, 1, 1)) == 1
    assert model.cells[A] == Account(5_000, 0, 801, 799, 0, 801)


def test_both_services_have_the_same_commands_and_records() -> None:
    plain, staged = service_of(PlainExchange), service_of(Exchange)
    assert [(c.name, c.op, c.parameters, c.reply) for c in plain.commands] == [
        (c.name, c.op, c.parameters, c.reply) for c in staged.commands
    ]
    assert plain.state == staged.state
    assert plain.command("limit").kind == "dependent"
    assert VARIANTS["staged"] is APPLICATION


def run(options: WorkloadOptions, batches: int) -> tuple[ExchangeModel, Counter[tuple[str, bool]]]:
    model, counts = ExchangeModel(), Counter[tuple[str, bool]]()
    workload = APPLICATION.workload(options)
    for batch in (*workload.preload(), *islice(workload.batches(0), batches)):
        for segment in batch:
            for row in zip(*(np.asarray(column).tolist() for column in segment.columns.values()), strict=True):
                reply = model.apply(segment.command, row)
                counts[segment.command, reply == -Refusal.NO_CREDIT] += 1
    return model, counts


def test_the_generated_flow_has_its_shares_and_comes_near_the_limits() -> None:
    parameters = {"instruments": "20", "clients": "50", "live": "300", "room": "25", "trades": "2000"}
    model, counts = run(WorkloadOptions(clients=1, batch=256, parameters=parameters), 24)
    total = 24 * 256
    orders = sum(count for (command, _), count in counts.items() if command == "limit")
    cancels = counts["cancel", False]
    assert 0.49 < orders / total < 0.55
    assert 0.41 < cancels / total < 0.47
    assert counts["limit", True] > 100
    assert counts["limit", False] > 1_000
    assert counts["trade", False] > 0
    assert sum(len(book) for book in model.books.values()) > 20


def test_a_file_is_spread_over_clients_and_judged(tmp_path: Path) -> None:
    lines = ["34200.1,1,11,10,5000,1", "34200.2,1,12,5,5000,1", "34200.3,2,11,4,5000,1", "34200.4,4,11,6,5000,1"]
    file = tmp_path / "messages.csv"
    file.write_text("\n".join([*lines, "34200.5,3,12,5,5000,1"]) + "\n")
    options = WorkloadOptions(batch=2, input_file=file, parameters={"clients": "7"})
    assert APPLICATION.judge is not None
    judge = APPLICATION.judge(options)
    assert judge is not None
    model = ExchangeModel()
    workload = APPLICATION.workload(options)
    for batch in (*workload.preload(), *workload.batches(0), *workload.batches(1)):
        for segment in batch:
            for row in zip(*(np.asarray(column).tolist() for column in segment.columns.values()), strict=True):
                judge.see(segment.command, row, model.apply(segment.command, row), list(model.events))
                model.events.clear()
    judgement = judge.judgement()
    assert judgement.holds
    assert judgement.figures == {"executions_compared": 1, "same_resting_order": 1, "mismatches": {}}
    assert len(model.books[0]) == 0
    assert (
        model.apply("position", (0, next(key[2] for key in model.cells if isinstance(key, tuple) and key[0] == "lots")))
        != 0
    )
