"""A killed replica leaves nothing running and nothing lying about; an idle cluster does next to nothing."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_support import PATIENCE_S, cpu_s, ending, family, settle, stay_for

from apps.kv import IntegerKV
from psmr.client.connecting import connect_blocking
from psmr.cluster import LocalCluster

pytestmark = pytest.mark.cluster
IDLE_S = 3.0
IDLE_CPU_S = 0.6


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(IntegerKV) as running:
        running.wait_ready(PATIENCE_S)
        yield running


def things_with_names(folder: Path) -> set[Path]:
    """Shared memory with a name, and sockets with a file."""
    sockets = {
        path for top in (folder, Path(tempfile.gettempdir())) for path in top.glob("*") if stat.S_ISSOCK(mode(path))
    }
    return sockets | set(Path("/dev/shm").iterdir())


def mode(path: Path) -> int:
    """A file's mode; 0 if it has gone."""
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return 0


def test_a_killed_replica_leaves_no_child_no_socket_and_no_shared_memory(cluster: LocalCluster) -> None:
    leader = cluster.wait_ready(PATIENCE_S)
    before = things_with_names(cluster.folder)
    with connect_blocking(IntegerKV, cluster.addresses, timeout_s=PATIENCE_S) as kv:
        pending = [kv.put.submit(range(at, at + 1000), range(1000)) for at in range(0, 20_000, 1000)]
        process = cluster.process(leader).pid
        assert process is not None
        members = family(process)
        assert sorted(members.values()) == [f"psmr-replica-{leader}"[:15], "psmr-worker-0", "psmr-worker-1"]
        with ending(members):
            cluster.kill(leader)
        assert all(replies.result().values.all() for replies in pending)
    assert things_with_names(cluster.folder) <= before
    cluster.start(leader)
    cluster.wait_ready(PATIENCE_S)
    settle(cluster.config)


def test_an_idle_cluster_sleeps(cluster: LocalCluster) -> None:
    cluster.wait_ready(PATIENCE_S)
    settle(cluster.config)
    processes = [process for replica in cluster.ids for process in family(cluster.process(replica).pid or os.getpid())]
    assert len(processes) == 3 * len(cluster.ids)
    before_s = cpu_s(processes)
    stay_for(IDLE_S, cluster.process(1).pid)
    used_s = cpu_s(processes) - before_s
    assert used_s < IDLE_CPU_S, f"{used_s:.2f} s of processor time in {IDLE_S:g} s with nothing to do"
