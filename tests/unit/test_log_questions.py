"""Questions about reading: answered once, given up in time, never answered by what an earlier start asked."""

from __future__ import annotations

from psmr.log.questions import Questions


def test_an_answer_goes_to_its_question_once() -> None:
    questions = Questions(seed=1, patience_us=100)
    first, second = questions.ask(10), questions.ask(11)
    questions.answer(second, 5)
    questions.answer(second, 6)
    assert questions.take() == [(11, 5)]
    questions.answer(first, None)
    assert questions.take() == [(10, None)]
    assert questions.take() == []


def test_a_question_is_given_up_when_its_patience_is_over() -> None:
    questions = Questions(seed=1, patience_us=100)
    number = questions.ask(10)
    assert questions.expire(1_000) == 1_100
    questions.ask(11)
    assert questions.expire(1_050) == 1_100
    assert questions.expire(1_100) == 1_150
    assert questions.take() == [(10, None)]
    questions.answer(number, 5)
    assert questions.take() == []
    questions.expire(1_150)
    assert questions.take() == [(11, None)]
    assert questions.expire(2_000) > 1 << 60


def test_a_question_that_was_not_asked_is_not_answered() -> None:
    questions = Questions(seed=1, patience_us=100)
    number = questions.ask(10)
    questions.drop(number)
    questions.answer(number, 5)
    questions.expire(1_000_000)
    assert questions.take() == []


def test_two_starts_number_their_questions_differently() -> None:
    numbers = [Questions(seed=seed, patience_us=100).ask(1) for seed in range(100)]
    gaps = [later - earlier for earlier, later in zip(sorted(numbers), sorted(numbers)[1:], strict=False)]
    assert min(gaps) > 1 << 40
    assert min(numbers) >= 0
    assert max(numbers) < 1 << 62
