"""Members come and go while clients write: a replica joins, another takes the place of a dead one, the leader is removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from threading import Event, Thread

import pytest
from cluster_support import PATIENT, START_PATIENCE_S, settle, wait_until
from test_crash import Chains
from test_snapshots import fill

from apps.kv import IntegerKV
from psmr.cli import main
from psmr.client.connecting import connect_blocking
from psmr.cluster import LocalCluster
from psmr.cluster.members import Membership
from psmr.config import Tuning
from psmr.errors import Refused

pytestmark = pytest.mark.cluster
PACE_S = 0.005
"""Between two links of a writer: what is asked is that it goes on, not how fast."""


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(IntegerKV, tuning=Tuning(snapshot_mib=1, segment_mib=1)) as running:
        running.wait_ready(START_PATIENCE_S)
        yield running


class Writer(Thread):
    """Goes on writing until told to stop; `error` is what a client was told that it should not have been."""

    def __init__(self, cluster: LocalCluster) -> None:
        super().__init__(daemon=True)
        self._addresses = list(cluster.addresses)
        self._ended = Event()
        self.links = 0
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            with connect_blocking(IntegerKV, self._addresses, **PATIENT) as client:
                chains = Chains(client)
                while not self._ended.wait(PACE_S):
                    chains.link(1)
                    self.links += 1
                chains.finish()
        except Exception as error:  # noqa: BLE001 - whatever a client is told ends the test
            self.error = error

    def stop(self) -> None:
        self._ended.set()
        self.join()
        if self.error is not None:
            raise self.error


def goes_on(writer: Writer, links: int = 20) -> None:
    until = writer.links + links
    wait_until(lambda: writer.links >= until or writer.error is not None, "the client to go on")


def test_a_replica_joins_and_takes_the_place_of_a_dead_one(
    cluster: LocalCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect_blocking(IntegerKV, cluster.addresses, **PATIENT) as client:
        fill(client, 5)
    writer = Writer(cluster)
    goes_on(writer)
    dead = next(number for number in cluster.ids if number != cluster.leader())
    cluster.kill(dead)
    goes_on(writer)
    joined = cluster.join()
    membership = cluster.membership()
    membership.add(cluster.seat(joined))
    assert {each["id"]: each["votes"] for each in membership.members()} == {1: True, 2: True, 3: True, joined: True}
    membership.remove(dead)
    told: list[str] = []
    again = Membership({each.id: each.clients for each in cluster.config.replicas}, report=told.append)
    again.remove(dead)
    again.add(cluster.seat(joined))
    assert told == [
        f"replica {dead} is no member: nothing to remove",
        f"replica {joined} is a member that votes: nothing to add",
    ]
    goes_on(writer)
    settle(cluster.config, but=(dead,))
    # A majority of the three that are left: the new one counts, and the dead one does not.
    other = next(number for number in cluster.ids if number not in (dead, joined, cluster.leader()))
    cluster.kill(other)
    goes_on(writer)
    cluster.start(other)
    writer.stop()
    settle(cluster.config, but=(dead,))
    assert main(["members", str(cluster.file), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["members"]
    assert {member["id"] for member in shown} == {1, 2, 3, joined} - {dead}


def test_the_leader_is_removed_and_the_others_go_on(cluster: LocalCluster) -> None:
    writer = Writer(cluster)
    goes_on(writer)
    leader = cluster.wait_ready()
    cluster.membership().remove(leader)
    goes_on(writer)
    assert cluster.leader() not in (leader, None)
    cluster.stop(leader)
    goes_on(writer)
    writer.stop()
    settle(cluster.config, but=(leader,))
    with pytest.raises(Refused, match="to be a member"):
        cluster.membership(timeout_s=0.5)._change(*_promotion(cluster, leader))


def _promotion(cluster: LocalCluster, replica_id: int) -> tuple[object, ...]:
    from psmr.core.changes import Action

    return Action.PROMOTE, cluster.seat(replica_id)


def test_all_replicas_are_restarted_in_turn_without_an_error_at_a_client(cluster: LocalCluster) -> None:
    writer = Writer(cluster)
    goes_on(writer)
    for number in cluster.ids:
        cluster.stop(number)
        goes_on(writer)
        cluster.start(number)
        cluster.wait_ready()
    goes_on(writer)
    writer.stop()
    settle(cluster.config)
