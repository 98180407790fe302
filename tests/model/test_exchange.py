"""The exchange, plain and in stages, by one worker and several: replies, events and state are the sequential model's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from exchange_calls import Calls
from execution_support import NOW_US, Batch, decode, encode, engines, state_of

from apps.exchange import Exchange, PlainExchange
from apps.exchange.model import ExchangeMeaning, ExchangeModel
from apps.exchange.rules import Refusal
from psmr.core.reply import REPLY_HEADER_BYTES
from psmr.demo.told import ToldByBatch
from psmr.execution.engine import Engine
from psmr.execution.outcome import Executed

BATCHES, ROWS = 14, 70
GUARD_S = 60.0


def run(engine: Engine, log: Sequence[Batch]) -> list[Executed]:
    """What each batch gave."""
    executed: list[Executed] = []
    for sequence, batch in enumerate(log, 1):
        records, blob = encode(engine.layout, batch)
        while not engine.offer(7, sequence, engine.layout.stride, len(batch), records, blob, NOW_US + sequence):
            executed += engine.collect()
    assert engine.settle(GUARD_S), f"expected the workers to finish, found {engine.dead()}"
    return executed + engine.collect()


@contextmanager
def exchanges(workers: Sequence[int], *, compiled: bool) -> Iterator[dict[str, Engine]]:
    """The plain exchange with one worker, and the one in stages with each number of workers."""
    with ExitStack() as stack:
        made = {"plain": stack.enter_context(engines(PlainExchange, (1,), forms=(compiled,))).popitem()[1]}
        staged = stack.enter_context(engines(Exchange, workers, forms=(compiled,)))
        yield made | dict(zip((f"staged, {count} workers" for count in workers), staged.values(), strict=True))


def log_of(seed: int, *, batches: int = BATCHES, **options: int) -> list[Batch]:
    calls = Calls(seed, **options)
    return [calls.opening(), *(calls.batch(ROWS) for _ in range(batches))]


def assert_as_the_model(engine: Engine, log: Sequence[Batch], executed: Sequence[Executed]) -> Counter[tuple[str, Any]]:
    """Every reply and every event; how often each command was answered in which way."""
    model, told, answers = ExchangeModel(), ToldByBatch(engine.service), Counter[tuple[str, Any]]()
    for sequence, (batch, gave) in enumerate(zip(log, executed, strict=True), 1):
        told.take(sequence, 0, gave)
        by_row = told.of((7, sequence))
        for row, (call, reply) in enumerate(zip(batch, decode(engine.layout, batch, gave.reply), strict=True)):
            assert reply == model.apply(*call), call
            assert by_row.get(row, []) == model.events, call
            answers[call[0], -reply if model.events and model.events[-1][0] == "rejected" else "done"] += 1
            model.events.clear()
    state, wanted = state_of(engine), model.state()
    for name, content in wanted.items():
        found = state[name]
        is_table = isinstance(content, dict) and name in ("credit", "lines", "books")
        assert ({field: found[field] for field in content} if is_table else found) == content, name
    return answers


def assert_the_same(
    made: dict[str, Engine], ran: dict[str, list[Executed]], log: Sequence[Batch], names: Sequence[str]
) -> None:
    for name in names:
        for number, (one, other) in enumerate(zip(ran["plain"], ran[name], strict=True)):
            assert one.reply[REPLY_HEADER_BYTES:] == other.reply[REPLY_HEADER_BYTES:], (
                f"{name}: replies to batch {number}"
            )
            assert one.events == other.events, f"{name}: events of batch {number}"
            assert one.event_count == other.event_count
        assert made[name].digest() == made["plain"].digest(), name
    assert len(log) == len(ran["plain"])


def test_stages_and_workers_change_no_reply_no_event_and_no_state() -> None:
    log = log_of(1)
    with exchanges((1, 2, 3), compiled=False) as made:
        ran = {name: run(engine, log) for name, engine in made.items()}
        assert_the_same(made, ran, log, list(made))
        answers = assert_as_the_model(made["plain"], log, ran["plain"])
        counters = made["staged, 3 workers"].counters()
    assert answers["limit", Refusal.NO_CREDIT] > 50, "credit is near exhaustion"
    assert answers["limit", "done"] > 50
    assert sum(counters.waited) > 20, "some reservations had to wait for what is before them"
    assert len(answers) > 40


@pytest.mark.slow
@pytest.mark.long
def test_compiled_stages_change_nothing_either() -> None:
    log = log_of(2, batches=60, clients=9, room=6)
    with exchanges((1, 2, 3), compiled=True) as made:
        ran = {name: run(engine, log) for name, engine in made.items()}
        assert_the_same(made, ran, log, list(made))
        assert_as_the_model(made["plain"], log, ran["plain"])


def test_used_credit_never_exceeds_a_limit_and_is_what_the_books_say() -> None:
    model = ExchangeModel()
    for batch in log_of(5, batches=25):
        for call in batch:
            model.apply(*call)
            accounts = {key: held for key, held in model.cells.items() if isinstance(key, int)}
            assert all(held.open >= 0 and held.unsettled >= 0 for held in accounts.values()), call
            assert all(held.used <= held.limit for held in accounts.values()), call
        for client, account in accounts.items():
            resting = (order for book in model.books.values() for side in book.sides.values() for order in side)
            # The ceiling of every instrument is 40.
            worst = [
                (order.price if order.side == 1 else 40) * order.quantity for order in resting if order.client == client
            ]
            assert account.open == sum(worst), client


def test_a_checkers_step_and_the_model_agree() -> None:
    model, meaning, state = ExchangeModel(), ExchangeMeaning(), ExchangeMeaning.initial
    for call in (call for batch in log_of(7, batches=8) for call in batch):
        before = state
        state, reply = meaning.step(state, *call)
        assert reply == model.apply(*call), call
        assert call[0] not in meaning.read_only or state == before
    assert {
        key: value for key, value in state.items() if not (isinstance(key, tuple) and key[0] == "book")
    } == model.cells
    for instrument, book in model.books.items():
        assert state.get(("book", instrument)).content == book.content()


def test_orders_of_two_clients_on_two_instruments_may_conflict() -> None:
    """Why a plain order depends on everything: what it does to a counterparty shows in that one's next order, elsewhere."""
    opening: Batch = [("list_instrument", (1, 40)), ("list_instrument", (2, 40))]
    opening += [("set_gross", (client, limit)) for client, limit in ((1, 1_000), (2, 400))]
    opening += [("limit", (1, 2, 10, 2, 0, 0, 20, 10))]
    sell, order = ("limit", (1, 1, 11, 1, 0, 0, 20, 10)), ("limit", (2, 2, 12, 1, 0, 0, 20, 10))
    replies = []
    for calls in ([sell, order], [order, sell]):
        model = ExchangeModel()
        for call in opening:
            assert model.apply(*call) >= 0
        replies.append([model.apply(*call) for call in calls][calls.index(order)])
    assert replies == [0, -int(Refusal.NO_CREDIT)]


def test_the_calls_are_the_same_for_a_seed() -> None:
    assert log_of(3) == log_of(3) != log_of(4)
