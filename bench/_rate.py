"""The open loop on a running cluster: 100-byte commands at a fixed rate, from one client, one thread."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from types import TracebackType
from typing import Any

import numpy as np

from bench._cpu import CpuMeter, account
from bench._open_loop import Account, Schedule, quantiles_us, run_open_loop
from bench._records import PAYLOAD_BYTES, Messages
from cdep import StateMachine
from psmr.client.blocking import BlockingConnection, Pending, connect_blocking
from psmr.client.commands import ServiceProxy
from psmr.client.options import identity_of
from psmr.client.settings import ClientSettings
from psmr.cluster.local import LocalCluster
from psmr.core.reply import parse_reply
from psmr.proxy_files import client_module

COMMAND_BYTES = 8 + PAYLOAD_BYTES
_HEAD_START_NS = 5_000_000
_WAIT_US_MAX = 1_000_000
_NAP_NS_MIN = 100_000
"""A shorter sleep would overshoot: the kernel wakes a sleeper some 60 us late."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Rate:
    """One rate to measure at; `ahead` columns may be unanswered."""

    rate_per_s: int = 100_000
    ahead: int = 1
    replicas: int = 3
    workers: int = 1
    durability: str = "memory"
    senders: int = 100_000
    warm_up_s: float = 1.0
    seconds: float = 4.0
    runs: int = 3

    @property
    def text(self) -> str:
        """What is measured, in words."""
        return f"{self.durability}, open loop at {self.rate_per_s:,}/s, {self.ahead} columns ahead"


class ColumnLink:
    """One command's prepared columns through the generated client's own encoding, on a blocking connection."""

    def __init__(
        self,
        address: str,
        ahead: int,
        columns: tuple[np.ndarray[Any, Any], ...],
        owner: type[StateMachine] = Messages,
        command: str = "publish",
    ) -> None:
        service: ServiceProxy = getattr(client_module(owner), f"Blocking{owner.__name__}").service
        self._command = service[command]
        self._columns = columns
        self._ahead = ahead
        self._flying: deque[tuple[int, int, Pending]] = deque()
        self._answered = 0
        settings = ClientSettings(window_batches=ahead, prefer_leader=False)
        self._connection: BlockingConnection = connect_blocking([address], identity_of(service.service), settings)

    def __enter__(self) -> ColumnLink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    @property
    def has_room(self) -> bool:
        """Whether another column may be under way."""
        return len(self._flying) < self._ahead

    def restart(self) -> None:
        """Count commands from 0 again; all must have been answered."""
        self._answered = 0

    def send(self, first: int, end: int) -> None:
        """Submit these rows of the prepared columns."""
        calls = self._command.many(tuple(column[first:end] for column in self._columns))
        self._flying.append((first, end, self._connection.submit(calls.records, calls.count, calls.blob)))

    def take(self) -> int:
        """Check the replies that are there, in order."""
        flying = self._flying
        while flying and flying[0][2].done:
            first, end, pending = flying.popleft()
            self._command.replies(parse_reply(pending.result()), 0, end - first).check()
            self._answered = end
        return self._answered

    def wait(self, until_ns: int | None) -> None:
        """Sleep until a reply comes, or about until a time; with replies under way, naps in between look for them."""
        if until_ns is None:
            self._connection.advance(_WAIT_US_MAX)
            return
        left_ns = until_ns - time.perf_counter_ns()
        if left_ns > _NAP_NS_MIN:
            time.sleep((_NAP_NS_MIN if self._flying else left_ns) / 1e9)
        self._connection.advance(0)


def measure_rate(rate: Rate, cluster: LocalCluster, leader: int, say: Say) -> dict[str, Any]:
    """`runs` runs; every command of all of them counts in the percentiles."""
    address = cluster.addresses[cluster.ids.index(leader)]
    with ColumnLink(address, rate.ahead, _columns(rate)) as link:
        _run(rate, rate.warm_up_s, link)
        meter = CpuMeter(cluster, leader)
        before = meter.sample()
        found = [_run(rate, rate.seconds, link) for _ in range(rate.runs)]
        used = account(before, meter.sample(), sum(len(one.due_ns) for one in found))
    row = {**_row(rate, found), **used}
    latency = row["latency_us"]
    say(f"{rate.text}: p50 {latency['p50']:,} us, p99 {latency['p99']:,} us, max {latency['max']:,} us")
    return row


def _run(rate: Rate, seconds: float, link: ColumnLink) -> Account:
    link.restart()
    schedule = Schedule(time.perf_counter_ns() + _HEAD_START_NS, rate.rate_per_s, round(rate.rate_per_s * seconds))
    return run_open_loop(schedule, link, time.perf_counter_ns)


def _columns(rate: Rate) -> tuple[np.ndarray[Any, Any], ...]:
    """Arguments of every command of a run, drawn before the clock runs."""
    count = round(rate.rate_per_s * max(rate.seconds, rate.warm_up_s))
    random = np.random.default_rng(1)
    senders = random.integers(0, rate.senders, count, dtype=np.uint64)
    return senders, random.integers(0, 256, (count, PAYLOAD_BYTES), dtype=np.uint8)


def _row(rate: Rate, found: list[Account]) -> dict[str, Any]:
    runs = [quantiles_us(one.latencies_us) for one in found]
    commands, columns = sum(len(one.due_ns) for one in found), sum(one.columns for one in found)
    return {
        "command_bytes": COMMAND_BYTES,
        "latency_us": quantiles_us(np.concatenate([one.latencies_us for one in found])),
        "median_of_runs_us": {name: round(median(run[name] for run in runs)) for name in runs[0]},
        "runs_us": runs,
        "gathering_us": quantiles_us(np.concatenate([one.gathering_us for one in found])),
        "away_us": quantiles_us(np.concatenate([one.away_us for one in found])),
        "columns_per_s": round(columns * rate.rate_per_s / commands),
        "commands_per_column": round(commands / columns, 1),
        **asdict(rate),
    }
