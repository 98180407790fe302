"""The time of day of a leader jumps forth and back: the log's stamps go forth with it, and not back."""

from __future__ import annotations

from pathlib import Path

import pytest
from cluster_support import PATIENCE_S, PATIENT
from small_services import Small

from psmr.client.connecting import connect_blocking
from psmr.cluster import LocalCluster
from psmr.replica.clocks import SHIFTED, shift_clock, wall_clock, wall_us
from psmr.replica.serve import cluster_id
from psmr.storage import LogStore

HOUR_US = 3_600_000_000
SHIFTS_US = (0, 10 * HOUR_US, -10 * HOUR_US, 0, 20 * HOUR_US)


def test_a_clock_is_shifted_only_for_those_that_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shift_clock(tmp_path, 1, HOUR_US)
    assert wall_clock(tmp_path, 1) is wall_us
    monkeypatch.setenv(SHIFTED, "1")
    clock, other = wall_clock(tmp_path, 1), wall_clock(tmp_path, 2)
    assert clock() > other() + HOUR_US // 2
    shift_clock(tmp_path, 1, -HOUR_US)
    assert clock() < other() - HOUR_US // 2


def test_stamps_jump_forth_and_never_back(tmp_path: Path) -> None:
    began_us = wall_us()
    cluster = LocalCluster(Small, replicas=1, execution="interpreted", folder=tmp_path, variables={SHIFTED: "1"})
    with cluster:
        cluster.wait_ready(PATIENCE_S)
        with connect_blocking(Small, cluster.addresses, **PATIENT) as small:
            for seat, shift_us in enumerate(SHIFTS_US):
                shift_clock(cluster.config.data, 1, shift_us)
                assert small.take(seat, 1)
        last_index = cluster.status(1).get("last_index")
        cluster.stop(1)
    with LogStore(cluster.config.folder(1), False, cluster_id=cluster_id(cluster.config)) as store:
        stamps_us = [record.time_us for record in store.read(1, 1 << 20)]
    assert len(stamps_us) == last_index
    assert stamps_us == sorted(stamps_us)
    taken_us = [stamp_us - began_us for stamp_us in stamps_us[-len(SHIFTS_US) :]]
    assert [round(after_us / HOUR_US) for after_us in taken_us] == [0, 10, 10, 10, 20]
