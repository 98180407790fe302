"""The recovery bench: replay, restart and rest are measured, and a replica that comes back different is noticed."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apps.kv import IntegerKV
from bench import _recovery_idle, _recovery_replay, _recovery_restart, recovery
from bench._recovery_log import COLUMN, WrittenLog, write_log
from psmr.cluster.local import LocalCluster
from psmr.demo.apart import run_apart

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
COMMANDS = 20 * COLUMN
ROLES = {f"{who} {what}" for who in ("leader", "follower 1", "follower 2") for what in ("loop", "workers")}


def silent(text: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def quick() -> dict[str, Any]:
    command = [sys.executable, "-m", "psmr", "bench", "recovery", "--quick", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_the_log_is_that_of_a_replica(quick: dict[str, Any]) -> None:
    log = quick["log"]
    # One batch more opens the session.
    assert log["commands"] == (log["batches"] - 1) * COLUMN == 200_000 // COLUMN * COLUMN
    # The term begins with an entry of its own; batches that come together share one.
    assert 2 < log["last_index"] <= log["batches"] + 1
    # A get is its command and its key, a put has a value as well.
    assert log["size_bytes"] > log["commands"] * (16 + 24) // 2


def test_each_number_of_workers_replays_all_of_it(quick: dict[str, Any]) -> None:
    assert recovery.passed(quick)
    assert [row["workers"] for row in quick["replay"]] == list(recovery.WORKERS)
    for row in quick["replay"]:
        assert row["answers_right"] is True
        assert min(row["runs_per_s"]) <= row["commands_per_s"] <= max(row["runs_per_s"])
        assert 0 < row["with_start_per_s"] < row["commands_per_s"]
        assert list(row["cpu_ns_per_command"]) == ["loop", *(f"worker {n}" for n in range(row["workers"]))]
        assert min(row["cpu_ns_per_command"].values()) > 0
        (run,) = row["runs"]
        assert 0 < run["opening_s"] < run["replay_s"]
        assert run["commands"] == quick["log"]["commands"]


def test_a_restart_takes_its_steps_in_turn(quick: dict[str, Any]) -> None:
    restart = quick["restart"]
    assert restart["answers_right"] is True
    assert 0 < restart["serving_s"] <= restart["executed_s"] <= restart["answer_s"]


def test_at_rest_every_thread_and_process_is_told(quick: dict[str, Any]) -> None:
    idle, memory = quick["idle"], quick["memory"]
    assert set(idle["roles"]) >= ROLES
    assert idle["cpu_share"] == pytest.approx(sum(one["cpu_share"] for one in idle["roles"].values()), abs=0.001)
    # A follower hears of its leader, and a leader of its followers, all the time.
    assert all(idle["roles"][role]["wakes_per_s"] > 0 for role in ROLES if role.endswith("loop"))
    assert len(memory["processes"]) == 3 * (1 + _recovery_idle.WORKERS)
    for one in memory["processes"]:
        assert 0 < one["uss_mib"] <= one["pss_mib"] + 0.1 <= one["rss_mib"] + 0.2
        assert one["beyond_state_mib"] == pytest.approx(one["pss_mib"] - one["state_mib"], abs=0.2)
    largest = max(one["beyond_state_mib"] for one in memory["processes"])
    assert memory["beyond_state_mib_max"] == largest < memory["beyond_state_mib_sum"]


def test_tables_show_everything(quick: dict[str, Any]) -> None:
    tables = [recovery.table(quick), *recovery.more_tables(quick).values()]
    for heading, *lines in tables:
        assert lines
        assert {len(cells) for cells in lines} == {len(heading)}
    assert [len(table) for table in tables] == [4, 4, 2 + len(quick["idle"]["roles"]), 2 + 9]


def test_targets_are_judged(quick: dict[str, Any]) -> None:
    good = copy.deepcopy(quick)
    good["replay"][1]["commands_per_s"] = recovery.REPLAY_PER_S_MIN
    good["replay"][0]["commands_per_s"] = 1
    good["idle"]["cpu_share"] = 0.0199
    good["memory"]["beyond_state_mib_max"] = 143.0
    assert [one["is_met"] for one in recovery.targets(good)] == [True, True, True]
    good["replay"][1]["commands_per_s"] -= 1
    good["idle"]["cpu_share"] = 0.02
    good["memory"]["beyond_state_mib_max"] = 143.1
    assert [one["is_met"] for one in recovery.targets(good)] == [False, False, False]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalCluster, WrittenLog]:
    folder = tmp_path_factory.mktemp("recovery")
    with LocalCluster(IntegerKV, name="recovery", replicas=1, workers=1, folder=folder) as cluster:
        return cluster, write_log(cluster, COMMANDS, silent)


def test_a_replay_that_comes_out_different_is_noticed(
    quick: dict[str, Any], written: tuple[LocalCluster, WrittenLog]
) -> None:
    _, log = written
    request = _recovery_replay.Request(log, (1,), 1)
    (run,) = run_apart(_recovery_replay.replays, request)
    assert _recovery_replay.is_right(log, run)
    for changes in ({"digest": "0" * 16}, {"sessions_digest": "0" * 16}, {"commands": log.commands - COLUMN}):
        assert not _recovery_replay.is_right(log, replace(run, **changes))
    (row,) = _recovery_replay.measure(replace(request, log=replace(log, digest="0" * 16)), silent)
    different = {**quick, "replay": [row]}
    assert not recovery.passed(different)
    assert [line[-1] for line in recovery.table(different)[1:]] == ["WRONG", "right"]


def test_a_log_cut_short_is_noticed(written: tuple[LocalCluster, WrittenLog]) -> None:
    _, log = written
    (row,) = _recovery_replay.measure(
        _recovery_replay.Request(replace(log, last_index=log.last_index - 1), (2,), 1), silent
    )
    assert not row["answers_right"]


def test_a_restart_that_comes_out_different_is_noticed(
    quick: dict[str, Any], written: tuple[LocalCluster, WrittenLog]
) -> None:
    cluster, log = written
    with LocalCluster(IntegerKV, name="recovery", replicas=1, workers=1, folder=cluster.folder) as again:
        again.wait_ready()
        again.stop(1)
        right = _recovery_restart.measure(again, log, 1, silent)
        wrong = _recovery_restart.measure(again, replace(log, value=log.value + 1), 1, silent)
    assert right["answers_right"]
    assert not wrong["answers_right"]
    assert not recovery.passed({**quick, "restart": wrong})


def test_memory_is_read_of_processes_only() -> None:
    mine = _recovery_idle.memory_of(os.getpid())
    assert 0 < mine["uss_mib"] <= mine["rss_mib"]
    gone = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    assert _recovery_idle.memory_of(gone) == {}
