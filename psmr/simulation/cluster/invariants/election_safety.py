"""Election safety: at most one leader can be elected in a given term."""

from __future__ import annotations

from psmr.core.raft import Role, RoleChanged
from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.invariants import InvariantViolated


class ElectionSafety:
    """Remembers who led each term."""

    def __init__(self) -> None:
        self._leaders: dict[int, int] = {}

    @property
    def count(self) -> int:
        """How many terms had a leader."""
        return len(self._leaders)

    def check(self, replica: Observed, change: RoleChanged) -> None:
        """A term that had a leader has no other."""
        if change.role is Role.LEADER and self._leaders.setdefault(change.term, replica.me) != replica.me:
            raise InvariantViolated(
                "election safety",
                f"expected one leader of term {change.term}, found replicas {self._leaders[change.term]} and {replica.me}",
            )
