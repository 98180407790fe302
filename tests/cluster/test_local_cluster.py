"""A local cluster serves, loses and regains replicas, and leaves nothing behind, however its owner ends."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_support import PATIENCE_S, START_PATIENCE_S, answers, is_stopped, wait_until

from psmr.cluster import LocalCluster
from psmr.cluster.folders import TemporaryFolder
from psmr.cluster.janitor import Janitor
from psmr.cluster.status import ReplicaStatus, ask
from psmr.errors import ClusterUnavailable, ConfigurationError

pytestmark = pytest.mark.cluster
SERVICE = "kv:integer"

OWNER = f"""
import json, signal, sys
from psmr.cluster import LocalCluster
with LocalCluster("{SERVICE}", durability="memory", execution="interpreted") as cluster:
    if sys.argv[1] == "ready":
        cluster.wait_ready()
    print(json.dumps([str(cluster.folder), *(cluster.process(number).pid for number in cluster.ids)]), flush=True)
    signal.pause()
"""


def local(**options: object) -> LocalCluster:
    return LocalCluster(SERVICE, durability="memory", execution="interpreted", **options)  # type: ignore[arg-type]


def family(process: int) -> set[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, waiting = set[int](), [process]
    while waiting:
        found.add(waiting[-1])
        waiting += children.get(waiting.pop(), [])
    return found


@contextlib.contextmanager
def watched(processes: set[int]) -> Iterator[list[int]]:
    """Handles that become readable as the processes end."""
    with contextlib.ExitStack() as stack:
        handles = []
        for process in processes:
            with contextlib.suppress(ProcessLookupError):  # it has ended already
                handles.append(os.pidfd_open(process))
                stack.callback(os.close, handles[-1])
        yield handles


def wait_for_ends(handles: list[int]) -> None:
    """Each handle's process has ended, or the test fails."""
    for handle in handles:
        assert select.select([handle], [], [], PATIENCE_S)[0], "a process outlived its owner"


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local() as running:
        running.wait_ready(START_PATIENCE_S)
        yield running


