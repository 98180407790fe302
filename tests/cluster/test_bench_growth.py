"""The growth bench: every dimension is measured, what is not measured says why, and a wrong answer is noticed."""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench import _growth_clients, _growth_keys, _growth_log, _growth_model, _growth_routing, growth
from bench._growth_model import ADD, GET, PUT, Cells, commands, reply_bytes, sums
from bench._growth_plan import QUICK

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
SMALL = replace(QUICK, keys=(1000,), log=(100_000,), round_batches=2, warm_ups=1, runs=1)
EXPECTED = {
    "keys": [(series, size) for series in ("Array", "Map") for _ in (1, 2) for size in (10_000, 100_000)],
    "log": [("1 worker", 3_000_000), ("1 worker", 10_000_000)],
    "workers": [("Map", 1), ("Map", 2)],
    "groups": [("Map", 1), ("Map", 2)],
    "skew": [("Map", 0.0), ("Map", 0.5)] * 2,
    "clients": [("3 replicas", 1), ("3 replicas", 4)],
}


def silent(text: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def quick() -> dict[str, Any]:
    command = [sys.executable, "-m", "psmr", "bench", "growth", "--quick", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_every_dimension_is_measured_at_its_smallest_two_sizes(quick: dict[str, Any]) -> None:
    found: dict[str, list[tuple[str, float]]] = {}
    for row in quick["rows"]:
        found.setdefault(row["dimension"], []).append((row["series"].split(",")[0], row["size"]))
    assert found == EXPECTED
    assert growth.passed(quick)


def test_a_row_has_its_figures(quick: dict[str, Any]) -> None:
    for row in quick["rows"]:
        assert len(row["runs_per_s"]) == 3
        assert min(row["runs_per_s"]) <= row["commands_per_s"] <= max(row["runs_per_s"])
        assert row["ns_per_command"] == pytest.approx(1e9 / row["commands_per_s"], rel=0.01, abs=0.1)
        assert row["answers_right"] is True
        # The kernel counts a worker that never sleeps by its ticks: a run that is shorter than one may show nothing.
        assert row["dimension"] == "clients" or max(row["runs_cpu_ns"]) > 0
    hottest = [row["hottest_share"] for row in quick["rows"] if row["dimension"] in ("groups", "skew")]
    assert hottest == pytest.approx([1.0, 0.5, 1.0, 1.0, 0.5, 0.5], abs=0.02)


def test_table_and_plots_show_every_row(quick: dict[str, Any]) -> None:
    heading, *lines = growth.table(quick)
    assert len(lines) == len(quick["rows"])
    assert {len(cells) for cells in lines} == {len(heading)}
    plots = growth.plots(quick)
    assert all(plot.curves for plot in plots)
    points = sum(len(curve) for plot in plots for curve in plot.curves.values())
    rows_of = Counter(row["dimension"] for row in quick["rows"])
    # Clients' p50 and p99 stand beside their rate, and the log's rate by processor time beside that on the wall.
    assert points == len(quick["rows"]) + 2 * rows_of["clients"] + rows_of["log"]


def with_rows(quick: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The result with these rows instead of those of their dimension."""
    others = [row for row in quick["rows"] if row["dimension"] != rows[0]["dimension"]]
    return {**quick, "rows": rows + others}


def test_a_wrong_reply_in_a_round_is_noticed(quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert growth.passed(with_rows(quick, list(_growth_keys.measure(SMALL, math.inf, silent))))
    right = Cells.replies

    def off_by_one(self: Cells, records: _growth_model.Records) -> bytes:
        values = np.frombuffer(right(self, records), np.uint64).copy()
        values[-1] += 1
        return values.tobytes()

    monkeypatch.setattr(Cells, "replies", off_by_one)
    rows = list(_growth_keys.measure(SMALL, math.inf, silent))
    assert [row["answers_right"] for row in rows] == [False] * 4
    assert not growth.passed(with_rows(quick, rows))
    assert {row[-1] for row in growth.table(with_rows(quick, rows))[1:5]} == {"WRONG"}


def test_a_wrong_reply_in_the_log_is_noticed(quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert growth.passed(with_rows(quick, _growth_log.measure(SMALL, math.inf, silent)))

    def one_add_too_few(records: _growth_model.Records) -> tuple[Any, Any]:
        replies, growth_ = sums(records)
        growth_[0] -= np.uint64(1)
        return replies, growth_

    monkeypatch.setattr(_growth_log, "sums", one_add_too_few)
    assert not growth.passed(with_rows(quick, _growth_log.measure(SMALL, math.inf, silent)))


class Counting:
    """In place of a client's proxy: every row of the n-th column gets n, and what `ahead` adds."""

    def __init__(self, ahead: int) -> None:
        self.add = self
        self._columns = ahead

    async def many(self, keys: Column, amounts: Column) -> Column:
        self._columns += 1
        return Column(np.full(len(keys), self._columns))


class Column:
    """Replies, as far as they are looked at."""

    def __init__(self, values: np.ndarray[Any, Any]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)


@pytest.mark.parametrize(("ahead", "right"), [(0, True), (1, False)])
def test_a_wrong_reply_to_a_client_is_noticed(ahead: int, right: bool) -> None:
    client = _growth_clients.Client(3, Counting(ahead))

    async def send_twice() -> None:
        await client.send()
        await client.send()

    asyncio.run(send_twice())
    assert client.check() is right


def test_what_does_not_fit_the_memory_says_so(quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_growth_keys, "available_bytes", lambda: 0)
    rows = list(_growth_keys.measure(SMALL, math.inf, silent))
    assert len(rows) == 4
    assert all(row["stopped"].startswith("expected ") and "GiB" in row["stopped"] for row in rows)
    assert "found 0.0 GiB available" in growth.table(with_rows(quick, rows))[1][5]
    assert not growth.passed(with_rows(quick, rows))


def test_what_takes_too_long_is_left_out_and_says_so() -> None:
    hasty = replace(SMALL, keys=(1000, 2000), keys_s=0.0, log=(100_000, 200_000), log_s=0.0)
    measures = (_growth_keys.measure, _growth_log.measure, _growth_routing.measure_workers)
    rows = [row for measure in measures for row in measure(hasty, 0.0, silent)]
    assert [(row["size"], "stopped" in row) for row in rows] == [
        *[(1000, False), (2000, True)] * 4,
        *[(100_000, False), (200_000, True)],
        *[(1, False), (2, True)],
    ]
    result = {"rows": rows, "machine": {"cores": 2}}
    assert sum("time" in row[5] for row in growth.table(result)[1:]) == 6
    assert len(growth.plots(result)) == 3
    assert not growth.passed(result)


def test_more_workers_than_cores_are_called_that() -> None:
    cores = len(os.sched_getaffinity(0))
    more = min(16, cores + 1)
    for workers, note in ((1, ""), (more, f"more workers than the {cores} cores" if more > cores else "")):
        (row,) = _growth_routing.measure_workers(replace(SMALL, workers=(workers,)), math.inf, silent)
        assert row["note"] == note
        assert row["answers_right"]


def test_the_model_means_what_a_dict_does() -> None:
    random = np.random.default_rng(1)
    cells, plain = Cells(), dict[int, int]()
    for keys in (1, 3, 50):
        drawn = random.integers(0, keys, 200)
        records = commands(np.where(random.random(200) < 0.5, GET, PUT), drawn, random.integers(1, 99, 200))
        expected = []
        for op, key, value in records[["op", "key", "value"]].tolist():
            expected.append(plain.get(key, 0) if op == GET else 0)
            if op == PUT:
                plain[key] = value
        assert cells.replies(records) == reply_bytes(np.array(expected, np.uint64))


def test_the_model_of_a_repeated_log_grows_as_it_does_when_it_is_longer() -> None:
    random = np.random.default_rng(2)
    records = commands(
        np.where(random.random(100) < 0.5, GET, ADD), random.integers(0, 7, 100), random.integers(1, 99, 100)
    )
    replies, more = sums(records)
    twice, _ = sums(np.concatenate([records, records]))
    assert twice.tolist() == [*replies.tolist(), *(replies + more).tolist()]
