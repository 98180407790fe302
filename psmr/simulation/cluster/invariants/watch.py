"""All invariants of the whole path together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psmr.core.raft import RoleChanged
from psmr.core.roster import Roster
from psmr.simulation.cluster.divergences import Wrong
from psmr.simulation.cluster.engine import Executing
from psmr.simulation.cluster.invariants.committed_never_lost import CommittedNeverLost
from psmr.simulation.cluster.invariants.election_safety import ElectionSafety
from psmr.simulation.cluster.invariants.equal_digests import EqualDigests
from psmr.simulation.cluster.invariants.equal_members import EqualMembers
from psmr.simulation.cluster.invariants.exactly_once import ExactlyOnce
from psmr.simulation.cluster.invariants.followed_once import FollowedOnce
from psmr.simulation.cluster.invariants.in_force import InForce
from psmr.simulation.cluster.invariants.leader_completeness import LeaderCompleteness
from psmr.simulation.cluster.invariants.log_matching import LogMatching
from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.cluster.invariants.one_position import OnePosition
from psmr.simulation.cluster.invariants.parted_rightly import PartedRightly
from psmr.simulation.cluster.invariants.state_machine_safety import StateMachineSafety
from psmr.simulation.cluster.invariants.takes_over import TakesOver
from psmr.simulation.cluster.invariants.term_never_goes_back import TermNeverGoesBack
from psmr.simulation.scheduler import Scheduler


class Watch:
    """Asks each invariant when something happened that could break it. `events`, `followed`, `parting` are asked by who sees them.

    `wrong`: what replicas will do wrong.
    """

    def __init__(
        self, replicas: Sequence[Observed], founders: Roster, scheduler: Scheduler, wrong: Mapping[int, Wrong]
    ) -> None:
        self._replicas = replicas
        self._in_force = InForce(founders)
        self._scheduler = scheduler
        self._elections = ElectionSafety()
        self._delivery = StateMachineSafety()
        self._disks = CommittedNeverLost(replicas, self._in_force)
        self._leaders = LeaderCompleteness()
        self._logs = LogMatching(replicas)
        self._once = ExactlyOnce()
        self._digests = EqualDigests()
        self._members = EqualMembers(self._in_force)
        self._terms = TermNeverGoesBack()
        self._delivered_in: list[int] = []
        self.versions = TakesOver()
        self.parting = PartedRightly(wrong, len(founders.seats))
        self.events = OnePosition()
        self.followed = FollowedOnce(self.events.stream)

    @property
    def elections(self) -> int:
        """How many leaders were elected so far."""
        return self._elections.count

    @property
    def delivered(self) -> int:
        """How many entries were delivered anywhere."""
        return len(self._delivery.delivered)

    @property
    def remaining(self) -> list[Observed]:
        """The replicas that belong to the cluster, as is known for certain, and have not stopped for good."""
        seated = (self._replicas[seat.id] for seat in self._in_force.roster.seats)
        return [one for one in seated if not one.has_parted]

    @property
    def executed(self) -> dict[int, tuple[int, int]]:
        """By operation, when it was first executed anywhere, and its reply; reads beside the log are left out."""
        return self._once.executed

    def started(self, replica: Observed, *, has_fetched: bool) -> None:
        """A replica begins, with what its snapshot, its own or another's, holds or with nothing."""
        self._delivery.started(replica)
        self.events.started(replica, has_fetched=has_fetched)
        self._once.started(replica.me, replica.delivered)
        self.parting.started(replica)

    def captured(self, me: int, index: int) -> None:
        """Replica `me` has delivered and executed the log up to `index`, and takes a snapshot."""
        self._once.captured(me, index)

    def executing(self, me: int, fingerprint: int) -> Executing:
        """What the engine of replica `me`, of that version, tells."""

        def executing(session: int, sequence: int, operation: int, is_read: bool, reply: int | None) -> None:
            if not is_read:
                self.versions.executing(me, fingerprint, operation)
                self._once.check(self._scheduler.now_us, me, session, sequence, operation, reply)

        return executing

    def role(self, replica: Observed, change: RoleChanged) -> None:
        """A replica's role, term or leader changed."""
        self._elections.check(replica, change)
        self._leaders.check(replica, change, self._delivery.delivered, self._delivered_in)

    def after_turn(self, replica: Observed) -> None:
        """A replica took a turn."""
        self._terms.check(replica)
        self._in_force.check(replica)
        known = self.delivered
        self._delivery.check(replica)
        if self.delivered > known:
            self._delivered_in += [replica.store.hard_state[0]] * (self.delivered - known)
            self._disks.check(self._delivery.delivered, known + 1)

    def check_disks(self) -> None:
        """A replica crashed: is everything still there?"""
        self._disks.check(self._delivery.delivered, 1)
        self._logs.check_all()

    def check_all(self) -> None:
        """Everything, at the end, when all have delivered and executed all."""
        self.check_disks()
        self._digests.check_all(self.remaining)
        self._members.check_all(self.remaining)
        self.events.check_all(self.remaining)
        self.versions.check_all(self.remaining)
