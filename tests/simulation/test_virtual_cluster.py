"""A user's service in a cluster of one process: the same for one seed, whatever crashes; and its workers' orders."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.book import APPLICATION as BOOK
from apps.kv import APPLICATION
from cdep import ALL_GROUPS
from psmr.errors import ClusterUnavailable, OutcomeUnknown
from psmr.testing import VirtualCluster, assert_linearizable
from psmr.testing.interleaving import interleaved, workers_of

KV = APPLICATION.service
MASKS = st.one_of(st.integers(0, 63).map(lambda group: 1 << group), st.integers(1, ALL_GROUPS), st.just(ALL_GROUPS))


def test_one_seed_is_one_course_and_another_is_another() -> None:
    def course(seed: int) -> tuple[object, ...]:
        with VirtualCluster(KV, seed=seed) as cluster:
            return (*cluster.run(60, faults=True), cluster.digest, cluster.leader)

    assert course(1) == course(1)
    assert course(1) != course(2)


@pytest.mark.parametrize("seed", range(4))
def test_histories_are_linearizable_whatever_crashes(seed: int) -> None:
    with VirtualCluster(KV, seed=seed, workers=3) as cluster:
        history = cluster.run(80, clients=5, faults=True)
    assert len(history) > 40
    assert_linearizable(history, APPLICATION)


def test_replicas_of_a_service_with_events_start_again_and_emit_the_same() -> None:
    with VirtualCluster(BOOK, seed=1) as cluster:
        assert len(cluster.run(40, faults=["crash"])) == 40


def test_another_leads_when_one_crashes_and_nothing_answered_is_lost() -> None:
    with VirtualCluster(KV) as cluster:
        client = cluster.client()
        assert client.put(b"key", b"value")
        first = cluster.leader
        cluster.crash(first)
        assert client.get(b"key") == b"value"
        assert cluster.leader not in (None, first)
        cluster.restart(first)
        cluster.check()
        assert_linearizable(cluster.history, APPLICATION)


def test_a_minority_serves_nobody_until_the_network_is_whole() -> None:
    with VirtualCluster(KV) as cluster:
        client = cluster.client()
        client.put(b"key", b"old")
        assert cluster.leader is not None
        cluster.partition([0], [1], [2])
        with pytest.raises((OutcomeUnknown, ClusterUnavailable)):
            client.put(b"key", b"new")
        cluster.heal()
        cluster.elapse(1.0)
        assert client.get(b"key") in (b"old", b"new")
        assert_linearizable(cluster.history, APPLICATION)


@settings(max_examples=60)
@given(st.lists(MASKS, max_size=30), st.integers(1, 5), st.randoms(use_true_random=False))
def test_each_worker_keeps_the_order_of_the_log(masks: list[int], workers: int, random: Random) -> None:
    order = list(interleaved(masks, workers, random))
    assert sorted(order) == list(range(len(masks)))
    for worker in range(workers):
        own = [place for place in order if worker in workers_of(masks[place], workers)]
        assert own == sorted(own)


def test_calls_of_different_workers_come_in_any_order_and_meet_where_they_must() -> None:
    one, other = 1, 2
    random = Random(0)
    orders = {tuple(interleaved([one, other], 2, random)) for _ in range(50)}
    assert orders == {(0, 1), (1, 0)}
    met = {tuple(interleaved([one, ALL_GROUPS, other], 2, random)) for _ in range(50)}
    assert met == {(0, 1, 2)}
