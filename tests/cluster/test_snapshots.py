"""Snapshots on real replicas: the log does not grow for ever, and who lacks its beginning is brought up to date."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from cluster_support import PATIENT, START_PATIENCE_S, settle, wait_until
from test_crash import Chains

from apps.kv import IntegerKV
from psmr.client.connecting import connect_blocking
from psmr.client.untyped import AnyBlockingClient
from psmr.cluster import LocalCluster
from psmr.config import Tuning

pytestmark = pytest.mark.cluster
COLUMN = 16_384
SMALL = Tuning(snapshot_mib=1, segment_mib=1, retain_mib=0)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(IntegerKV, tuning=SMALL) as running:
        running.wait_ready(START_PATIENCE_S)
        yield running


def fill(client: AnyBlockingClient, megabytes: int, start: int = 1_000) -> None:
    """Write so much log: each command is 24 bytes of it."""
    for column in range(megabytes * 3):
        keys = np.arange(start + column * COLUMN, start + (column + 1) * COLUMN, dtype=np.uint64)
        client.put.many(keys, keys)


def is_compacted(cluster: LocalCluster, replica_id: int) -> bool:
    status = cluster.status(replica_id)
    return int(status.get("snapshots")) > 0 and int(status.get("first_index")) > 1


def test_logs_are_compacted_and_every_replica_begins_again_at_its_snapshot(cluster: LocalCluster) -> None:
    with connect_blocking(IntegerKV, cluster.addresses, **PATIENT) as client:
        chains = Chains(client)
        chains.link(10)
        fill(client, 6)
        for number in cluster.ids:
            wait_until(lambda number=number: is_compacted(cluster, number), f"replica {number} to compact its log")
        chains.link(10)
        before = settle(cluster.config)
        for number in cluster.ids:
            segments = list(cluster.config.folder(number).glob("log-[0-9]*.seg"))
            assert len(segments) <= 5, f"expected the log of replica {number} to be short, found {segments}"
            cluster.kill(number)
        for number in cluster.ids:
            cluster.start(number)
        cluster.wait_ready()
        after = settle(cluster.config)
        assert {status.get("digest") for status in after} == {status.get("digest") for status in before}
        chains.link(10)
        chains.finish()
        settle(cluster.config)


def test_a_replica_that_was_away_fetches_a_snapshot_while_the_others_serve(cluster: LocalCluster) -> None:
    leader = cluster.wait_ready()
    away = next(number for number in cluster.ids if number != leader)
    with connect_blocking(IntegerKV, cluster.addresses, **PATIENT) as client:
        chains = Chains(client, first_key=100)
        cluster.stop(away)
        last = cluster.status(leader).get("last_index")
        fill(client, 6, start=1 << 20)
        chains.link(20)
        wait_until(lambda: cluster.status(leader).get("first_index") > last + 1, "the leader to compact past it")
        cluster.start(away)
        chains.link(20)
        cluster.wait_ready()
        statuses = settle(cluster.config)
        (found,) = (status for status in statuses if status.id == away)
        assert "starts again from it" in cluster.process(away).log.read_text()
        assert found.get("first_index") > last + 1
        chains.finish()
    settle(cluster.config)
