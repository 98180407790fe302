"""What an operator who changes or looks at members is told when no replica answers, or some do and none leads."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from psmr.cluster import ReplicaStatus
from psmr.cluster.members import Membership
from psmr.errors import ClusterUnavailable

ADDRESSES = {1: "tcp://127.0.0.1:7201", 2: "tcp://127.0.0.1:7202"}


def answers(monkeypatch: pytest.MonkeyPatch, document: Mapping[str, object] | None) -> None:
    found = [ReplicaStatus(number, address, document) for number, address in ADDRESSES.items()]
    monkeypatch.setattr("psmr.cluster.members.ask", lambda addresses: found)


def test_a_cluster_that_nobody_started_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, None)
    with pytest.raises(
        ClusterUnavailable, match=r"^expected an answer of one of the replicas 1 \(tcp.+\), 2 .+ within 0 s"
    ):
        Membership(ADDRESSES, silence_s=0).members()


def test_that_it_is_silent_is_said_once_before_giving_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, None)
    told: list[str] = []
    with pytest.raises(ClusterUnavailable, match=r"found none: start them, or correct their addresses$"):
        Membership(ADDRESSES, silence_s=0.12, report=told.append).members()
    assert told == ["no replica answers: asking again for 0.12 s"]


def test_replicas_that_answer_and_have_no_leader_yet_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, {"role": "candidate", "members_since": 0})
    with pytest.raises(ClusterUnavailable, match=r"expected a leader among 1, 2 within 0.1 s"):
        Membership(ADDRESSES, silence_s=0, timeout_s=0.1).members()
