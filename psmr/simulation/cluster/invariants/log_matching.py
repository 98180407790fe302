"""Log matching: if two logs contain an entry with the same index and term, they are identical up to it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.invariants import InvariantViolated
from psmr.storage.record import Record


class LogMatching:
    """Every two logs, entry by entry, where both still have them."""

    def __init__(self, replicas: Sequence[Observed]) -> None:
        self._replicas = replicas

    def check_all(self) -> None:
        """Below the last entry of equal index and term all are equal."""
        for one, two in combinations(self._replicas, 2):
            first = max(one.store.first_index, two.store.first_index)
            last = min(one.store.last_index, two.store.last_index)
            ours, theirs = _between(one, first, last), _between(two, first, last)
            agreed = len(ours)
            while agreed and ours[agreed - 1].term != theirs[agreed - 1].term:
                agreed -= 1
            for place in range(agreed):
                if ours[place].raw != theirs[place].raw:
                    raise InvariantViolated(
                        "log matching",
                        f"replicas {one.me} and {two.me} have entry {first + agreed - 1} of one term, and entry "
                        f"{first + place} differs",
                    )


def _between(replica: Observed, first: int, last: int) -> list[Record]:
    records, offset = replica.store.records, replica.store.first_index
    return records[first - offset : max(first, last + 1) - offset]
