"""Committed is never lost: once any replica delivered it, an entry is on a majority's disks, and stays there.

What a snapshot on a disk holds is on it, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.invariants import InvariantViolated


class CommittedNeverLost:
    """Counts the disks, as a crash of all replicas at this moment would leave them at the least."""

    def __init__(self, replicas: Sequence[Observed]) -> None:
        self._replicas = replicas

    def check(self, delivered: list[bytes], from_index: int) -> None:
        """Every entry delivered anywhere, from `from_index` on, is on enough disks."""
        majority = len(self._replicas) // 2 + 1
        for index in range(from_index, len(delivered) + 1):
            holders = [one.me for one in self._replicas if one.store.keeps(index, delivered[index - 1])]
            if len(holders) < majority:
                raise InvariantViolated(
                    "committed is never lost",
                    f"expected entry {index}, which was delivered, on the disks of {majority} of {len(self._replicas)} "
                    f"replicas, found it on those of {holders}",
                )
