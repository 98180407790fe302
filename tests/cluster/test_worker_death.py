"""A worker that dies takes nothing with it: its replica starts again from the log, as the same process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest
from cluster_support import PATIENCE_S, PATIENT, START_PATIENCE_S, settle, wait_until, worker_of
from fault_services import Fatal

from apps.kv import IntegerKV
from psmr.client.connecting import connect_blocking
from psmr.cluster import LocalCluster
from psmr.errors import ConfigurationError
from psmr.replica.clocks import monotonic_us
from psmr.services import service_text

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(IntegerKV, durability="memory") as running:
        running.wait_ready(START_PATIENCE_S)
        yield running


def kill_worker(cluster: LocalCluster, replica: int, number: int) -> None:
    """SIGKILL a worker, and wait until its replica has started again."""
    process = cluster.process(replica).pid
    killed_us = monotonic_us()
    os.kill(worker_of(process, number), signal.SIGKILL)

    def started_again() -> bool:
        (now,) = [status for status in cluster.statuses() if status.id == replica]
        return now.reachable and now.get("pid") == process and now.get("uptime_us") < monotonic_us() - killed_us

    wait_until(started_again, f"replica {replica} to start again, as process {process}", START_PATIENCE_S)
    assert cluster.process(replica).pid == process


@pytest.mark.parametrize("role", ["leader", "follower"])
def test_a_replica_whose_worker_dies_starts_again_from_its_log(cluster: LocalCluster, role: str) -> None:
    leader = cluster.wait_ready(PATIENCE_S)
    replica = leader if role == "leader" else next(number for number in cluster.ids if number != leader)
    keys = np.arange(1000, dtype=np.uint64)
    with connect_blocking(IntegerKV, cluster.addresses, **PATIENT) as kv:
        kv.clear()
        pending = [kv.put.submit(keys + np.uint64(1000 * turn), keys) for turn in range(30)]
        kill_worker(cluster, replica, 1)
        assert all(replies.result().values.all() for replies in pending)
        assert kv.size() == 30_000
    settle(cluster.config)
    said = cluster.process(replica).log.read_text()
    assert "worker 1 ended (signal 9)" in said
    assert "starts again from its log" in said


def test_a_command_that_kills_its_worker_is_refused_unless_it_is_allowed() -> None:
    with LocalCluster(service_text(Fatal), replicas=1, durability="memory", execution="interpreted") as cluster:
        with pytest.raises(ConfigurationError) as caught:
            cluster.wait_ready(PATIENCE_S)
        assert "fault_services.py:79:9 process (os.kill)" in str(caught.value)
        assert caught.value.args[0].count("--allow-nondeterminism") == 1


def test_a_command_that_kills_its_worker_each_time_stops_the_replica() -> None:
    with LocalCluster(Fatal, replicas=1, durability="memory", execution="interpreted", lint="off") as cluster:
        cluster.wait_ready(PATIENCE_S)
        with connect_blocking(Fatal, cluster.addresses, **PATIENT) as fatal:
            assert fatal.put(7, 1)
            assert "WARNING: it runs all the same, and replicas may differ" in cluster.process(1).log.read_text()
            fatal.kill.submit([7])
            process = cluster.process(1)
            wait_until(lambda: not process.running, "the replica to give up", START_PATIENCE_S)
        assert process.exit_code == 4
        assert "ended (signal 9) at row 0 of batch 2 of session" in process.obituary()
        assert "started again 5 times and it happened each time" in process.obituary()
