"""The course of a run: load, faults while it lasts, catching up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from cdep import service_of
from psmr.client import ClientSettings
from psmr.client.options import identity_of
from psmr.cluster.local import LocalCluster
from psmr.cluster.status import ReplicaStatus
from psmr.demo.client import RestartableClient
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


@dataclass(slots=True)
class Course:
    """When the load was there, and how the replicas stood in the end."""

    started_us: int = 0
    ended_us: int = 0
    statuses: list[ReplicaStatus] = field(default_factory=list)


class Faults(Protocol):
    """What is done to a cluster under load."""

    async def run(self, scenario: Scenario) -> None:
        """From the beginning of the load until every replica runs again."""


class Scenario:
    """Runs clients against a cluster that is up, and faults beside them. The load lasts as long as the faults, at least.

    `look` is shown the replicas' statuses now and then.
    """

    def __init__(
        self,
        options: DemoOptions,
        application: Application,
        cluster: LocalCluster,
        display: Display,
        faults: Faults,
        look: Callable[[Sequence[ReplicaStatus]], None] = lambda statuses: None,
    ) -> None:
        self.options = options
        self._application = application
        self._cluster = cluster
        self._display = display
        self._faults = faults
        self._look = look
        # Read before anything runs: a mistake in the input is found at once.
        self._workload = workload_of(application, options)
        self.traffic = Traffic(monotonic_us)
        self.course = Course()
        self.clients: list[RestartableClient] = []

    async def run(self) -> None:
        """Everything up to the replicas' final statuses, with digests.

        Raises ConfigurationError for input that is malformed, and what `LocalCluster.check` raises when a replica ends.
        """
        encoder = BatchEncoder(service_of(self._application.service))
        with ExitStack() as stack:
            await self._open_clients(stack)
            await self.traffic.preload(self.clients[0], encoder, self._workload)
            self.course.started_us = monotonic_us()
            until_us = self.course.started_us + int(self.options.longest_s * 1e6)
            watching = asyncio.create_task(self._watch())
            faults = asyncio.create_task(self._faults.run(self))
            rate = self.options.rate / self.options.clients
            clients = asyncio.gather(
                *(
                    self.traffic.run_client(
                        number,
                        client,
                        encoder,
                        self._workload,
                        rate,
                        lambda: monotonic_us() >= until_us and faults.done(),
                    )
                    for number, client in enumerate(self.clients)
                )
            )
            try:
                await _done(clients, watching, faults)
                self.course.ended_us = monotonic_us()
                await faults
                await self._catch_up()
            finally:
                for task in (clients, watching, faults):
                    task.cancel()
                await asyncio.gather(clients, watching, faults, return_exceptions=True)

    async def _open_clients(self, stack: ExitStack) -> None:
        service = service_of(self._application.service)
        identity = identity_of(service)
        patient = ClientSettings(timeout_us=int(PATIENCE_S * 1e6), connect_timeout_us=int(PATIENCE_S * 1e6))
        for _ in range(self.options.clients):
            client = RestartableClient(lambda: self._cluster.addresses, identity, patient)
            stack.callback(client.close)
            await client.open()
            self.clients.append(client)

    async def _watch(self) -> None:
        while True:
            statuses = await asyncio.to_thread(self._cluster.statuses)
            self._cluster.check()
            self._display.update(self.traffic, statuses)
            self._look(statuses)
            await asyncio.sleep(LOOK_S)

    async def _catch_up(self) -> None:
        """Wait until every replica has executed the whole log; keep their statuses."""
        self._display.event("load ended; waiting until every replica has executed the whole log")
        until_us = monotonic_us() + int(CATCH_UP_S * 1e6)
        while True:
            statuses = await asyncio.to_thread(self._cluster.statuses, digest=True)
            self._cluster.check()
            self._look(statuses)
            if all_caught_up(statuses):
                self.course.statuses = statuses
                return
            if monotonic_us() > until_us:
                places = {status.id: status.get("delivered") or status.problem for status in statuses}
                raise ClusterUnavailable(
                    f"expected every replica at one log index within {CATCH_UP_S:g} s, found {places}"
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
