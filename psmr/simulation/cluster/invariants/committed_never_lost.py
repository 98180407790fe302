"""Committed is never lost: what any replica delivered is on so many disks, and stays there, that no majority lacks it.

The majority is that of the voters in force. With an odd number of them this says that a majority has the entry; with an even
one, that half of them do. More cannot be asked for while members change: with voters 0 to 3 in force and the removal of 3
proposed, two of the three left commit what lies before that proposal. That is safe, for no three of the four can elect a
leader without one of the two, and it stays so if the proposal is rolled back (Ongaro's thesis, 4.1).

What a snapshot on a disk holds is on it, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from psmr.simulation.cluster.invariants.in_force import InForce
from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.invariants import InvariantViolated


class CommittedNeverLost:
    """Counts the disks, as a crash of all replicas at this moment would leave them at the least."""

    def __init__(self, replicas: Sequence[Observed], in_force: InForce) -> None:
        self._replicas = replicas
        self._in_force = in_force

    def check(self, delivered: list[bytes], from_index: int) -> None:
        """Every entry delivered anywhere, from `from_index` on, is on enough disks."""
        voters = self._in_force.voters
        stores = [self._replicas[voter].store for voter in voters]
        enough = (len(voters) + 1) // 2
        for index in range(from_index, len(delivered) + 1):
            raw = delivered[index - 1]
            holders = sum([store.keeps(index, raw) for store in stores])
            if holders < enough:
                holding = [
                    voter
                    for voter, store in zip(voters, stores, strict=True)
                    if store.keeps(index, delivered[index - 1])
                ]
                raise InvariantViolated(
                    "committed is never lost",
                    f"expected entry {index}, which was delivered, on the disks of {enough} of the voters {voters}, "
                    f"found it on those of {holding}",
                )
