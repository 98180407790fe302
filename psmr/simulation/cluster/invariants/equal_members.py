"""Equal members: at the end all that belong to the cluster know who does, and who votes."""

from __future__ import annotations

from collections.abc import Iterable

from psmr.simulation.cluster.invariants.in_force import InForce
from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.invariants import InvariantViolated


class EqualMembers:
    """Compares what each says with what was committed."""

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force

    def check_all(self, replicas: Iterable[Observed]) -> None:
        """All of `replicas` have the roster in force."""
        expected = [(seat.id, seat.clients, seat.votes) for seat in self._in_force.roster.seats]
        for one in replicas:
            found = [(member.id, member.clients, member.votes) for member in one.log.status().members]
            if found != expected:
                raise InvariantViolated(
                    "equal members", f"expected replica {one.me} to know the members {expected}, found {found}"
                )
