"""Leader append-only: a leader never overwrites or removes an entry of its own log."""

from __future__ import annotations

from psmr.core.raft import Effect, Role, Truncate
from psmr.simulation.invariants.invariant import Invariant, Observed


class LeaderAppendOnly(Invariant):
    """Nothing is truncated by a node that leads. That it appends only behind its last entry, log matching checks."""

    name = "leader append-only"
    watches = (Truncate,)

    def check(self, replica: Observed, effect: Effect) -> None:
        """Whoever truncates does not lead."""
        if isinstance(effect, Truncate) and replica.node is not None and replica.node.role is Role.LEADER:
            self.fail(f"replica {replica.me}, leader of term {replica.node.term}, drops entry {effect.from_index}")
