"""How long a node waits before it stands: drawn anew each time, doubled by each election that nobody won."""

from __future__ import annotations

import pytest

from psmr.core.raft.election_timer import ElectionTimer

TIMEOUT_US = 1_000


def wait_us(timer: ElectionTimer, term: int) -> int:
    """What the timer waits once its node stood after `term`."""
    timer.redraw(term)
    timer.restart(0)
    return timer.deadline_us


@pytest.mark.parametrize("seed", range(20))
def test_each_election_that_nobody_won_doubles_the_wait_up_to_eight_times(seed: int) -> None:
    timer = ElectionTimer(seed, 1, TIMEOUT_US)
    for term, longer in enumerate((1, 2, 4, 8, 8), start=7):
        for _ in ("asks first", "stands"):
            assert longer * TIMEOUT_US <= wait_us(timer, term) < 2 * longer * TIMEOUT_US


@pytest.mark.parametrize("seed", range(20))
def test_asking_in_vain_without_a_majority_makes_nobody_slower(seed: int) -> None:
    timer = ElectionTimer(seed, 1, TIMEOUT_US)
    assert all(wait_us(timer, term=7) < 2 * TIMEOUT_US for _ in range(9))


@pytest.mark.parametrize("seed", range(20))
def test_a_leader_heard_ends_it(seed: int) -> None:
    timer = ElectionTimer(seed, 1, TIMEOUT_US)
    for term in (7, 8, 9):
        wait_us(timer, term)
    timer.hear(0)
    assert timer.deadline_us < 2 * TIMEOUT_US
    assert wait_us(timer, 10) < 2 * TIMEOUT_US
