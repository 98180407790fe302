"""The course of a demonstration: load, the leader's death a third of the way, its return at two thirds, catching up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from cdep import service_of
from proxies.layout import layout_of
from psmr.client import ClientSettings, ServiceIdentity, connect
from psmr.cluster.local import LocalCluster
from psmr.cluster.status import ReplicaStatus
from psmr.demo.input import workload_of
from psmr.demo.live import Display
from psmr.demo.options import DemoOptions
from psmr.demo.traffic import BatchEncoder, Traffic
from psmr.errors import ClusterUnavailable
from psmr.replica.clocks import monotonic_us
from psmr.workload import Application

LOOK_S = 0.25
CATCH_UP_S = 30.0
PATIENCE_S = 30.0
"""A machine that also does other things may take seconds to elect a leader: no reason to call the outcome unknown."""
_THIRDS = 3


@dataclass(slots=True)
class Course:
    """What happened, with times."""

    started_us: int = 0
    ended_us: int = 0
    killed_us: int = 0
    killed: int = 0
    statuses: list[ReplicaStatus] = field(default_factory=list)


class Scenario:
    """Runs a demonstration against a cluster that is up."""

    def __init__(self, options: DemoOptions, application: Application, cluster: LocalCluster, display: Display) -> None:
        self._options = options
        self._application = application
        self._cluster = cluster
        self._display = display
        # Read before anything runs: a mistake in the input is found at once.
        self._workload = workload_of(application, options)
        self.traffic = Traffic(monotonic_us)
        self.course = Course()

    async def run(self) -> None:
        """Everything up to the replicas' final statuses, with digests.

        Raises ConfigurationError for input that is malformed, and what `LocalCluster.check` raises when a replica ends.
        """
        options, workload = self._options, self._workload
        service = service_of(self._application.service)
        encoder = BatchEncoder(service)
        async with AsyncExitStack() as stack:
            identity = ServiceIdentity(service.name, service.fingerprint, layout_of(service).stride)
            patient = ClientSettings(timeout_us=int(PATIENCE_S * 1e6), connect_timeout_us=int(PATIENCE_S * 1e6))
            connections = [
                await stack.enter_async_context(await connect(self._cluster.addresses, identity, patient))
                for _ in range(options.clients)
            ]
            await self.traffic.preload(connections[0], encoder, workload)
            self.course.started_us = monotonic_us()
            until_us = self.course.started_us + int(options.seconds * 1e6)
            rate = options.rate / options.clients
            clients = asyncio.gather(
                *(
                    self.traffic.run_client(number, connection, encoder, workload, rate, until_us)
                    for number, connection in enumerate(connections)
                )
            )
            watching = asyncio.create_task(self._watch())
            faults = asyncio.create_task(self._faults())
            try:
                await _done(clients, watching, faults)
                self.course.ended_us = monotonic_us()
                await faults
                await self._catch_up()
            finally:
                for task in (clients, watching, faults):
                    task.cancel()
                await asyncio.gather(clients, watching, faults, return_exceptions=True)

    async def _faults(self) -> None:
        """Kill the leader a third of the way, start it again at two thirds."""
        third = self._options.seconds / _THIRDS
        await asyncio.sleep(third)
        leader = await self._leader()
        self.course.killed_us = monotonic_us()
        self.course.killed = leader
        self._cluster.kill(leader)
        self._display.event(f"replica {leader}, the leader, killed (SIGKILL)")
        await asyncio.sleep(third)
        self._cluster.start(leader)
        self._display.event(f"replica {leader} started again")

    async def _leader(self) -> int:
        """The leader to kill; on a busy machine there may be none at the moment."""
        until_us = monotonic_us() + int(PATIENCE_S * 1e6)
        while (leader := self._cluster.leader()) is None:
            if monotonic_us() > until_us:
                raise ClusterUnavailable(f"demo: expected a leader to kill, found none within {PATIENCE_S:g} s")
            await asyncio.sleep(LOOK_S)
        return leader

    async def _watch(self) -> None:
        while True:
            statuses = await asyncio.to_thread(self._cluster.statuses)
            self._cluster.check()
            self._display.update(self.traffic, statuses)
            await asyncio.sleep(LOOK_S)

    async def _catch_up(self) -> None:
        """Wait until every replica has executed the whole log; keep their statuses."""
        self._display.event("load ended; waiting until every replica has executed the whole log")
        until_us = monotonic_us() + int(CATCH_UP_S * 1e6)
        while True:
            statuses = await asyncio.to_thread(self._cluster.statuses, digest=True)
            self._cluster.check()
            if all_caught_up(statuses):
                self.course.statuses = statuses
                return
            if monotonic_us() > until_us:
                places = {status.id: status.get("delivered") or status.problem for status in statuses}
                raise ClusterUnavailable(
                    f"demo: expected every replica at one log index within {CATCH_UP_S:g} s, found {places}"
                )
            await asyncio.sleep(LOOK_S)


async def _done(wanted: asyncio.Future[Any], *others: asyncio.Task[None]) -> None:
    """Wait for `wanted`, or raise what one of the others raised before it was done."""
    while not wanted.done():
        running = {other for other in others if not other.done()}
        await asyncio.wait({wanted, *running}, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            if other.done():
                other.result()
    wanted.result()


def all_caught_up(statuses: Sequence[ReplicaStatus]) -> bool:
    """Whether every replica answered and stands at the same log index with everything executed."""
    places: set[Any] = {status.get("delivered") for status in statuses}
    ends: set[Any] = {status.get("last_index") for status in statuses}
    return all(status.reachable for status in statuses) and len(places | ends) == 1
