"""The open loop counts from the time at which a command was due: on a clock that moves only when the script says so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench._open_loop import COLUMN_ROWS_MAX, Account, Schedule, quantiles_us, run_open_loop

MS = 1_000_000
START_NS = 7 * MS
EVERY_MS = 1000


class ScriptedLink:
    """A cluster that answers each column `round_trip_ns` after it was sent, and later while it stands still."""

    def __init__(self, *, round_trip_ns: int, ahead: int = 1, sending_ns: int = 0) -> None:
        self.now_ns = 0
        self.columns: list[tuple[int, int]] = []
        self.standstill = (0, 0)
        self._round_trip_ns = round_trip_ns
        self._sending_ns = sending_ns
        self._ahead = ahead
        self._away: list[tuple[int, int]] = []
        self._answered = 0

    def clock_ns(self) -> int:
        return self.now_ns

    @property
    def has_room(self) -> bool:
        return len(self._away) < self._ahead

    def send(self, first: int, end: int) -> None:
        assert self.has_room
        self.columns.append((first, end))
        self.now_ns += self._sending_ns
        back_ns = self.now_ns + self._round_trip_ns
        begin_ns, end_ns = self.standstill
        self._away.append((end_ns if begin_ns <= back_ns < end_ns else back_ns, end))

    def take(self) -> int:
        while self._away and self._away[0][0] <= self.now_ns:
            self._answered = self._away.pop(0)[1]
        return self._answered

    def wait(self, until_ns: int | None) -> None:
        times = [back_ns for back_ns, _ in self._away[:1]] + ([] if until_ns is None else [until_ns])
        assert times, "nothing can end this wait"
        self.now_ns = max(self.now_ns, min(times))


def run(link: ScriptedLink, count: int, rate_per_s: int = EVERY_MS) -> Account:
    return run_open_loop(Schedule(START_NS, rate_per_s, count), link, link.clock_ns)


def test_a_cluster_that_keeps_up_answers_each_command_after_a_round_trip() -> None:
    link = ScriptedLink(round_trip_ns=MS // 2)
    account = run(link, 5)
    assert link.columns == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]
    assert account.latencies_us.tolist() == [500] * 5
    assert account.gathering_us.tolist() == [0] * 5
    assert account.columns == 5


def test_what_becomes_due_behind_a_column_goes_as_the_next_and_counts_from_when_it_was_due() -> None:
    link = ScriptedLink(round_trip_ns=5 * MS // 2)
    account = run(link, 6)
    assert link.columns == [(0, 1), (1, 3), (3, 6)]
    assert account.gathering_us.tolist() == [0, 1500, 500, 2000, 1000, 0]
    assert account.away_us.tolist() == [2500] * 6
    assert account.latencies_us.tolist() == [2500, 4000, 3000, 4500, 3500, 2500]


def test_a_cluster_that_stands_still_costs_every_command_that_was_due_meanwhile() -> None:
    link = ScriptedLink(round_trip_ns=MS // 2)
    link.standstill = (START_NS + 2 * MS, START_NS + 52 * MS)
    account = run(link, 60)
    # Number 2 is under way when it begins; 3 to 52 become due before its reply is there, and are answered together.
    assert link.columns[2:4] == [(2, 3), (3, 53)]
    assert account.latencies_us[2] == 50_000
    assert account.latencies_us[3:53].tolist() == [(52 - number) * 1000 + 500 for number in range(3, 53)]
    assert account.latencies_us[53:].tolist() == [500] * 7


def test_a_client_that_stands_still_costs_as_much() -> None:
    link = ScriptedLink(round_trip_ns=0, sending_ns=10 * MS)
    account = run(link, 21)
    assert link.columns == [(0, 1), (1, 11), (11, 21)]
    assert account.latencies_us.tolist() == [10_000, *range(19_000, 9_000, -1000), *range(19_000, 9_000, -1000)]


def test_columns_ahead_leave_without_waiting_for_replies() -> None:
    link = ScriptedLink(round_trip_ns=5 * MS // 2, ahead=3)
    assert run(link, 9).latencies_us.tolist() == [2500] * 9
    assert len(link.columns) == 9


def test_no_column_is_longer_than_the_limit() -> None:
    link = ScriptedLink(round_trip_ns=0, sending_ns=MS)
    count = COLUMN_ROWS_MAX + 100
    run(link, count, rate_per_s=1_000_000_000)
    assert max(end - first for first, end in link.columns) == COLUMN_ROWS_MAX
    assert link.columns[-1][1] == count


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3_000_000), st.integers(0, 10_000_000), st.integers(0, 1 << 60))
def test_a_command_is_due_from_its_time_on(rate_per_s: int, number: int, start_ns: int) -> None:
    schedule = Schedule(start_ns, rate_per_s, number + 1)
    due_ns = schedule.due_ns(number)
    assert 0 <= (due_ns - start_ns) * rate_per_s - number * 1_000_000_000 < rate_per_s
    assert (schedule.due(due_ns - 1), schedule.due(due_ns)) == (number, number + 1)
    assert schedule.due(due_ns + 10**12) == number + 1


@pytest.mark.parametrize("rate_per_s", [1, 7, 30_000, 100_000, 999_999])
def test_all_at_once_is_each_by_itself(rate_per_s: int) -> None:
    schedule = Schedule(START_NS, rate_per_s, 1000)
    assert schedule.all_due_ns().tolist() == [schedule.due_ns(number) for number in range(1000)]


def test_quantiles_are_times_that_were_measured() -> None:
    times = np.arange(1, 10_001, dtype=np.float64)
    assert quantiles_us(times) == {"p50": 5000, "p99": 9900, "p99.9": 9990, "p99.99": 9999, "max": 10_000}
    assert set(quantiles_us(np.array([3.0])).values()) == {3}
