"""Replicas are killed while clients write: each command is executed once, and what was acknowledged stays."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cluster_support import PATIENCE_S, PATIENT, START_PATIENCE_S, settle, wait_until

from apps.kv import IntegerKV
from psmr.client.connecting import connect_blocking
from psmr.client.untyped import AnyBlockingClient
from psmr.cluster import LocalCluster
from psmr.errors import ClusterUnavailable, OutcomeUnknown

pytestmark = pytest.mark.cluster
KEYS = 64
WINDOW = 16


class Chains:
    """One chain of compare-and-sets a key: each link holds only if every one before it was executed once, in order."""

    def __init__(self, client: AnyBlockingClient, first_key: int = 0) -> None:
        self._client = client
        self._keys = np.arange(first_key, first_key + KEYS, dtype=np.uint64)
        self._under_way: deque[Any] = deque()
        self._links = 0
        self.commands = KEYS
        assert client.put.many(self._keys, np.zeros(KEYS, np.uint64)).values.all()

    def link(self, count: int) -> None:
        """Add to every chain, with a window of batches under way; each that comes back must have held."""
        for _ in range(count):
            expected = np.full(KEYS, self._links, np.uint64)
            self._under_way.append(self._client.compare_and_set.submit(self._keys, expected, expected + np.uint64(1)))
            self._links += 1
            self.commands += KEYS
            if len(self._under_way) >= WINDOW:
                self._check(self._under_way.popleft())

    def finish(self) -> None:
        """Every link held, and the chains are as long as they were made."""
        while self._under_way:
            self._check(self._under_way.popleft())
        assert set(self._client.get.many(self._keys).values.tolist()) == {self._links}
        self.commands += KEYS

    def _check(self, pending: Any) -> None:
        replies = pending.result()
        assert replies.values.all(), "a command was executed twice, or not at all"


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(IntegerKV) as running:
        running.wait_ready(START_PATIENCE_S)
        yield running


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[AnyBlockingClient]:
    """A client that is patient enough for any election, of an empty store; all that it calls counts in the log."""
    cluster.wait_ready(PATIENCE_S)
    with connect_blocking(IntegerKV, cluster.addresses, reads_in_log=True, **PATIENT) as kv:
        kv.clear()
        yield kv


def executed(cluster: LocalCluster) -> int:
    """How many commands the replicas have executed, each counting what it replayed."""
    return int(settle(cluster.config)[0].get("commands"))


def test_each_command_is_executed_once_though_leaders_are_killed(
    cluster: LocalCluster, client: AnyBlockingClient
) -> None:
    before = executed(cluster)
    chains = Chains(client)
    for _ in range(2):
        chains.link(40)
        leader = cluster.wait_ready(PATIENCE_S)
        cluster.kill(leader)
        chains.link(40)
        cluster.start(leader)
        chains.link(40)
        cluster.wait_ready(PATIENCE_S)
    chains.finish()
    assert executed(cluster) - before == chains.commands


def test_what_was_acknowledged_survives_the_death_of_all(cluster: LocalCluster, client: AnyBlockingClient) -> None:
    chains = Chains(client)
    chains.link(60)
    for replica in cluster.ids:
        cluster.kill(replica)
    for replica in cluster.ids:
        cluster.start(replica)
    chains.link(60)
    chains.finish()
    settle(cluster.config)


def test_replaying_the_log_gives_the_same_state_and_replies(cluster: LocalCluster, client: AnyBlockingClient) -> None:
    chains = Chains(client)
    chains.link(20)
    chains.finish()
    (before, *_) = settle(cluster.config)
    for replica in cluster.ids:
        cluster.kill(replica)
    for replica in cluster.ids:
        cluster.start(replica)
    cluster.wait_ready(PATIENCE_S)
    for after in settle(cluster.config):
        for key in ("digest", "sessions_digest", "commands"):
            assert after.get(key) == before.get(key)


def test_a_killed_replica_can_start_again_at_once(cluster: LocalCluster, client: AnyBlockingClient) -> None:
    chains = Chains(client)
    for replica in cluster.ids:
        chains.link(5)
        cluster.kill(replica)
        cluster.start(replica)
        cluster.wait_ready(PATIENCE_S)
    chains.finish()
    settle(cluster.config)


def test_a_majority_serves_and_a_minority_says_why_it_does_not() -> None:
    with LocalCluster(IntegerKV, replicas=5, workers=1, durability="memory") as cluster:
        first = cluster.wait_ready(PATIENCE_S)
        with connect_blocking(IntegerKV, cluster.addresses, **PATIENT) as kv:
            chains = Chains(kv)
            chains.link(10)
            cluster.kill(first)
            other = next(replica for replica in cluster.ids if replica != first)
            cluster.kill(other)
            chains.link(40)
            third = cluster.wait_ready(PATIENCE_S)
            cluster.kill(third)
            down = {first, other, third}
            expect_no_answer(cluster, down)
            for replica in down:
                cluster.start(replica)
            chains.link(40)
            chains.finish()
        settle(cluster.config)


def followed(cluster: LocalCluster) -> set[int]:
    """Whom the replicas that answer take for the leader."""
    return {status.get("leader") for status in cluster.statuses() if status.reachable} - {None}


def expect_no_answer(cluster: LocalCluster, down: set[int]) -> None:
    """A new client finds replicas but no majority: its calls fail in time, and say who answered what."""
    wait_until(lambda: not followed(cluster), "those that are left to know of no leader")
    with connect_blocking(IntegerKV, cluster.addresses, timeout_s=5, connect_timeout_s=PATIENCE_S) as kv:
        with pytest.raises((ClusterUnavailable, OutcomeUnknown)) as caught:
            kv.put(1 << 40, 1)
        text = str(caught.value)
        answering = [cluster.addresses[replica - 1] for replica in cluster.ids if replica not in down]
        assert any(f"{address}: " in text for address in answering), text
        assert "no leader is known" in text, text
