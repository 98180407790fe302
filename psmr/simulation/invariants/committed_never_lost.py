"""Committed is never lost: once any replica says so, an entry is on a majority's disks, and no majority can lack it."""

from __future__ import annotations

from collections.abc import Sequence

from psmr.core.raft import Commit, Effect, Membership, Truncate
from psmr.simulation.disk import Entry, SimulatedDisk
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
            if replica.node is not None:
                self._check_disks(known + 1, replica.node.membership)
        elif isinstance(effect, Truncate):
            start = effect.from_index - 1
            for index, entry in enumerate(replica.disk.entries[start : len(self._committed)], effect.from_index):
                if entry == self._committed[index - 1]:
                    self.fail(f"replica {replica.me} drops entry {index} {entry}, which is committed")

    def check_all(self) -> None:
        """Every committed entry is still where every election by the last committed membership, or by one after it, sees it."""
        count = len(self._committed)
        latest = [index for index, (_, payload) in enumerate(self._committed, 1) if isinstance(payload, Membership)]
        after = latest[-1] if latest else 0
        known = {
            change for one in self.replicas for change in one.disk.changes if change[0] >= after and change[1].voters
        }
        for index in range(1, count + 1):
            entry = self._committed[index - 1]
            holders = {one.me for one in self.replicas if _holds(one.disk, index, entry)}
            if not any(len(set(one.voters) - holders) < one.majority for _, one in known):
                self.fail(f"found committed entry {index} {entry} on the disks of {sorted(holders)} only, of {known}")

    def _check_disks(self, from_index: int, membership: Membership) -> None:
        voters = [self.replicas[voter] for voter in membership.voters]
        for index in range(from_index, len(self._committed) + 1):
            entry = self._committed[index - 1]
            holders = [one.me for one in voters if _holds(one.disk, index, entry)]
            if len(holders) < membership.majority:
                self.fail(
                    f"expected committed entry {index} {entry} on the disks of {membership.majority} of voters "
                    f"{membership.voters}, found it on those of {holders}"
                )


def _holds(disk: SimulatedDisk, index: int, entry: Entry) -> bool:
    kept = disk.snapshot if index <= len(disk.snapshot) else disk.durable
    return index <= len(kept) and kept[index - 1] == entry
