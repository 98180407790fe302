"""What a chaos run says: unavailable times, percentiles, the damage it does to a log, the timeline."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from psmr.chaos.disks import flip_bit, flip_byte, restore_log
from psmr.chaos.executor import Happening
from psmr.chaos.options import ChaosOptions, ChaosResult
from psmr.chaos.plan import KINDS
from psmr.chaos.relays import Condition, both
from psmr.chaos.report import percentile, plain, unavailable_ms
from psmr.chaos.series import RATE, ROUND_S, TURNS, rounds, run_round
from psmr.chaos.snapshot_counts import SnapshotCounts
from psmr.chaos.timeline import draw
from psmr.cli import main
from psmr.cli.chaos import chaos
from psmr.cli.exits import ExitCode
from psmr.cluster.status import ReplicaStatus
from psmr.config import Tuning
from psmr.demo.options import DemoOptions
from psmr.errors import ConfigurationError
from psmr.replica.ways import RELAYED, way_of
from psmr.storage import HardState

KILL = Happening("kill", "replica 1", True, 1_000_000, 1_500_000, 1_800_000)


def test_each_kill_of_a_leader_is_charged_with_the_longest_gap_before_the_next_fault() -> None:
    later = Happening("pause", "replica 2", True, 2_000_000)
    follower = Happening("kill", "replica 3", False, 3_000_000)
    acknowledged = [900_000, 1_400_000, 1_450_000, 1_990_000, 3_900_000]
    assert unavailable_ms([KILL, later, follower], acknowledged, 4_000_000) == (540.0,)


def test_a_client_that_restarts_does_not_end_the_wait() -> None:
    client = Happening("client", "client 1", False, 1_100_000)
    assert unavailable_ms([KILL, client], [990_000, 1_900_000], 2_000_000) == (910.0,)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2.0), (0.99, 4.0), (0.25, 1.0)])
def test_percentiles(share: float, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == expected
    assert percentile([], share) is None


def test_one_bit_flips_in_the_tail_of_the_last_segment(tmp_path: Path) -> None:
    (tmp_path / "log-1.seg").write_bytes(b"\xff" * 50)
    last = tmp_path / "log-2.seg"
    before = b"\x55" * 9000 + bytes(1000)
    last.write_bytes(before)
    flip_bit(tmp_path, Random(1))
    changed = [place for place, (old, new) in enumerate(zip(before, last.read_bytes(), strict=True)) if old != new]
    assert len(changed) == 1
    assert 9000 - 4096 <= changed[0] < 9000
    assert (last.read_bytes()[changed[0]] ^ 0x55).bit_count() == 1
    assert (tmp_path / "log-1.seg").read_bytes() == b"\xff" * 50


@pytest.mark.parametrize(("donor_term", "kept"), [(2, (2, 1)), (1, (2, 1)), (5, (5, None))])
def test_a_restored_log_is_the_donors_and_a_vote_is_kept_in_its_term(
    tmp_path: Path, donor_term: int, kept: tuple[int, int | None]
) -> None:
    damaged, donor = tmp_path / "damaged", tmp_path / "donor"
    for folder, names in ((damaged, ["log-1.seg", "log-9.seg", "commit-mark"]), (donor, ["log-1.seg"])):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(folder.name)
    HardState(damaged).save(2, 1)
    HardState(donor).save(donor_term, 3)
    restore_log(damaged, donor)
    found = {path.name: path.read_text() for path in damaged.iterdir() if path.name != "hard-state"}
    assert found == {"log-1.seg": "donor"}
    assert HardState(damaged).load() == kept


def test_the_times_of_elections_are_those_of_clusters_by_default() -> None:
    given = inspect.signature(chaos).parameters
    for name in ("election_timeout_ms", "heartbeat_ms"):
        assert given[name].default == getattr(Tuning(), name) == getattr(ChaosOptions(DemoOptions("kv")), name)


def test_replicas_dial_relays_only_when_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RELAYED, raising=False)
    assert way_of(1)("ipc://@x-2-peers") == "ipc://@x-2-peers"
    monkeypatch.setenv(RELAYED, "1")
    relays = {way_of(sender)(f"ipc://@x-{to}-peers") for sender in (1, 2, 3) for to in (1, 2, 3) if sender != to}
    assert len(relays) == 6
    assert relays.isdisjoint(f"ipc://@x-{to}-peers" for to in (1, 2, 3))


def test_snapshots_are_counted_over_restarts(tmp_path: Path) -> None:
    counts = SnapshotCounts()
    for uptime_us, count in [(1, 2), (2, 3), (3, 3), (1, 1), (2, 4)]:
        status = ReplicaStatus(1, "", {"uptime_us": uptime_us, "snapshots": count})
        counts.look([status, ReplicaStatus(2, "", None)], tmp_path)
    assert counts.taken == 7
    (tmp_path / "replica-1.log").write_text("a snapshot was fetched; starts again from it\n" * 2)
    counts.look([], tmp_path)
    assert counts.fetched == 2


@pytest.mark.parametrize("random", [Random(seed) for seed in range(3)])
def test_one_byte_of_the_newest_snapshot_changes(tmp_path: Path, random: Random) -> None:
    assert flip_byte(tmp_path, random) == ""
    for name in ("snapshot-1.snap", "snapshot-2.snap"):
        (tmp_path / name).write_bytes(bytes(100))
    assert "snapshot-2.snap, byte" in flip_byte(tmp_path, random)
    assert (tmp_path / "snapshot-1.snap").read_bytes() == bytes(100)
    assert (tmp_path / "snapshot-2.snap").read_bytes().count(0) == 99


def series(seconds: float, **others: Any) -> ChaosOptions:
    return ChaosOptions(DemoOptions(seconds=seconds, seed=7, rate=RATE), **others)


@pytest.mark.parametrize("seconds", [10.0, 150.0, 151.0, 3600.0])
def test_a_series_takes_its_time_over_apps_and_sizes(seconds: float) -> None:
    found = list(rounds(series(seconds)))
    assert sum(part.seconds for part in found) == pytest.approx(seconds)
    assert all(part.seconds <= ROUND_S for part in found)
    assert len({part.seed for part in found}) == len(found)
    assert len({(part.app, part.replicas) for part in found}) == min(len(found), len(TURNS))


def test_runs_of_a_series_have_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    options = series(300.0, durability="memory", kinds=("kill", "pause"))
    part = list(rounds(options))[1]
    assert part.command == (
        "psmr chaos nameserver --replicas 3 --seconds 75 --seed 8 --durability memory --faults kill,pause"
    )
    asked: list[ChaosOptions] = []

    def refuse(run: ChaosOptions) -> None:
        asked.append(run)
        raise ConfigurationError("no run")

    monkeypatch.setattr("psmr.chaos.series.run_chaos", refuse)
    assert run_round(part, options, {"a": "b"}).error == "ConfigurationError: no run"
    load = replace(options.load, app="nameserver", seconds=75.0, seed=8, parameters={"a": "b"})
    assert asked == [replace(options, load=load)]
    assert next(rounds(series(10.0))).command == "psmr chaos kv --replicas 3 --seconds 10 --seed 7"


@pytest.mark.parametrize("words", [("--kills", "3"), ("--data", "there"), ("--html", "a.html"), ("--replicas", "5")])
def test_a_series_refuses_what_is_of_one_run(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "all", *words]) == ExitCode.CALLER
    assert f"{words[0]}: expected one application beside it, found all" in capsys.readouterr().err


def test_a_link_suffers_from_both_its_ends() -> None:
    assert both(Condition(is_cut=True), Condition(delay_s=0.1)) == Condition(is_cut=True, delay_s=0.1)
    assert both(Condition(is_held=True), Condition()) == Condition(is_held=True)


def test_the_timeline_has_every_kind_of_fault_and_escapes_what_it_shows() -> None:
    happenings = tuple({**plain(KILL, 0), "kind": kind, "note": "<b>"} for kind in KINDS)
    result = ChaosResult(
        acknowledged=10, read_beside_log=0, unknown=0, lost=0, duplicated=0, digests=("a",), digests_equal=True,
        model_equal=True, model_difference="", linearizable=True, linearizability="yes", judgement=None, app="kv", replicas=3,
        durability="disk", seed=1, seconds=4.0, commands=10, faults={"kill": 1}, leader_kills=1,
        snapshots_taken=0, snapshots_fetched=0,
        unavailable_ms=(500.0,), unavailable_p50_ms=500.0, unavailable_p99_ms=500.0, happenings=happenings,
    )  # fmt: skip
    page = draw(result, [0.5, 1.0, 3.9])
    assert page.startswith("<!DOCTYPE html>")
    assert page.count('fill="#c0392b"') == 2
    assert (
        page.count("<g><title>")
        == len(KINDS)
        == len(set(re.findall(r'height="20" fill="(#[0-9a-f]{6})" opacity', page)))
    )
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
