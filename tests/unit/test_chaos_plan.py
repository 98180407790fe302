"""The plan of a chaos run: never more than a minority at fault, every kind in its turn, the same for the same seed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from psmr.chaos.plan import (
    ALONE,
    EVERYONE,
    KINDS,
    LASTS_S,
    LEADER,
    OF_EVERYONE,
    WORKER_DEATHS_MAX,
    WORKER_DEATHS_WITHIN_S,
    Fault,
    leader_kills,
    minority,
    plan,
)

SEEDS = st.integers(0, 2**32)
SIZES = st.sampled_from([3, 5, 7])
SECONDS = st.floats(1, 200)


def at_fault(faults: list[Fault], at_s: float) -> list[Fault]:
    return [fault for fault in faults if fault.kind != "client" and fault.at_s <= at_s < fault.ends_s]


@given(SEEDS, SECONDS, SIZES)
def test_a_majority_is_never_at_fault(seed: int, seconds: float, replicas: int) -> None:
    faults = plan(seed, seconds, replicas)
    for fault in faults:
        together = at_fault(faults, fault.at_s)
        assert len(together) <= minority(replicas) < replicas / 2, together
        assert len(together) <= 1 or not any(other.kind in ALONE for other in together), together


@given(SEEDS, SECONDS, SIZES)
def test_an_outage_of_all_has_the_clients_and_the_replicas_to_itself(seed: int, seconds: float, replicas: int) -> None:
    faults = plan(seed, seconds, replicas)
    for outage in (fault for fault in faults if fault.target == EVERYONE):
        assert outage.kind in OF_EVERYONE
        assert not [other for other in faults if outage.at_s < other.at_s < outage.ends_s]


@given(SEEDS, SECONDS, SIZES)
def test_faults_keep_to_their_order_time_and_targets(seed: int, seconds: float, replicas: int) -> None:
    faults = plan(seed, seconds, replicas)
    assert [fault.at_s for fault in faults] == sorted(fault.at_s for fault in faults)
    targets = {LEADER, *map(str, range(1, replicas + 1))}
    for fault in faults:
        shortest, longest = LASTS_S[fault.kind]
        assert shortest - 0.001 <= fault.lasts_s <= longest + 0.001
        assert 0 < fault.at_s <= fault.ends_s <= seconds
        assert fault.target in ({EVERYONE} if fault.kind in OF_EVERYONE else targets)


@given(SEEDS, SIZES, st.sets(st.sampled_from(KINDS), min_size=1))
def test_only_what_is_wanted_happens_and_all_of_it(seed: int, replicas: int, kinds: set[str]) -> None:
    assert {fault.kind for fault in plan(seed, 120.0, replicas, sorted(kinds))} == kinds


@given(SEEDS, SIZES)
def test_no_replica_can_lose_so_many_workers_that_it_gives_up(seed: int, replicas: int) -> None:
    deaths = [fault.at_s for fault in plan(seed, 1000.0, replicas, ["worker", "kill"]) if fault.kind == "worker"]
    assert len(deaths) > WORKER_DEATHS_MAX
    for first, late in zip(deaths, deaths[WORKER_DEATHS_MAX:], strict=False):
        assert late - first >= WORKER_DEATHS_WITHIN_S


@given(SEEDS)
def test_the_same_seed_gives_the_same_plan_and_another_one_another(seed: int) -> None:
    assert plan(seed, 60.0, 5) == plan(seed, 60.0, 5)
    assert plan(seed, 60.0, 5) != plan(seed + 1, 60.0, 5)


def test_leaders_are_preferred_and_five_replicas_have_two_faults_at_once() -> None:
    faults = [fault for seed in range(20) for fault in plan(seed, 100.0, 5)]
    named = [fault.target for fault in faults if fault.kind not in ("client", *OF_EVERYONE)]
    assert named.count(LEADER) > len(named) / 2
    assert any(len(at_fault(each, fault.at_s)) == 2 for each in [plan(1, 100.0, 5)] for fault in each)


def test_kills_in_a_row_are_of_leaders_one_after_another() -> None:
    kills = leader_kills(4)
    assert {(kill.kind, kill.target) for kill in kills} == {("kill", LEADER)}
    assert [kill.at_s for kill in kills] == sorted({kill.at_s for kill in kills})
    assert len(kills) == 4