def test_who_waits_for_a_cluster_is_told_which_replicas_do_not_answer(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = iter([[ReplicaStatus(number, "", None) for number in cluster.ids]])
    told: list[list[int]] = []
    monkeypatch.setattr("psmr.cluster.local._SAY_S", 0.0)
    monkeypatch.setattr("psmr.cluster.local.ask", lambda addresses: next(scripted, None) or ask(addresses))
    cluster.wait_ready(PATIENCE_S, told.append)
    assert told[0] == cluster.ids, "at first nobody answered"


def test_replicas_answer_and_agree(cluster: LocalCluster) -> None:
    statuses: list[ReplicaStatus] = []

    def agreed() -> bool:
        statuses[:] = cluster.statuses(digest=True)
        return [status.get("role") for status in statuses].count("leader") == 1 and all(
            status.reachable for status in statuses
        )

    wait_until(agreed, "one leader, and an answer from everybody")
    assert [status.id for status in statuses] == cluster.ids == [1, 2, 3]
    assert len({status.get("digest") for status in statuses}) == 1
    assert [status.get("pid") for status in statuses] == [cluster.process(number).pid for number in cluster.ids]
    assert cluster.addresses == [status.address for status in statuses]


def test_a_replica_is_asked_alone(cluster: LocalCluster) -> None:
    def answered() -> bool:
        with contextlib.suppress(ClusterUnavailable):
            return bool(cluster.status(2).get("pid") == cluster.process(2).pid)
        return False

    wait_until(answered, "replica 2 to answer")


def test_a_killed_leader_is_succeeded_and_comes_back(cluster: LocalCluster) -> None:
    first = cluster.wait_ready(PATIENCE_S)
    cluster.kill(first)
    assert cluster.process(first).exit_code == -signal.SIGKILL
    assert cluster.process(first).obituary() == f"replica {first} was ended by SIGKILL"
    with pytest.raises(ClusterUnavailable, match="no answer"):
        cluster.status(first)
    second = cluster.wait_ready(PATIENCE_S)
    assert second != first
    cluster.start(first)
    assert cluster.wait_ready(PATIENCE_S) is not None
    assert [status.get("replica") for status in answers(cluster.config)] == cluster.ids


def test_a_paused_replica_is_silent_until_resumed(cluster: LocalCluster) -> None:
    leader = cluster.wait_ready(PATIENCE_S)
    follower = next(number for number in cluster.ids if number != leader)
    cluster.pause(follower)
    try:
        wait_until(lambda: is_stopped(cluster.process(follower).pid), "the replica to halt")
        # On a busy machine another may be late with its answer, now and then.
        wait_until(lambda: silent(cluster) == [follower], "everybody else to answer")
    finally:
        cluster.resume(follower)
    cluster.wait_ready(PATIENCE_S)


def silent(cluster: LocalCluster) -> list[int | None]:
    """The replicas that do not answer."""
    return [status.id for status in cluster.statuses() if not status.reachable]


def test_a_stopped_replica_ends_well_and_can_start_again(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psmr.cluster.local.STOP_GRACE_S", PATIENCE_S)
    leader = cluster.wait_ready(PATIENCE_S)
    follower = next(number for number in cluster.ids if number != leader)
    cluster.stop(follower)
    assert cluster.process(follower).exit_code == 0
    cluster.start(follower)
    cluster.wait_ready(PATIENCE_S)


def test_an_unknown_replica_is_named(cluster: LocalCluster) -> None:
    with pytest.raises(ConfigurationError, match="has no replica 9: it has 1, 2, 3"):
        cluster.kill(9)


def test_leaving_ends_all_processes_and_removes_the_folder() -> None:
    before = family(os.getpid())
    with local(replicas=1) as cluster:
        cluster.wait_ready(PATIENCE_S)
        folder, processes = cluster.folder, family(os.getpid()) - before
        cluster.pause(1)
        with watched(processes) as handles:
            cluster.__exit__(None, None, None)
            wait_for_ends(handles)
    assert folder.name.startswith("psmr-")
    assert not folder.exists()


def test_a_given_folder_stays_and_its_data_is_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    for _ in range(2):
        with local(replicas=1, folder=folder) as cluster:
            cluster.wait_ready(PATIENCE_S)
            (status,) = answers(cluster.config)
        assert sorted(path.name for path in folder.iterdir()) == ["cluster.toml", "replica-1", "replica-1.log"]
    # Each time it was elected, the leader began its term with an entry of its own.
    assert status.get("last_index") == 2


def test_a_replica_that_cannot_start_says_why_at_once() -> None:
    with (
        LocalCluster("nowhere", replicas=1) as cluster,
        pytest.raises(
            ConfigurationError, match="replica 1 ended with exit code 2: nowhere: expected a service's module"
        ),
    ):
        cluster.wait_ready(PATIENCE_S)


def test_waiting_for_nobody_is_refused() -> None:
    with local(replicas=1) as cluster:
        cluster.kill(1)
        with pytest.raises(ClusterUnavailable, match="found none: start one"):
            cluster.wait_ready(PATIENCE_S)


@pytest.mark.parametrize("moment", ["ready", "starting"])
def test_a_killed_owner_takes_everything_with_it(moment: str) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, moment], stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        folder, *replicas = json.loads(owner.stdout.readline())
        assert Path(folder).is_dir()
        processes = family(owner.pid) - {owner.pid}
        assert processes > set(replicas)
        with watched(processes) as handles:
            owner.kill()
            # The janitor is among them: it ends when the folder is gone.
            wait_for_ends(handles)
    assert not Path(folder).exists()


def test_a_killed_janitor_is_not_needed() -> None:
    with contextlib.ExitStack() as stack:
        folder = TemporaryFolder()
        stack.callback(folder.close)
        (folder.path / "data").mkdir()
        with watched({folder.janitor_pid}) as handles:
            os.kill(folder.janitor_pid, signal.SIGKILL)
            wait_for_ends(handles)
        assert folder.path.is_dir()
    assert not folder.path.exists()


def test_a_janitor_waits_for_the_last_that_holds_the_lifeline(tmp_path: Path) -> None:
    folder = tmp_path / "used"
    folder.mkdir()
    (folder / "file").touch()
    janitor = Janitor(folder)
    user = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(janitor.lifeline,))
    with watched({janitor.pid}) as handles:
        os.close(janitor.lifeline)
        os.kill(janitor.pid, signal.SIGTERM)
        os.kill(janitor.pid, signal.SIGINT)
        assert folder.is_dir()
        user.communicate()
        wait_for_ends(handles)
    assert not folder.exists()
