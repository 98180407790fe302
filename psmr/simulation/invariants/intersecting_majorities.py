"""Never two disagreeing majorities: any two that could decide at one moment have a member in common."""

from __future__ import annotations

from itertools import combinations

from psmr.core.raft import Effect, Membership, MembershipChanged, Role, RoleChanged
from psmr.simulation.invariants.invariant import Invariant, Observed


class IntersectingMajorities(Invariant):
    """Compares the memberships in force wherever they could win an election with the logs as they are.

    And how they follow each other (thesis, 4.1, with the correction of 2015): a leader proposes one when that before is
    committed, and an entry of its own term; and at most one voter differs.
    """

    name = "never two disagreeing majorities"
    watches = (MembershipChanged, RoleChanged)

    def check(self, replica: Observed, effect: Effect) -> None:
        """Another membership is in force somewhere, or another leads: is it one that cannot be contradicted?"""
        if isinstance(effect, RoleChanged) and effect.role is not Role.LEADER:
            return
        self.check_all()
        if isinstance(effect, MembershipChanged) and replica.node is not None and replica.node.role is Role.LEADER:
            self._check_step(replica)

    def check_all(self) -> None:
        """Any two memberships that somebody could be elected by."""
        electable = {replica.disk.changes[-1][1].voters for replica in self.replicas if self._may_win(replica)}
        for one, two in combinations(sorted(electable), 2):
            if len(one) // 2 + len(two) // 2 + 2 <= len({*one, *two}):
                self.fail(f"expected majorities that intersect of all voters who could decide, found {one} and {two}")

    def _may_win(self, replica: Observed) -> bool:
        voters = replica.disk.changes[-1][1].voters
        position = _position(replica)
        granting = sum(_position(self.replicas[voter]) <= position for voter in voters)
        return granting > len(voters) // 2

    def _check_step(self, leader: Observed) -> None:
        node, disk = leader.node, leader.disk
        assert node is not None
        (old_index, old), (_, new) = disk.changes[-2:]
        if old_index > node.commit or disk.entries[node.commit - 1][0] != node.term:
            self.fail(
                f"expected leader {leader.me} of term {node.term} to propose {new} with {old} of entry {old_index}, and "
                f"an entry of its term, committed; found commit {node.commit} of {disk.entries[node.commit - 1]}"
            )
        if _differing(old, new) > 1:
            self.fail(f"expected leader {leader.me} to change one voter at most, found {old} followed by {new}")


def _position(replica: Observed) -> tuple[int, int]:
    entries = replica.disk.entries
    return (entries[-1][0], len(entries)) if entries else (0, 0)


def _differing(old: Membership, new: Membership) -> int:
    return len(set(old.voters) ^ set(new.voters))
