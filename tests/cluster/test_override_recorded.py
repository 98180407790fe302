"""A service that is started though its handlers may make replicas differ: the log says so, once, to every replica."""

from __future__ import annotations

import pytest
from cluster_support import PATIENT, START_PATIENCE_S, wait_until
from fault_services import Fatal

from cdep import service_of
from psmr.client.connecting import connect_blocking
from psmr.cluster import LocalCluster

pytestmark = [pytest.mark.cluster, pytest.mark.long]


def test_the_log_says_once_what_was_started_against_advice() -> None:
    with LocalCluster(Fatal, replicas=3, durability="memory", execution="interpreted", lint="off") as cluster:
        cluster.wait_ready(START_PATIENCE_S)
        with connect_blocking(Fatal, cluster.addresses, **PATIENT) as fatal:
            assert fatal.put(7, 1)
            known = said_by_all(cluster)
            leader = cluster.leader()
            assert leader is not None
            cluster.kill(leader)
            assert fatal.put(8, 1)
            cluster.start(leader)
            cluster.wait_ready(START_PATIENCE_S)
            assert fatal.put(9, 1)
        assert said_by_all(cluster) == known
        (one,) = known
        assert one["fingerprint"] == f"{service_of(Fatal).fingerprint:#018x}"
        assert "process" in str(one["codes"])
        assert "fault_services.py:79:9 process (os.kill)" in str(one["lines"])


def said_by_all(cluster: LocalCluster) -> list[dict[str, object]]:
    """What every replica says, once all say the same of something."""
    found: list[list[dict[str, object]]] = []

    def is_said() -> bool:
        found[:] = [status.get("overrides") or [] for status in cluster.statuses()]
        return bool(found[0]) and all(each == found[0] for each in found)

    wait_until(is_said, "every replica to say what the log says", START_PATIENCE_S)
    return found[0]
