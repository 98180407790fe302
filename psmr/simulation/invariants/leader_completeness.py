"""Leader completeness: an entry committed in a term is in the logs of the leaders of all greater terms."""

from __future__ import annotations

from collections.abc import Sequence

from psmr.core.raft import Commit, Effect, Role, RoleChanged
from psmr.simulation.disk import Entry
from psmr.simulation.invariants.invariant import Invariant, Observed


class LeaderCompleteness(Invariant):
    """Remembers what leaders committed, and in which term they did."""

    name = "leader completeness"
    watches = (Commit, RoleChanged)

    def __init__(self, replicas: Sequence[Observed]) -> None:
        super().__init__(replicas)
        self._committed: list[tuple[Entry, int]] = []

    def check(self, replica: Observed, effect: Effect) -> None:
        """A leader commits: remember. One is elected: its log must hold what was committed before its term."""
        if isinstance(effect, Commit):
            if replica.node is not None and replica.node.role is Role.LEADER:
                for entry in replica.disk.entries[len(self._committed) : effect.index]:
                    self._committed.append((entry, replica.node.term))
        elif isinstance(effect, RoleChanged) and effect.role is Role.LEADER:
            self._check_leader(replica, effect.term)

    def _check_leader(self, leader: Observed, leader_term: int) -> None:
        entries = leader.disk.entries
        for index, (entry, term) in enumerate(self._committed, 1):
            if term < leader_term and (index > len(entries) or entries[index - 1] != entry):
                found = entries[index - 1] if index <= len(entries) else "none"
                self.fail(
                    f"expected the leader of term {leader_term}, replica {leader.me}, to have entry {index} {entry}, "
                    f"committed in term {term}; found {found}"
                )
