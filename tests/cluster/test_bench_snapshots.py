"""The snapshot bench: pauses, catch-up, restarts and the disk are measured, and a replica that comes back different is noticed."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import snapshots
from bench._open_loop import Account
from bench._snapshots_disk import Disk, bound_mib, folder_bytes
from bench._snapshots_pause import MARGIN_NS, around, longest_gap_ms
from bench._snapshots_stream import Stream
from bench._snapshots_watch import SnapshotWatch

_MS = 1_000_000


@pytest.fixture(scope="module")
def quick() -> dict[str, Any]:
    command = [sys.executable, "-m", "psmr", "bench", "snapshots", "--quick", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.long
def test_every_question_has_an_answer(quick: dict[str, Any]) -> None:
    assert snapshots.passed(quick)
    (pause,) = quick["pause"]
    assert pause["around"]["count"] == len(pause["snapshots"]) > 0
    assert {one["replica"] for one in pause["snapshots"]} <= {1, 2, 3}
    assert pause["snapshot_bytes"] > 16 * pause["keys"]
    for name in ("with", "without"):
        assert 0 < pause[name]["median_of_runs_us"]["p50"] <= pause[name]["median_of_runs_us"]["max"]
    (back,) = quick["catch_up"]
    assert 0 < back["loaded_s"] <= back["again_s"] <= back["level_s"]
    assert back["commands_per_s"]["meanwhile"] > 0
    (restart,) = quick["restart"]
    assert 0 < restart["loaded_s"] <= restart["ready_s"] <= restart["answer_s"]
    assert min(restart["parts_s"].values()) >= 0 < restart["processor_s"]
    # What the snapshot holds is not executed again.
    assert restart["commands_from_log"] < restart["keys"]


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.long
def test_the_disk_stays_within_its_bound(quick: dict[str, Any]) -> None:
    disk = quick["disk"]
    assert disk["log_mib_written"] >= 64
    assert min(disk["snapshots"].values()) > 0
    assert 0 < min(disk["greatest_mib"].values()) <= max(disk["greatest_mib"].values()) <= disk["bound_mib"]
    assert len(disk["rates"]) > 1


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.long
def test_tables_and_curves_show_everything(quick: dict[str, Any]) -> None:
    tables = [snapshots.table(quick), *snapshots.more_tables(quick).values()]
    for heading, *lines in tables:
        assert lines
        assert {len(cells) for cells in lines} == {len(heading)}
    assert [len(table) for table in tables] == [3, 2, 2, 2, 4]
    assert [list(plot.curves) for plot in snapshots.plots(quick)] == [
        ["replica 1", "replica 2", "replica 3", "bound"],
        ["rate"],
        ["client"],
    ]


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.long
def test_what_came_out_different_is_noticed_and_targets_are_judged(quick: dict[str, Any]) -> None:
    for place, key in (("pause", "digests_equal"), ("catch_up", "right"), ("restart", "right")):
        wrong = copy.deepcopy(quick)
        wrong[place][0][key] = False
        assert not snapshots.passed(wrong)
    assert not snapshots.passed({**quick, "disk": {**quick["disk"], "digests_equal": False}})
    good = copy.deepcopy(quick)
    good["pause"][0]["around"]["gap_ms_max"], good["restart"][0]["answer_s"] = 49.9, 4.9
    assert [one["is_met"] for one in snapshots.targets(good)] == [True, True, True]
    good["pause"][0]["around"]["gap_ms_max"], good["restart"][0]["answer_s"] = 50, 5.0
    good["disk"]["is_bounded"] = False
    assert [one["is_met"] for one in snapshots.targets(good)] == [False, False, False]


def _account(answered_ms: list[int], latency_ms: int = 1) -> Account:
    answered_ns = np.array(answered_ms, np.int64) * _MS
    return Account(answered_ns - latency_ms * _MS, answered_ns, answered_ns, len(answered_ms))


def test_a_gap_counts_if_any_of_it_lies_within() -> None:
    answered_ns = _account([0, 10, 50, 55, 55, 60, 160]).answered_ns
    assert longest_gap_ms(answered_ns, 0, 200 * _MS) == 100
    assert longest_gap_ms(answered_ns, 0, 60 * _MS - 1) == 40
    assert longest_gap_ms(answered_ns, 20 * _MS, 30 * _MS) == 40
    assert longest_gap_ms(answered_ns, 51 * _MS, 54 * _MS) == 5
    assert longest_gap_ms(answered_ns, 300 * _MS, 400 * _MS) == 0


def test_what_is_noticed_around_a_snapshot() -> None:
    margin_ms = MARGIN_NS // _MS
    began_ms, ended_ms = 5 * margin_ms, 9 * margin_ms
    steady = [*range(0, began_ms, 5), *range(began_ms + 30, ended_ms, 5), *range(ended_ms + 20, 12 * margin_ms, 5)]
    found = around(_account(steady, 7), began_ms * _MS, ended_ms * _MS, 2)
    assert (found.replica, found.seconds) == (2, 4 * margin_ms / 1000)
    assert (found.gap_ms, found.begin_gap_ms, found.end_gap_ms, found.slowest_ms) == (35, 35, 25, 7)


def test_snapshots_are_seen_in_their_folders(tmp_path: Path) -> None:
    old, new = tmp_path / "snapshot-1.snap", tmp_path / "snapshot-2.snap"
    old.touch()
    watch = SnapshotWatch({7: tmp_path})
    begun = tmp_path / "snapshot-2.snap.new"
    begun.touch()
    watch._look()
    assert watch.seen == []
    begun.rename(new)
    old.unlink()
    watch._look()
    watch._look()
    (tmp_path / "snapshot-3.snap").touch()  # too quick to be seen as it was written
    watch._look()
    assert [one.replica for one in watch.seen] == [7, 7]
    assert all(one.began_ns < one.ended_ns for one in watch.seen)
    assert watch.seen[0].ended_ns < watch.seen[1].began_ns


def test_rates_and_gaps_of_a_stream() -> None:
    stream = Stream(10, 1, [(1.0, 10), (2.0, 10), (2.5, 10), (4.0, 10)])
    assert stream.rate(1.0, 3.0) == 10
    assert stream.longest_gap_s(1.0, 3.0) == 1.0
    assert stream.longest_gap_s(2.25, 5.0) == 1.5


def test_the_bound_and_the_size_of_a_folder(tmp_path: Path) -> None:
    assert bound_mib(Disk(1, snapshot_mib=100, segment_mib=10, retain_mib=0), 5, 7) == 200 + 20 + 10 + 7 + 65
    assert bound_mib(Disk(1, snapshot_mib=100, segment_mib=10, retain_mib=300), 0, 0) == 400 + 20 + 65
    (tmp_path / "file").write_bytes(bytes(10_000))
    assert 10_000 <= folder_bytes(tmp_path) <= 64 << 10
