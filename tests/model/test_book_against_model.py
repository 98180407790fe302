"""Books against their model: equal replies and events of every call, and one state, whatever executes them."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from book_support import BOOKS, OPEN, answers_of, expected_of, random_log
from execution_support import Batch, Call, engines

from apps.book import APPLICATION, Book
from apps.book.model import BookModel
from apps.book.rules import CLIENTS, ORDERS, QUANTITY_MAX, SWEEP_MAX, TICKS, Reason, Status, Why
from psmr.checking import Operation, check
from psmr.execution.engine import Engine


def differences(engine: Engine, log: list[Batch], model: BookModel) -> Iterator[str]:
    """Each call that engine and model answer differently."""
    found, wanted = answers_of(engine, log), expected_of(model, log)
    for batch, answers, expected in zip(log, found, wanted, strict=True):
        for call, answer, right in zip(batch, answers, expected, strict=True):
            if answer != right:
                yield f"{call}: expected {right}, found {answer}"


def limit(client: int, order: int, side: int, price: int, lots: int, kind: int = 0, prevention: int = 0) -> Call:
    return "limit", (0, client, order, side, kind, prevention, price, lots)


def test_random_calls_interpreted() -> None:
    log = random_log(1, 10)
    with engines(Book, (1,), forms=(False,)) as made:
        (engine,) = made.values()
        assert not list(differences(engine, log, BookModel()))


@pytest.mark.slow  # compiles the service where nothing has done so before
def test_random_calls_get_one_answer_and_leave_one_state_in_both_forms() -> None:
    log = random_log(2, 30)
    with engines(Book, (1, 2)) as made:
        for engine in made.values():
            assert not list(differences(engine, log, BookModel()))
        assert len({engine.digest() for engine in made.values()}) == 1


@pytest.mark.slow
def test_many_random_calls_compiled() -> None:
    with engines(Book, (1, 2), forms=(True,)) as made:
        log = random_log(3, 200)
        for engine in made.values():
            assert not list(differences(engine, log, BookModel()))
        assert len({engine.digest() for engine in made.values()}) == 1


def test_the_model_is_noticed_when_it_is_wrong() -> None:
    class Miscounting(BookModel):
        """Answers the truth, but for how many lots are left of an order."""

        def _still_open(self, instrument: int, order: int) -> int:
            return super()._still_open(instrument, order) + 1

    log = [OPEN, [limit(1, 1, 1, 100, 5), ("still_open", (0, 1))]]
    with engines(Book, (1,), forms=(False,)) as made:
        (engine,) = made.values()
        assert len(list(differences(engine, log, Miscounting()))) == 1


REJECTIONS: list[tuple[Reason, list[Call], Call]] = [
    (Reason.UNKNOWN_INSTRUMENT, [], ("limit", (7, 1, 1, 1, 0, 0, 100, 1))),
    (Reason.UNKNOWN_INSTRUMENT, [], ("cancel", (4096, 1, 1))),
    (Reason.UNKNOWN_INSTRUMENT, [], ("list_instrument", ((1 << 32) - 1,))),
    (Reason.UNKNOWN_INSTRUMENT, [], ("halt", (7,))),
    (Reason.UNKNOWN_INSTRUMENT, [], ("mass_cancel", (7, 1))),
    (Reason.UNKNOWN_CLIENT, [], limit(9, 1, 1, 100, 1)),
    (Reason.UNKNOWN_CLIENT, [], limit(CLIENTS, 1, 1, 100, 1)),
    (Reason.UNKNOWN_CLIENT, [], ("mass_cancel_everywhere", (9,))),
    (Reason.UNKNOWN_CLIENT, [], ("register", (CLIENTS, 1))),
    (Reason.UNKNOWN_CLIENT, [], ("register", (1, (1 << 32) - 1))),
    (Reason.INSTRUMENT_HALTED, [("halt", (0,))], limit(1, 1, 1, 100, 1)),
    (Reason.INSTRUMENT_HALTED, [limit(1, 1, 1, 100, 1), ("halt", (0,))], ("replace", (0, 1, 1, 100, 1))),
    (Reason.MARKET_HALTED, [("halt_market", ())], ("market_order", (0, 1, 1, 1, 0, 1))),
    (Reason.UNKNOWN_SIDE, [], limit(1, 1, 3, 100, 1)),
    (Reason.UNKNOWN_KIND, [], limit(1, 1, 1, 100, 1, kind=4)),
    (Reason.UNKNOWN_PREVENTION, [], limit(1, 1, 1, 100, 1, prevention=4)),
    (Reason.PRICE_NOT_POSITIVE, [], limit(1, 1, 1, 0, 1)),
    (Reason.PRICE_NOT_POSITIVE, [], limit(1, 1, 1, -(1 << 63), 1)),
    (Reason.PRICE_TOO_HIGH, [], limit(1, 1, 1, TICKS, 1)),
    (Reason.PRICE_TOO_HIGH, [], limit(1, 1, 1, (1 << 63) - 1, 1)),
    (Reason.QUANTITY_NOT_POSITIVE, [], limit(1, 1, 1, 100, 0)),
    (Reason.QUANTITY_NOT_POSITIVE, [], ("market_order", (0, 1, 1, 1, 0, -1))),
    (Reason.QUANTITY_TOO_LARGE, [], limit(1, 1, 1, 100, QUANTITY_MAX + 1)),
    (Reason.QUANTITY_TOO_LARGE, [], limit(1, 1, 1, 100, (1 << 63) - 1)),
    (Reason.DUPLICATE_ORDER, [limit(1, 5, 1, 100, 1)], limit(2, 5, 2, 200, 1)),
    (Reason.WOULD_TRADE, [limit(1, 1, 2, 100, 1)], limit(2, 2, 1, 100, 1, kind=3)),
    (
        Reason.WOULD_TRADE,
        [limit(1, 1, 2, 100, 1), limit(2, 2, 1, 99, 1, kind=3)],
        ("replace", (0, 2, 2, 100, 1)),
    ),
    (Reason.NOT_FILLABLE, [limit(1, 1, 2, 100, 5), limit(1, 2, 2, 102, 5)], limit(2, 3, 1, 101, 6, kind=2)),
    (Reason.NOT_FILLABLE, [limit(1, 1, 2, 100, 5)], limit(1, 3, 1, 100, 5, kind=2, prevention=2)),
    (Reason.NOTHING_TO_TRADE_WITH, [limit(1, 1, 1, 100, 5)], ("market_order", (0, 2, 2, 1, 0, 5))),
    (
        Reason.ORDER_NOT_RESTING,
        [limit(1, 1, 1, 100, 5), limit(2, 2, 2, 100, 5)],
        ("cancel", (0, 1, 1)),
    ),
    (Reason.ORDER_NOT_RESTING, [], ("replace", (0, 1, 1, 100, 1))),
    (Reason.NOT_OWN_ORDER, [limit(1, 1, 1, 100, 5)], ("cancel", (0, 2, 1))),
    (Reason.NOT_OWN_ORDER, [limit(1, 1, 1, 100, 5)], ("replace", (0, 2, 1, 100, 1))),
    (Reason.REPLACE_BEYOND_LIMITS, [limit(1, 1, 1, 100, 5)], ("replace", (0, 1, 1, TICKS, 5))),
    (Reason.REPLACE_BEYOND_LIMITS, [limit(1, 1, 1, 100, 5)], ("replace", (0, 1, 1, 100, 0))),
    (Reason.REPLACE_BEYOND_LIMITS, [limit(1, 1, 1, 100, 5)], ("replace", (0, 1, 1, 100, QUANTITY_MAX + 1))),
    (Reason.ALREADY_LISTED, [], ("list_instrument", (0,))),
    (Reason.ALREADY_REGISTERED, [], ("register", (1, 2))),
    (Reason.ALREADY_HALTED, [("halt", (0,))], ("halt", (0,))),
    (Reason.ALREADY_HALTED, [("halt_market", ())], ("halt_market", ())),
    (Reason.NOT_HALTED, [], ("resume", (0,))),
    (Reason.NOT_HALTED, [], ("resume_market", ())),
]


def test_every_bad_input_has_its_reason_and_changes_nothing() -> None:
    assert {reason for reason, _, _ in REJECTIONS} == set(Reason) - {Reason.BOOK_FULL}
    clean: Batch = [
        ("resume_market", ()),
        ("resume", (0,)),
        *(("mass_cancel", (book, client)) for book in BOOKS for client in range(1, 5)),
    ]
    with engines(Book, (1,), forms=(False,)) as made:
        (engine,) = made.values()
        answers_of(engine, [OPEN])
        for number, (reason, before, bad) in enumerate(REJECTIONS):
            answers_of(engine, [clean, before or [("best", (0,))]], first_sequence=10 * number + 2)
            digest = engine.digest()
            ((answer,),) = answers_of(engine, [[bad]], first_sequence=10 * number + 5)
            reply, events = answer
            assert reply == -reason, (reason, bad, reply)
            assert [(name, values[-1]) for name, values in events] == [("rejected", reason)]
            assert engine.digest() == digest, (reason, bad)


@pytest.mark.slow
def test_a_full_book_refuses_what_would_rest_and_still_trades() -> None:
    orders = list(range(1, ORDERS + 1))
    fill = [limit(1, order, 1, 1 + order % 1000, 2) for order in orders]
    full = [limit(1, 0, 1, 5, 1), limit(2, ORDERS + 1, 2, 1000, 1, kind=1), limit(2, ORDERS + 1, 2, 5000, 1)]
    random.Random(5).shuffle(orders)
    empty = [("cancel", (0, 1, order)) for order in orders]
    log = [OPEN, *(part[at : at + 2048] for part in (fill, full, empty) for at in range(0, len(part), 2048))]
    with engines(Book, (1,), forms=(True,)) as made:
        (engine,) = made.values()
        found = answers_of(engine, log)
    replies = [reply for answers in found[1:] for reply, _ in answers]
    assert replies[:ORDERS] == [0] * ORDERS
    assert replies[ORDERS : ORDERS + 3] == [-Reason.BOOK_FULL, 1, -Reason.BOOK_FULL]
    assert sorted(replies[ORDERS + 3 :]) == [1] + [2] * (ORDERS - 1)


def test_a_sweep_a_fill_or_kill_and_a_mass_cancel_have_a_bound() -> None:
    rest = [limit(1, order, 2, 100 + order // 100, 1) for order in range(1, SWEEP_MAX + 11)]
    log = [
        OPEN,
        rest,
        [limit(2, 2000, 1, 200, SWEEP_MAX + 1, kind=2)],
        [limit(2, 2001, 1, 200, SWEEP_MAX + 5)],
        rest,
        [("mass_cancel", (0, 1)), ("mass_cancel", (0, 1))],
        rest,
        [("mass_cancel_everywhere", (1,)), ("mass_cancel_everywhere", (1,))],
        [("best", (0,)), ("depth", (0, 2, 0))],
    ]
    with engines(Book, (1,), forms=(False,)) as made:
        (engine,) = made.values()
        assert not list(differences(engine, log, BookModel()))
    answers = expected_of(BookModel(), log)
    assert answers[2][0][0] == -Reason.NOT_FILLABLE
    assert answers[3][0][0] == SWEEP_MAX
    assert ("cancelled", (0, 2, 2001, 1, Why.SWEEP, 200, 5)) in answers[3][0][1]
    assert [reply for reply, _ in answers[5]] == [SWEEP_MAX, 10]
    assert [reply for reply, _ in answers[7]] == [SWEEP_MAX, 10]


def test_a_replace_keeps_or_loses_its_place_in_the_queue() -> None:
    def first_met(*changes: Call) -> int:
        model = BookModel()
        log = [OPEN, [limit(1, 1, 1, 100, 5), limit(1, 2, 1, 100, 5), *changes], [limit(2, 9, 2, 100, 1)]]
        return int(next(values[7] for name, values in expected_of(model, log)[2][0][1] if name == "filled"))

    assert first_met() == 1
    assert first_met(("replace", (0, 1, 1, 100, 4))) == 1
    assert first_met(("replace", (0, 1, 1, 100, 6))) == 2
    assert first_met(("replace", (0, 1, 1, 101, 5)), ("replace", (0, 1, 1, 100, 5))) == 2


def test_a_history_of_books_is_checked_instrument_by_instrument() -> None:
    log = random_log(9, 12)
    model = BookModel()
    calls = [
        (call, reply)
        for batch, answers in zip(log, expected_of(model, log), strict=True)
        for call, (reply, _) in zip(batch, answers, strict=True)
    ]
    history = [Operation("one", 2 * row, 2 * row + 1, *call, reply) for row, (call, reply) in enumerate(calls)]
    assert check(history, APPLICATION.checking).linearizable
    place = max(row for row, operation in enumerate(history) if operation.command == "best")
    history[place] = history[place]._replace(reply=b"x" * 32)
    assert check(history, APPLICATION.checking).linearizable is False


def test_the_state_of_an_empty_book_is_not_that_of_none() -> None:
    model = BookModel()
    expected_of(model, [OPEN])
    books = model.state()["books"]
    assert (books["status"][0], books["best_ask"][0]) == (Status.TRADING, TICKS)
    assert (books["status"][2], books["best_ask"][2]) == (0, 0)
