"""A closed loop of columns on a running cluster: one client keeps `window` of them unanswered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from apps.kv import IntegerKV
from bench._cpu import CpuMeter, account
from bench._measurement import Spread, percentile
from bench._records import KEY_BYTES, VALUE_BYTES, Records
from cdep import StateMachine
from psmr.client.connecting import connect_blocking
from psmr.cluster.local import LocalCluster

SERVICES: dict[str, type[StateMachine]] = {"mixed": IntegerKV, "reads": IntegerKV, "writes": Records}
"""Which service each kind of commands calls."""

_PRELOAD_ROWS = 4096
_DRAWN_ROWS = 1 << 16
_DRAWN_COLUMNS_MIN = 64

Say = Callable[[str], None]
Send = Callable[[], Any]
"""Submits one column, and returns its pending replies."""


@dataclass(frozen=True, slots=True)
class Load:
    """One configuration to measure.

    `mixed`: integer keys and values, columns of puts and of gets in turn, all in the log. `reads`: gets only, beside the log.
    `writes`: puts of 32 bytes under keys of 16.
    """

    replicas: int = 3
    workers: int = 1
    durability: str = "disk"
    batch: int = 1024
    window: int = 16
    keys: int = 100_000
    warm_up_s: float = 1.0
    seconds: float = 2.0
    runs: int = 5
    commands: str = "mixed"
    at: str = "leader"

    @property
    def text(self) -> str:
        """What is measured, in words."""
        sizes = f"{self.replicas} replicas, columns of {self.batch}, window {self.window}"
        return f"{self.durability}, {self.commands} at the {self.at}, {sizes}"


def measure(load: Load, cluster: LocalCluster, leader: int, say: Say) -> dict[str, Any]:
    """`runs` runs: their median throughput, the latencies of all columns, where the processor's time went."""
    place = leader if load.at == "leader" else next(replica for replica in cluster.ids if replica != leader)
    address = cluster.addresses[cluster.ids.index(place)]
    throughput: list[float] = []
    latencies_us: list[float] = []
    with connect_blocking(
        SERVICES[load.commands],
        address,
        window=load.window,
        prefer_leader=False,
        reads_in_log=load.commands == "mixed",
    ) as client:
        _preload(client, load)
        sends = _sends(client, load)
        drive(sends, load.window, load.warm_up_s)
        meter = CpuMeter(cluster, leader)
        before = meter.sample()
        for _ in range(load.runs):
            columns_per_s, taken_us = drive(sends, load.window, load.seconds)
            throughput.append(columns_per_s * load.batch)
            latencies_us += taken_us
        used = account(before, meter.sample(), len(latencies_us) * load.batch)
    spread = Spread(tuple(throughput))
    say(f"{load.text}: {spread.text('commands/s')}")
    return {
        "commands_per_s": round(spread.median),
        "runs_per_s": [round(run) for run in spread.runs],
        "latency_us": {"p50": round(percentile(latencies_us, 0.5)), "p99": round(percentile(latencies_us, 0.99))},
        **used,
        **asdict(load),
    }


def drive(sends: list[Send], window: int, seconds: float) -> tuple[float, list[float]]:
    """Send columns in turn, `window` unanswered: (columns/s, latency of each in microseconds)."""
    flying: deque[tuple[float, Any]] = deque()
    latencies_us: list[float] = []
    started = time.perf_counter()
    sent = 0
    while (now := time.perf_counter()) - started < seconds or flying:
        if now - started < seconds and len(flying) < window:
            flying.append((now, sends[sent % len(sends)]()))
            sent += 1
            continue
        began, pending = flying.popleft()
        pending.result().check()
        latencies_us.append((time.perf_counter() - began) * 1e6)
    return len(latencies_us) / (time.perf_counter() - started), latencies_us


def _preload(client: Any, load: Load) -> None:
    """Put every key, so that no size of batch works on a smaller table."""
    for start in range(0, load.keys, _PRELOAD_ROWS):
        client.put.many(*_rows(load, np.arange(start, min(start + _PRELOAD_ROWS, load.keys), dtype=np.uint64)))


def _sends(client: Any, load: Load) -> list[Send]:
    """Columns to send in turn, drawn before the clock runs; every row of a column is the same command."""
    random = np.random.default_rng(1)
    sends: list[Send] = []
    for number in range(max(_DRAWN_COLUMNS_MIN, _DRAWN_ROWS // load.batch)):
        keys, values = _rows(load, random.integers(0, load.keys, load.batch, dtype=np.uint64))
        is_read = load.commands == "reads" or (load.commands == "mixed" and number % 2)
        sends.append(partial(client.get.submit, keys) if is_read else partial(client.put.submit, keys, values))
    return sends


def _rows(load: Load, numbers: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """Keys and values of these numbers as the service wants them."""
    if load.commands != "writes":
        return numbers, numbers * np.uint64(3)
    keys = np.zeros((len(numbers), KEY_BYTES // 8), np.uint64)
    values = np.zeros((len(numbers), VALUE_BYTES // 8), np.uint64)
    keys[:, 0] = numbers
    values[:] = numbers[:, None]
    return keys.view(f"V{KEY_BYTES}").reshape(-1), values.view(f"V{VALUE_BYTES}").reshape(-1)
