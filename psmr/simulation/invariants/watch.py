"""All invariants together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from psmr.core.raft import Effect, MembershipChanged
from psmr.simulation.invariants.committed_never_lost import CommittedNeverLost
from psmr.simulation.invariants.confirmed_reads import ConfirmedReads
from psmr.simulation.invariants.election_safety import ElectionSafety
from psmr.simulation.invariants.intersecting_majorities import IntersectingMajorities
from psmr.simulation.invariants.invariant import Invariant, Observed
from psmr.simulation.invariants.leader_append_only import LeaderAppendOnly
from psmr.simulation.invariants.leader_completeness import LeaderCompleteness
from psmr.simulation.invariants.log_matching import LogMatching
from psmr.simulation.invariants.node_validity import NodeValidity
from psmr.simulation.invariants.state_machine_safety import StateMachineSafety


class Watch:
    """Hands each effect to the invariants that watch its type."""

    def __init__(self, replicas: Sequence[Observed]) -> None:
        self._elections = ElectionSafety(replicas)
        self._validity = NodeValidity(replicas)
        self._reads = ConfirmedReads(replicas)
        self._invariants: tuple[Invariant, ...] = (
            self._elections,
            LeaderAppendOnly(replicas),
            LogMatching(replicas),
            LeaderCompleteness(replicas),
            StateMachineSafety(replicas),
            CommittedNeverLost(replicas),
            IntersectingMajorities(replicas),
            self._reads,
            self._validity,
        )
        self.snapshots = 0
        self.memberships = 0
        self._checks: dict[type[Effect], list[Callable[[Observed, Effect], None]]] = {}
        for invariant in self._invariants:
            for kind in invariant.watches:
                self._checks.setdefault(kind, []).append(invariant.check)

    @property
    def elections(self) -> int:
        """How many leaders were elected so far."""
        return self._elections.count

    @property
    def reads(self) -> int:
        """How many reads were confirmed so far."""
        return self._reads.count

    def installed(self) -> None:
        """A replica installs a snapshot: `snapshots` counts them."""
        self.snapshots += 1

    def read_asked(self, token: int) -> None:
        """A read index is about to be asked for."""
        self._reads.asked(token)

    def check(self, replica: Observed, effect: Effect) -> None:
        """Check what an effect, about to be performed, can break; `memberships` counts those that came into force."""
        if isinstance(effect, MembershipChanged):
            self.memberships += 1
        for check in self._checks.get(type(effect), ()):
            check(replica, effect)

    def check_node(self, replica: Observed) -> None:
        """Check a node's own invariants, after every step."""
        self._validity.check_node(replica)

    def check_all(self) -> None:
        """Check everything from the replicas' whole state."""
        for invariant in self._invariants:
            invariant.check_all()
