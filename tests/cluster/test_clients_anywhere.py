"""Any replica's address is enough, and a client may stay at a follower."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from cluster_support import PATIENCE_S, PATIENT, START_PATIENCE_S, settle

from apps.kv import KV
from psmr.client.connecting import connect, connect_blocking
from psmr.cluster import LocalCluster
from psmr.errors import ClusterUnavailable

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(KV, durability="memory") as running:
        running.wait_ready(START_PATIENCE_S)
        yield running


@pytest.mark.parametrize("prefer_leader", [True, False])
def test_any_one_address_is_enough(cluster: LocalCluster, prefer_leader: bool) -> None:
    cluster.wait_ready(PATIENCE_S)
    for number, address in enumerate(cluster.addresses):
        key = b"from %d %d" % (number, prefer_leader)
        with connect_blocking(KV, address, prefer_leader=prefer_leader, **PATIENT) as kv:
            assert kv.put(key, b"blocking")
            assert kv.get(key) == b"blocking"
        assert asyncio.run(overwrite(address, key, prefer_leader)) == b"asynchronous"
    settle(cluster.config)


async def overwrite(address: str, key: bytes, prefer_leader: bool) -> bytes:
    async with connect(KV, address, prefer_leader=prefer_leader, **PATIENT) as kv:
        assert not await kv.put(key, b"asynchronous")
        value: bytes = await kv.get(key)
        return value


def test_a_client_at_a_follower_goes_on_through_a_change_of_leader(cluster: LocalCluster) -> None:
    leader = cluster.wait_ready(PATIENCE_S)
    follower = next(replica for replica in cluster.ids if replica != leader)
    address = cluster.addresses[follower - 1]
    with connect_blocking(KV, address, prefer_leader=False, **PATIENT) as kv:
        kv.put(b"turn", b"0")
        for turn in range(200):
            if turn == 50:
                cluster.kill(leader)
            if turn == 150:
                cluster.start(leader)
            assert kv.compare_and_set(b"turn", b"%d" % turn, b"%d" % (turn + 1))
        assert kv.get(b"turn") == b"200"
    cluster.wait_ready(PATIENCE_S)
    settle(cluster.config)


def test_what_a_client_wrote_at_one_replica_another_reads_at_another(cluster: LocalCluster) -> None:
    cluster.wait_ready(PATIENCE_S)
    with (
        connect_blocking(KV, cluster.addresses[0], prefer_leader=False, **PATIENT) as one,
        connect_blocking(KV, cluster.addresses[1], prefer_leader=False, **PATIENT) as two,
    ):
        for turn in range(50):
            one.put(b"shared", b"%d" % turn)
            assert two.get(b"shared") == b"%d" % turn


def test_a_wrong_address_among_right_ones_does_no_harm(cluster: LocalCluster) -> None:
    nobody = "ipc://@psmr-nobody-listens-here"
    with connect_blocking(KV, [nobody, cluster.addresses[2]], connect_timeout_s=PATIENCE_S) as kv:
        kv.put(b"key", b"value")
    with pytest.raises(ClusterUnavailable, match="psmr-nobody-listens-here: no answer in"):
        connect_blocking(KV, nobody, connect_timeout_s=2)
