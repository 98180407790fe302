"""Election safety: at most one leader can be elected in a given term."""

from __future__ import annotations

from collections.abc import Sequence

from psmr.core.raft import Effect, Role, RoleChanged
from psmr.simulation.invariants.invariant import Invariant, Observed


class ElectionSafety(Invariant):
    """Remembers who led each term."""

    name = "election safety"
    watches = (RoleChanged,)

    def __init__(self, replicas: Sequence[Observed]) -> None:
        super().__init__(replicas)
        self._leaders: dict[int, int] = {}

    @property
    def count(self) -> int:
        """How many terms had a leader."""
        return len(self._leaders)

    def check(self, replica: Observed, effect: Effect) -> None:
        """A term that had a leader has no other."""
        if isinstance(effect, RoleChanged) and effect.role is Role.LEADER:
            known = self._leaders.setdefault(effect.term, replica.me)
            if known != replica.me:
                self.fail(f"expected one leader of term {effect.term}, found replicas {known} and {replica.me}")
