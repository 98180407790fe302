"""The fault of a demonstration: the leader's death a third of the way, its return at two thirds."""

from __future__ import annotations

import asyncio

from psmr.cluster.local import LocalCluster
from psmr.demo.live import Display
from psmr.demo.scenario import LOOK_S, PATIENCE_S, Scenario
from psmr.errors import ClusterUnavailable
from psmr.replica.clocks import monotonic_us

_THIRDS = 3


class LeaderDies:
    """Kills the leader of a cluster that is under load for `seconds`, and starts it again."""

    def __init__(self, cluster: LocalCluster, display: Display, seconds: float) -> None:
        self._cluster = cluster
        self._display = display
        self._third_s = seconds / _THIRDS
        self.killed_us = 0

    async def run(self, scenario: Scenario) -> None:
        """Part of `Faults`."""
        await asyncio.sleep(self._third_s)
        leader = await self._leader()
        self.killed_us = monotonic_us()
        self._cluster.kill(leader)
        self._display.event(f"replica {leader}, the leader, killed (SIGKILL)")
        await asyncio.sleep(self._third_s)
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
