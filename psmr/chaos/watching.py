"""Waiting for a cluster under faults to come to a state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Sequence

from psmr.cluster.local import LocalCluster
from psmr.cluster.status import ReplicaStatus
from psmr.errors import ClusterUnavailable
from psmr.replica.clocks import monotonic_us

PATIENCE_S = 60.0
LOOK_S = 0.05


class Watch:
    """Looks at all replicas until what is waited for is there; raises ClusterUnavailable when it does not come."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster

    async def until(self, reached: Callable[[Sequence[ReplicaStatus]], bool], what: str) -> None:
        """Wait until the statuses are such."""
        until_us = monotonic_us() + int(PATIENCE_S * 1e6)
        while not reached(statuses := await self.statuses()):
            if monotonic_us() > until_us:
                found = {status.id: status.get("role") or status.problem for status in statuses}
                raise ClusterUnavailable(f"expected {what} within {PATIENCE_S:g} s, found {found}")
            await asyncio.sleep(LOOK_S)

    async def statuses(self) -> list[ReplicaStatus]:
        """As they are now."""
        return await asyncio.to_thread(self._cluster.statuses)

    async def leader(self, but: Container[int | None] = ()) -> int:
        """Who leads, in the highest term of all that count."""
        found: list[int] = []

        def leads(statuses: Sequence[ReplicaStatus]) -> bool:
            leading = [s for s in statuses if s.get("role") == "leader" and s.id not in but]
            found[:] = [int(s.id or 0) for s in sorted(leading, key=lambda s: int(s.get("term")))]
            return bool(found)

        await self.until(leads, "a leader")
        return found[-1]

    async def last_index(self, but: int = 0) -> int:
        """An index that no replica's log has passed, of those that answer, this one left out."""
        return max((int(s.get("last_index")) for s in await self.statuses() if s.reachable and s.id != but), default=0)

    async def knows_leader(self, replica: int) -> None:
        """Wait until it answers and knows a leader."""
        await self.until(
            lambda statuses: any(s.id == replica and s.reachable and s.get("leader") is not None for s in statuses),
            f"replica {replica} to answer and to know a leader",
        )

    async def caught_up(self, replica: int) -> None:
        """Wait until it has executed what the others have by now."""
        index = await self.last_index(but=replica)
        await self.until(
            lambda statuses: any(
                s.id == replica and s.reachable and int(s.get("delivered")) >= index for s in statuses
            ),
            f"replica {replica} to execute log index {index}",
        )

    async def all_answer(self) -> None:
        """Wait until every replica answers."""
        await self.until(lambda statuses: all(status.reachable for status in statuses), "every replica to answer")
