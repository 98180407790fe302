"""An open loop: commands are due at fixed times, whatever the cluster does.

Whenever the client looks, whatever has become due and was not sent goes out as one column; it looks when replies have come,
and when the next command is due. Sending never waits for replies. With `ahead` columns unanswered the client lets commands
gather until the oldest is answered: that is the batching a client under a steady load does anyhow.

The latency of a command runs from the time at which it was due, not from the time at which it was sent, to the moment its
reply has been checked. So if the client, or a replica, stands still for 10 ms, every command that was due meanwhile counts
with what it lost by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

COLUMN_ROWS_MAX = 4096
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """`count` commands, numbered from 0, due one after another at a fixed rate from `start_ns` on."""

    start_ns: int
    rate_per_s: int
    count: int

    def due(self, now_ns: int) -> int:
        """How many are due by now."""
        passed_ns = now_ns - self.start_ns
        return 0 if passed_ns < 0 else min(self.count, passed_ns * self.rate_per_s // _NS_PER_S + 1)

    def due_ns(self, number: int) -> int:
        """When a command is due: the first time at which `due` counts it."""
        return self.start_ns + -(-number * _NS_PER_S // self.rate_per_s)

    def all_due_ns(self) -> NDArray[np.int64]:
        """When each is due."""
        return self.start_ns - (-np.arange(self.count, dtype=np.int64) * _NS_PER_S // self.rate_per_s)


class Link(Protocol):
    """The way to the cluster and back."""

    @property
    def has_room(self) -> bool:
        """Whether another column may be under way."""

    def send(self, first: int, end: int) -> None:
        """Send the commands from `first` to before `end` as one column, without waiting for anything."""

    def take(self) -> int:
        """Take in what has arrived: how many commands, from 0 on, have been answered and checked."""

    def wait(self, until_ns: int | None) -> None:
        """Return when something may have arrived, or about at a time."""


@dataclass(frozen=True, slots=True)
class Account:
    """What became of each command of a schedule, and how many columns they made."""

    due_ns: NDArray[np.int64]
    sent_ns: NDArray[np.int64]
    answered_ns: NDArray[np.int64]
    columns: int

    @property
    def latencies_us(self) -> NDArray[np.float64]:
        """From due to answered."""
        return np.asarray((self.answered_ns - self.due_ns) / 1e3)

    @property
    def gathering_us(self) -> NDArray[np.float64]:
        """From due to sent: the part of the latency that passes in the client."""
        return np.asarray((self.sent_ns - self.due_ns) / 1e3)

    @property
    def away_us(self) -> NDArray[np.float64]:
        """From sent to answered."""
        return np.asarray((self.answered_ns - self.sent_ns) / 1e3)


def run_open_loop(schedule: Schedule, link: Link, clock_ns: Callable[[], int]) -> Account:
    """Send every command when it is due, or as soon after as the client looks; returns when all are answered."""
    sent_ns, answered_ns = np.zeros((2, schedule.count), np.int64)
    sent = answered = columns = 0
    while answered < schedule.count:
        now_ns = clock_ns()
        end = min(schedule.due(now_ns), sent + COLUMN_ROWS_MAX)
        if end > sent and link.has_room:
            link.send(sent, end)
            sent_ns[sent:end] = now_ns
            sent = end
            columns += 1
        else:
            link.wait(schedule.due_ns(sent) if sent < schedule.count and link.has_room else None)
        taken = link.take()
        if taken > answered:
            answered_ns[answered:taken] = clock_ns()
            answered = taken
    return Account(schedule.all_due_ns(), sent_ns, answered_ns, columns)


PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "p99.99": 0.9999, "max": 1.0}


def quantiles_us(times_us: NDArray[np.float64]) -> dict[str, int]:
    """Each of PERCENTILES: the least of the times that at least that share does not exceed."""
    found: Any = np.quantile(times_us, list(PERCENTILES.values()), method="inverted_cdf")
    return {name: round(float(value)) for name, value in zip(PERCENTILES, found, strict=True)}
