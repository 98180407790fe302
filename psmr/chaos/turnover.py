"""Replicas come and go while clients work: a dead one is replaced, the leader leaves, all are restarted in turn."""

from __future__ import annotations

import asyncio

from psmr.chaos.relays import Relays
from psmr.chaos.watching import PATIENCE_S, Watch
from psmr.cluster.local import LocalCluster


class Turnover:
    """Each of these changes needs everybody else to be well, and says what came of it."""

    def __init__(self, cluster: LocalCluster, relays: Relays, watch: Watch) -> None:
        self._cluster = cluster
        self._relays = relays
        self._watch = watch

    async def replace(self, victim: int) -> str:
        """A replica is lost for good: one with an empty folder joins, and may vote, before the dead one is removed."""
        self._cluster.kill(victim)
        joined = await self._join()
        await self._remove(victim)
        return f"replica {joined} took its place"

    async def remove_leader(self, victim: int) -> str:
        """The leader is removed while it leads; then another replica joins."""
        await self._remove(victim)
        return f"removed, and replica {await self._join()} joined"

    async def roll(self) -> str:
        """Every replica is stopped and started, the next one when this one has caught up."""
        for number in self._cluster.ids:
            await self.stop(number)
            self._cluster.start(number)
            await self._watch.caught_up(number)
        return "one after another"

    async def stop(self, number: int) -> None:
        """Ask a replica to stop, and wait for its end."""
        process = self._cluster.process(number)
        self._cluster.expect_end(number)
        process.terminate()
        await self._watch.until(lambda statuses: not process.running, f"replica {number} to stop")

    async def _join(self) -> int:
        joined = self._cluster.join()
        self._relays.take_in()
        await asyncio.to_thread(self._cluster.membership(PATIENCE_S).add, self._cluster.seat(joined))
        return joined

    async def _remove(self, victim: int) -> None:
        await asyncio.to_thread(self._cluster.membership(PATIENCE_S).remove, victim)
        self._cluster.retire(victim)
