"""The rate of prepared batches: what follows another batch counts, the first of those published together does not."""

from __future__ import annotations

import pytest

from psmr.advice.batches import Commands
from psmr.advice.running import Ran, parts_of


def _batches(*counts: int) -> list[Commands]:
    return [Commands(bytes(8 * count), count, b"") for count in counts]


def test_batches_in_which_workers_wake_up_do_not_count() -> None:
    ran = Ran(0.0, [], took_ns=[90_000, 1000, 2000, 70_000, 1000], is_first=[True, False, False, True, False])
    assert ran.rate_per_s(_batches(5, 10, 20, 5, 10)) == pytest.approx(40 / 4e-6)


def test_a_rate_needs_batches_that_follow_others() -> None:
    with pytest.raises(ValueError, match="expected several batches at once"):
        Ran(0.0, [], took_ns=[1000, 1000], is_first=[True, True]).rate_per_s(_batches(1, 1))


def test_groups_are_as_large_as_asked_for() -> None:
    batches = _batches(1, 2, 3, 4, 5)
    parts = list(parts_of(batches, 2))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert [batch for part in parts for batch in part] == batches
