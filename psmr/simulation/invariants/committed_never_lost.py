"""Committed is never lost: once any replica says so, an entry is on a majority's disks, and stays there."""

from __future__ import annotations

from collections.abc import Sequence

from psmr.core.raft import Commit, Effect, Truncate
from psmr.simulation.disk import Entry
from psmr.simulation.invariants.invariant import Invariant, Observed


class CommittedNeverLost(Invariant):
    """Counts the disks, as a crash of all replicas at this moment would leave them at the least."""

    name = "committed is never lost"
    watches = (Commit, Truncate)

    def __init__(self, replicas: Sequence[Observed]) -> None:
        super().__init__(replicas)
        self._committed: list[Entry] = []

    def check(self, replica: Observed, effect: Effect) -> None:
        """Newly committed: on enough disks? Truncated: nothing that was committed?"""
        if isinstance(effect, Commit):
            known = len(self._committed)
            self._committed += replica.disk.entries[known : effect.index]
            self._check_disks(known + 1)
        elif isinstance(effect, Truncate):
            start = effect.from_index - 1
            for index, entry in enumerate(replica.disk.entries[start : len(self._committed)], effect.from_index):
                if entry == self._committed[index - 1]:
                    self.fail(f"replica {replica.me} drops entry {index} {entry}, which is committed")

    def check_all(self) -> None:
        """Every committed entry is still on enough disks."""
        self._check_disks(1)

    def _check_disks(self, from_index: int) -> None:
        majority = len(self.replicas) // 2 + 1
        for index in range(from_index, len(self._committed) + 1):
            entry = self._committed[index - 1]
            holders = [one.me for one in self.replicas if _holds(one.disk.durable, index, entry)]
            if len(holders) < majority:
                self.fail(
                    f"expected committed entry {index} {entry} on the disks of {majority} of {len(self.replicas)} "
                    f"replicas, found it on those of {holders}"
                )


def _holds(durable: list[Entry], index: int, entry: Entry) -> bool:
    return index <= len(durable) and durable[index - 1] == entry
