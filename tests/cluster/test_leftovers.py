"""A killed replica leaves nothing running and nothing lying about; an idle cluster does next to nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from cluster_support import PATIENCE_S, PATIENT, START_PATIENCE_S, cpu_s, ending, family, settle, stay_for

from apps.kv import IntegerKV
from psmr.client.connecting import connect_blocking
from psmr.cluster import LocalCluster

pytestmark = pytest.mark.cluster
IDLE_S = 3.0
IDLE_CPU_S = 0.6


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the replicas put what is temporary: a folder that nobody else uses."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def cluster(temporary: Path) -> Iterator[LocalCluster]:
    tempfile.gettempdir()  # from here on known to this process, whose own temporary files stay where they are
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        with LocalCluster(IntegerKV) as running:
            running.wait_ready(START_PATIENCE_S)
            yield running


def things_with_names(processes: Iterable[int]) -> set[str]:
    """What processes have of shared memory with a name, and of sockets with a file."""
    shared = {path for process in processes for path in mapped_or_open(process) if path.startswith("/dev/shm/")}
    sockets = {path for process in processes for path in mapped_or_open(process) if path.startswith("socket:[")}
    bound = (line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:])
    names = {words[7] for words in bound if len(words) > 7 and f"socket:[{words[6]}]" in sockets}
    return shared | {name for name in names if not name.startswith("@")}


def mapped_or_open(process: int) -> set[str]:
    """The files that a process has mapped, and those that it has open."""
    folder = Path(f"/proc/{process}")
    mapped = {line.split(maxsplit=5)[5] for line in (folder / "maps").read_text().splitlines() if line.count("/")}
    return mapped | {os.readlink(link) for link in (folder / "fd").iterdir()}


def test_a_killed_replica_leaves_no_child_no_socket_and_no_shared_memory(
    cluster: LocalCluster, temporary: Path
) -> None:
    leader = cluster.wait_ready(PATIENCE_S)
    before = set(cluster.folder.iterdir())
    with connect_blocking(IntegerKV, cluster.addresses, **PATIENT) as kv:
        pending = [kv.put.submit(range(at, at + 1000), range(1000)) for at in range(0, 20_000, 1000)]
        process = cluster.process(leader).pid
        assert process is not None
        members = family(process)
        assert sorted(members.values()) == [f"psmr-replica-{leader}"[:15], "psmr-worker-0", "psmr-worker-1"]
        assert any(path.startswith("socket:[") for member in members for path in mapped_or_open(member))
        assert things_with_names(members) == set()
        with ending(members):
            cluster.kill(leader)
        assert all(replies.result().values.all() for replies in pending)
    assert set(cluster.folder.iterdir()) <= before
    assert list(temporary.iterdir()) == []
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
