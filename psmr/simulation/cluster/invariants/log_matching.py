"""Log matching: if two logs contain an entry with the same index and term, they are identical up to it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.invariants import InvariantViolated


class LogMatching:
    """Every two logs, entry by entry."""

    def __init__(self, replicas: Sequence[Observed]) -> None:
        self._replicas = replicas

    def check_all(self) -> None:
        """Below the last entry of equal index and term all are equal."""
        for one, two in combinations(self._replicas, 2):
            ours, theirs = one.store.records, two.store.records
            agreed = min(len(ours), len(theirs))
            while agreed and ours[agreed - 1].term != theirs[agreed - 1].term:
                agreed -= 1
            for index in range(agreed):
                if ours[index].raw != theirs[index].raw:
                    raise InvariantViolated(
                        "log matching",
                        f"replicas {one.me} and {two.me} have entry {agreed} of one term, and entry {index + 1} differs",
                    )
