"""The choice between all workers and one: the other way is tried at its price, and the cheaper is taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from psmr.core.width import BUDGET, CLEAR_AFTER, TRIAL_MAX, TRIAL_MIN, TRIALS_APART, Width, _Class, class_of

COUNT = 1024
MANY = 20_000

Cost = Callable[[int, int], float]
"""What a command costs: (workers used, number of the batch) → ns."""


@dataclass
class Driven:
    """What was chosen for each batch, and how long all of them took."""

    chosen: list[int] = field(default_factory=list)
    taken_ns: float = 0.0


def drive(width: Width, batches: int, cost: Cost, *, synchronous: int = 0, ahead: int = 1, change: float = 0) -> Driven:
    """Batches of 1,024, `ahead` of them chosen before the first is observed; one after another way takes `change` ns longer."""
    driven, on_their_way, before = Driven(), deque[int](), 1
    for number in range(batches + ahead):
        if number < batches:
            on_their_way.append(width.choose(synchronous, COUNT))
        if number >= ahead:
            used = on_their_way.popleft()
            took_ns = cost(used, number - ahead) * COUNT + (change if used != before else 0)
            width.observe(took_ns)
            driven.chosen.append(used)
            driven.taken_ns += took_ns
            before = used
    return driven


def fixed(alone: float, together: float) -> Cost:
    return lambda used, number: alone if used == 1 else together


def test_one_worker_until_something_is_known() -> None:
    width = Width(4)
    assert [width.choose(0, COUNT) for _ in range(1000)] == [1] * 1000


@pytest.mark.parametrize("ahead", [1, 16, 1000])
@pytest.mark.parametrize(
    ("alone", "together"), [(100, 55), (100, 90), (100, 130), (100, 2000), (20, 900), (10_000, 5_500)]
)
def test_hardly_slower_than_the_better_way(ahead: int, alone: float, together: float) -> None:
    driven = drive(Width(2), MANY, fixed(alone, together), ahead=ahead, change=20_000)
    learning_ns = (3 * ahead + 30 * TRIAL_MAX) * alone * COUNT
    assert driven.taken_ns < 1.05 * MANY * COUNT * min(alone, together) + learning_ns


def test_what_is_hardly_cheaper_is_not_worth_all_workers() -> None:
    assert drive(Width(2), 2000, fixed(100, 97)).chosen[-500:].count(2) < 100


@pytest.mark.parametrize("factor", [1.1, 3.0, 30.0])
def test_trials_keep_to_their_budget(factor: float) -> None:
    width = Width(2)
    drive(width, 1000, fixed(100, 100 * factor))
    trials = width.choices.trials
    drive(width, MANY, fixed(100, 100 * factor))
    tried = width.choices.trials - trials
    assert 0 < tried <= MANY / TRIALS_APART + TRIAL_MAX
    assert tried * (factor - 1) <= BUDGET * MANY + TRIAL_MAX * factor


def test_a_trial_that_is_clear_early_ends_early() -> None:
    assert drive(Width(2), 40, fixed(100, 500)).chosen.count(2) == CLEAR_AFTER + 2
    assert drive(Width(2), 40, fixed(100, 150)).chosen.count(2) == TRIAL_MIN


@pytest.mark.parametrize(("before", "after"), [((100, 55), (100, 300)), ((100, 150), (100, 60))])
def test_a_change_is_noticed(before: tuple[float, float], after: tuple[float, float]) -> None:
    width = Width(2)
    drive(width, 2000, fixed(*before))
    better = 1 if after[0] < after[1] else 2
    assert drive(width, 5000, fixed(*after)).chosen[-1000:].count(better) > 900


def test_a_way_that_is_slow_at_first_is_tried_again() -> None:
    def warming(used: int, number: int) -> float:
        return 100 if used == 1 else (2000 if number < 60 else 55)

    assert drive(Width(2), 4000, warming).chosen[-1000:].count(2) > 900


def test_moments_in_which_the_machine_is_busy_decide_nothing() -> None:
    def disturbed(used: int, number: int) -> float:
        return (100 if used == 1 else 60) * (40 if number % 7 == 0 else 1)

    assert drive(Width(2), 8000, disturbed).chosen[-4000:].count(2) > 3500


def test_times_in_which_the_machine_is_busy_decide_nothing() -> None:
    def drifting(used: int, number: int) -> float:
        return (100 if used == 1 else 60) * (3 if number // 150 % 2 else 1)

    assert drive(Width(2), 8000, drifting).chosen[-4000:].count(2) > 3500


def test_the_change_of_way_is_paid_for_by_trials_and_says_nothing_of_the_way() -> None:
    cheap, dear = Width(2), Width(2)
    assert drive(cheap, 8000, fixed(100, 60), change=1_000_000).chosen[-1000:].count(2) > 900
    drive(dear, 8000, fixed(100, 130), change=10_000_000)
    drive(cheap, 8000, fixed(100, 130), change=0)
    assert dear.choices.trials < cheap.choices.trials / 2


def test_classes_are_learned_apart() -> None:
    width = Width(2)
    drive(width, 1000, fixed(100, 50))
    drive(width, 1000, fixed(100, 400), synchronous=900)
    chosen = [width.choose(0, COUNT) for _ in range(200)]
    assert chosen[0] == 1
    assert chosen[-100:].count(2) > 60


def test_one_batch_among_others_is_executed_as_they_are() -> None:
    width = Width(2)
    drive(width, 1000, fixed(100, 50), synchronous=32)
    assert width.choose(150, COUNT) == width.choose(0, COUNT) == width.choose(32, COUNT) == 2
    assert class_of(150, COUNT) != class_of(32, COUNT)


def test_one_worker_has_no_choice() -> None:
    width = Width(1)
    assert drive(width, 100, fixed(1, 1), synchronous=500).chosen == [1] * 100
    assert width.choices.trials == 0


def test_where_others_choose_nothing_is_learned() -> None:
    width = Width(2)
    for _ in range(100):
        width.observe(1000)
    assert width.choose(0, COUNT) == 1


def test_classes_follow_the_share_of_synchronous_commands_and_the_size() -> None:
    shares = [0, 1, 4, 16, 64, 256]
    classes = [class_of(share, COUNT) for share in shares]
    assert classes == sorted(set(classes))
    sizes = [class_of(0, size) for size in (1, 8, 64, 512)]
    assert sizes == sorted(set(sizes))
    assert not set(classes[1:]) & set(sizes)
    assert class_of(COUNT, COUNT) == classes[-1]
    assert class_of(5, 10) == class_of(40, 63) - (class_of(0, 63) - class_of(0, 10))


def test_a_trial_of_which_each_batch_follows_another_way_says_nothing() -> None:
    """Batches of another class, executed the other way, may come between all of them."""
    kind = _Class()
    for _ in range(TRIAL_MIN):
        kind.observe(False, False, COUNT, 1000.0)
    tried = 0
    while kind.choose(COUNT) == (True, True):
        tried += 1
    assert tried >= TRIAL_MIN
    for _ in range(tried):
        kind.observe(True, True, COUNT, 1000.0)
    kind.observe(False, False, COUNT, 1000.0)
    assert not kind.is_trying
    assert kind.choose(COUNT) == (False, False)
