"""Reads without a log entry, at every replica, while the leader is killed: what all clients saw is linearizable."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_support import PATIENCE_S, PATIENT, START_PATIENCE_S, settle

from apps.kv import VARIANTS, IntegerKV
from psmr.checking import Operation, check
from psmr.client.connecting import connect, connect_blocking
from psmr.cluster import LocalCluster
from psmr.errors import ClusterUnavailable, OutcomeUnknown, Refused
from psmr.replica.clocks import monotonic_us

pytestmark = pytest.mark.cluster
KEYS = 3
CLIENTS = 6
CALLS = 400


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(IntegerKV, durability="memory") as running:
        running.wait_ready(START_PATIENCE_S)
        yield running


class Clients:
    """Callers, each with a session at a replica of its own, that note what they did and saw."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.history: list[Operation] = []
        self._cluster = cluster
        self._calls = 0
        self._leader = 0

    async def run(self, number: int) -> None:
        """Calls one after another, on few keys, half of them reads; every write writes something new."""
        source = random.Random(number)
        address = self._cluster.addresses[number % len(self._cluster.addresses)]
        # Some begin at a replica and stay, others go to the leader.
        async with connect(
            IntegerKV, [address, *self._cluster.addresses], prefer_leader=number % 2 == 0, **PATIENT
        ) as kv:
            for turn in range(CALLS):
                key, value = source.randrange(KEYS), 1 + number + CLIENTS * turn
                if source.random() < 0.5:
                    await self._call(number, kv, "get", key)
                elif source.random() < 0.7:
                    await self._call(number, kv, "put", key, value)
                else:
                    await self._call(number, kv, "compare_and_set", key, source.choice(self._values(key)), value)
                self._count()

    def _values(self, key: int) -> list[int]:
        found = [op.arguments[1] for op in self.history[-30:] if op.command == "put" and op.arguments[0] == key]
        return found or [0]

    async def _call(self, number: int, kv: Any, command: str, *arguments: int) -> None:
        invoked_us = monotonic_us()
        returned_us: int | None = None
        reply: Any = None
        try:
            reply = await getattr(kv, command)(*arguments)
            returned_us = monotonic_us()
        except OutcomeUnknown:
            assert command != "get", "a read has no unknown outcome"
        except (Refused, ClusterUnavailable):
            return
        self.history.append(Operation(number, invoked_us, returned_us, command, arguments, reply))

    def _count(self) -> None:
        """A third of the way the leader is killed, at two thirds it comes back."""
        self._calls += 1
        if self._calls == CLIENTS * CALLS // 3:
            self._leader = self._cluster.wait_ready(PATIENCE_S)
            self._cluster.kill(self._leader)
        if self._calls == 2 * CLIENTS * CALLS // 3:
            self._cluster.start(self._leader)


def test_reads_and_writes_are_linearizable_though_the_leader_is_killed(cluster: LocalCluster) -> None:
    clients = Clients(cluster)

    async def run() -> None:
        await asyncio.gather(*(clients.run(number) for number in range(CLIENTS)))

    asyncio.run(run())
    assert len(clients.history) > CLIENTS * CALLS * 9 // 10
    assert sum(operation.command == "get" for operation in clients.history) > CLIENTS * CALLS // 3
    verdict = check(clients.history, VARIANTS["integer"].checking, timeout_s=PATIENCE_S)
    assert verdict.linearizable, verdict.text()
    cluster.wait_ready(PATIENCE_S)
    statuses = settle(cluster.config)
    assert sum(status.get("reads") for status in statuses) > 0
    assert all(status.get("confirmations") > 0 for status in statuses if status.get("reads"))


def test_reads_add_nothing_to_the_log_and_see_what_was_acknowledged_elsewhere(cluster: LocalCluster) -> None:
    leader = cluster.wait_ready(PATIENCE_S)
    options = {"prefer_leader": False, **PATIENT}
    writer = connect_blocking(IntegerKV, cluster.addresses[leader - 1], **options)
    readers = [connect_blocking(IntegerKV, address, **options) for address in cluster.addresses]
    for value in range(100):
        writer.put(1, value)
        assert [reader.get(1) for reader in readers] == [value] * len(readers)
    before = settle(cluster.config)[0]
    for reader in readers:
        pending = [reader.get.submit([1, 2, 3]) for _ in range(100)]
        assert all(replies.result()[0] == 99 for replies in pending)
    after = settle(cluster.config)
    # A leader begins its term with an entry, and the machine may be so busy that there is another leader now.
    terms = max(status.get("term") for status in after) - before.get("term")
    assert 0 <= max(status.get("last_index") for status in after) - before.get("last_index") <= terms
    assert {status.get("commands") for status in after} == {before.get("commands")}
    assert {status.get("digest") for status in after} == {before.get("digest")}
    assert {status.get("sessions_digest") for status in after} == {before.get("sessions_digest")}
    for client in (writer, *readers):
        client.close()
