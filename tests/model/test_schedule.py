"""Workers that meet at barriers do what one worker alone does: every row once, and an owner's rows in log order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from rows_engine import RowsEngine, SequentialRows, record_type

from psmr.execution import layout as at

LOOK_AHEADS = (0, 1, 24, 1 << 40)
SHARES = (0.0, 0.02, 0.3, 1.0)


@contextmanager
def started(engine: RowsEngine) -> Iterator[RowsEngine]:
    try:
        engine.start()
        yield engine
    finally:
        engine.close()


def random_rows(chance: random.Random, workers: int, count: int, share: float, fails: float = 0.0) -> Any:
    """A batch in which a share of the rows has several owners, at random, and some fail."""
    rows = np.zeros(count, record_type)
    for row in range(count):
        several = workers > 1 and chance.random() < share
        owners = chance.sample(range(workers), chance.randint(2, workers) if several else 1)
        rows[row]["owners"] = sum(1 << owner for owner in owners)
        rows[row]["fails"] = chance.random() < fails
    return rows


def random_batches(chance: random.Random, workers: int, share: float, fails: float) -> list[Any]:
    return [random_rows(chance, workers, chance.randint(1, 120), share, fails) for _ in range(25)]


def assert_once(engine: RowsEngine) -> None:
    assert engine.violations == 0
    assert all(0 <= executor < engine.workers for executor in engine.executors())


@pytest.mark.parametrize("workers", range(1, 9))
def test_any_owners_by_any_number_of_workers(workers: int) -> None:
    chance = random.Random(workers)
    reference = SequentialRows()
    with started(RowsEngine(workers)) as engine:
        for look_ahead in LOOK_AHEADS:
            for share in SHARES:
                engine.tune(spin=chance.choice((0, 50)), look_ahead=look_ahead)
                batches = random_batches(chance, workers, share, fails=0.05)
                assert engine.execute(batches) == reference.execute(batches), f"{look_ahead=} {share=}"
        assert_once(engine)


@pytest.mark.parametrize("workers", [2, 3, 6])
def test_some_batches_by_one_worker_alone(workers: int) -> None:
    chance = random.Random(workers)
    reference = SequentialRows()
    with started(RowsEngine(workers, choose=lambda synchronous, count: chance.choice((1, workers)))) as engine:
        for look_ahead in (0, 24):
            engine.tune(spin=20, look_ahead=look_ahead)
            batches = [batch for share in SHARES for batch in random_batches(chance, workers, share, fails=0.02)]
            assert engine.execute(batches) == reference.execute(batches)
        assert_once(engine)


def test_without_looking_ahead_the_lowest_owner_executes() -> None:
    chance = random.Random(3)
    batches = random_batches(chance, 4, 0.4, fails=0.0)
    with started(RowsEngine(4)) as engine:
        engine.tune(spin=10, look_ahead=0)
        engine.execute(batches)
        owners = [int(row["owners"]) for batch in batches for row in batch]
        assert engine.executors() == [(mask & -mask).bit_length() - 1 for mask in owners]


def test_an_executor_runs_on_while_the_others_wait() -> None:
    rows = np.zeros(400, record_type)
    rows["owners"] = [0b11 if row % 4 == 0 else 1 << row % 2 for row in range(400)]
    with started(RowsEngine(2)) as engine:
        engine.tune(spin=10, look_ahead=4)
        engine.execute([rows])
        # From the first barrier to the last it is one stretch: the rows in between are the executor's, whoever owns them.
        assert engine.executors()[:397] == [0] * 397
        assert engine.counters().synchronous == (1, 0)
        assert engine.counters().run_on == (396, 0)
        assert_once(engine)


@pytest.mark.parametrize("share", [0.0, 0.01])
def test_a_batch_with_more_rows_than_sixteen_bits_count(share: float) -> None:
    chance = random.Random(5)
    small = [random_rows(chance, 3, 3_000, share) for _ in range(3)]
    large = np.concatenate([random_rows(chance, 3, 1_000, share) for _ in range(70)])
    with started(LargeReplies(3)) as engine:
        engine.tune(spin=100, look_ahead=24)
        reference = SequentialRows()
        assert engine.execute([*small, large, *small]) == reference.execute([*small, large, *small])
        assert_once(engine)


class LargeReplies(RowsEngine):
    """With a reply ring that the replies of one large batch nearly fill."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        for frame in self.memory.frames:
            self.memory.set(frame + at.FRAME_REPLY_RING_BYTES, 3 << 19)


def test_sixteen_workers_on_however_few_cores() -> None:
    chance = random.Random(16)
    batches = [random_rows(chance, 16, 80, share) for share in (0.0, 0.1, 1.0)]
    with started(RowsEngine(16)) as engine:
        engine.tune(spin=20, look_ahead=24)
        assert engine.execute(batches) == SequentialRows().execute(batches)
        assert_once(engine)


@pytest.mark.parametrize("published", [0, 1, 40])
def test_workers_end_wherever_they_are_when_they_are_stopped(published: int) -> None:
    chance = random.Random(published)
    engine = RowsEngine(4)
    with started(engine):
        engine.tune(spin=0, look_ahead=24)
        for _ in range(published):
            rows = random_rows(chance, 4, 60, 0.5)
            engine.offer(1, 1, rows.itemsize, len(rows), rows.tobytes(), b"", 0)
        processes = engine.end_workers()
    assert [process.exitcode for process in processes] == [0] * 4
    assert engine.violations == 0
