"""Equal digests: replicas that executed the same log have the same state and remember the same sessions."""

from __future__ import annotations

from collections.abc import Sequence

from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.invariants import InvariantViolated


class EqualDigests:
    """Compares replicas that have delivered and executed everything."""

    def check_all(self, replicas: Sequence[Observed]) -> None:
        """State and sessions are equal on all, and the sessions' own invariants hold."""
        states = {one.engine.digest() for one in replicas}
        sessions = {one.replica.delivery.sessions.digest() for one in replicas if one.replica is not None}
        if len(states) != 1 or len(sessions) != 1:
            contents = "; ".join(f"replica {one.me}: {one.engine.state}" for one in replicas)
            what = "states" if len(states) != 1 else "sessions"
            raise InvariantViolated("equal digests", f"expected equal {what} after one log, found {contents}")
        for one in replicas:
            if one.replica is not None:
                one.replica.delivery.sessions.validate()
