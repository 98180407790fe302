"""The choice between all workers and one: each way is tried, the cheaper is kept, the other is tried again, seldom."""

from __future__ import annotations

from psmr.core.width import TRIAL, Width, class_of

COUNT = 1024


def drive(width: Width, batches: int, synchronous: int, parallel_ns: float, alone_ns: float) -> list[int]:
    """Batches of one class, observed with the costs given a command."""
    chosen = []
    for _ in range(batches):
        used = width.choose(synchronous, COUNT)
        cost_ns = alone_ns if used == 1 else parallel_ns
        width.observe(used, synchronous, COUNT, int(cost_ns * used * COUNT))
        chosen.append(used)
    return chosen


def test_both_ways_are_tried_first() -> None:
    assert drive(Width(4), 2, 0, 10, 10) == [4, 1]


def test_the_cheaper_way_is_kept() -> None:
    assert drive(Width(2), 400, 0, 100, 200).count(2) > 380
    assert drive(Width(2), 400, 512, 200, 100).count(1) > 380


def test_the_other_way_is_tried_again() -> None:
    width = Width(2)
    drive(width, 200, 0, 100, 110)
    assert width.choices.trials >= 200 // (2 * TRIAL)


def test_the_first_batch_after_a_change_of_way_does_not_count() -> None:
    width = Width(2)
    before = 0
    chosen = []
    for _ in range(2000):
        used = width.choose(0, COUNT)
        warm_ns = 100 if used == 1 else 60
        width.observe(used, 0, COUNT, (warm_ns if used == before else 10 * warm_ns) * used * COUNT)
        before = used
        chosen.append(used)
    assert chosen[1000:].count(2) > 900


def test_a_way_that_costs_much_more_is_tried_less_often() -> None:
    close, far = Width(2), Width(2)
    drive(close, 2000, 0, 100, 110)
    drive(far, 2000, 0, 100, 1000)
    assert far.choices.trials < close.choices.trials / 10


def test_a_change_is_noticed() -> None:
    width = Width(2)
    drive(width, 300, 0, 100, 150)
    assert drive(width, 300, 0, 300, 150)[-50:].count(1) > 40


def test_classes_are_learned_apart() -> None:
    width = Width(2)
    drive(width, 200, 0, 100, 200)
    drive(width, 200, 900, 900, 200)
    assert width.choose(0, COUNT) == 2
    assert width.choose(900, COUNT) == 1


def test_one_worker_has_no_choice() -> None:
    assert drive(Width(1), 10, 500, 1, 1) == [1] * 10


def test_classes_follow_the_share_of_synchronous_commands() -> None:
    assert class_of(0, COUNT) == 0
    shares = [1, 2, 5, 20, 50, 200, 400, 1024]
    classes = [class_of(share, COUNT) for share in shares]
    assert classes == sorted(set(classes))
    assert class_of(1, 1 << 20) == 1
    assert class_of(5, 10) == class_of(512, COUNT)
