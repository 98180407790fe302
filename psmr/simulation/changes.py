"""Whoever leads is asked every now and then to change the members, now and then in ways that it must refuse."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from psmr.core.raft import Membership, ProposeMembership
from psmr.simulation.conditions import Delay
from psmr.simulation.replica import SimulatedReplica
from psmr.simulation.scheduler import Scheduler

_PEACEFUL = Delay(5_000, 20_000, 40_000)


class Changes:
    """Adds learners, promotes, demotes, removes; in peace adds one more and promotes all that are left."""

    def __init__(
        self, scheduler: Scheduler, random: Random, delay: Delay, replicas: Sequence[SimulatedReplica]
    ) -> None:
        self._scheduler = scheduler
        self._random = random
        self._delay = delay
        self._replicas = replicas
        self._to_add = 0
        self._is_peaceful = False
        self._plan()

    def calm_down(self) -> None:
        """From now on bring what was begun to an end."""
        self._is_peaceful = True
        self._to_add = 1
        self._delay = _PEACEFUL

    def are_done(self, membership: Membership) -> bool:
        """Whether nothing is left to be done in peace once this membership is in force."""
        return not membership.learners and not self._to_add

    def _plan(self) -> None:
        self._scheduler.after(self._delay.draw_us(self._random), self._change)

    def _change(self) -> None:
        self._plan()
        leaders = [replica for replica in self._replicas if replica.leads]
        if not leaders:
            return
        leader = self._random.choice(leaders)
        old = leader.membership
        strangers = [replica.me for replica in self._replicas if replica.me not in old.members]
        new = self._towards_the_end(old, strangers) if self._is_peaceful else self._any(old, strangers)
        if new is not None:
            leader.step(ProposeMembership(new, new))

    def _towards_the_end(self, old: Membership, strangers: list[int]) -> Membership | None:
        if old.learners:
            self._to_add = 0
            return Membership((*old.voters, old.learners[0]), old.learners[1:])
        if not strangers:
            self._to_add = 0
        return Membership(old.voters, (strangers[0],)) if self._to_add else None

    def _any(self, old: Membership, strangers: list[int]) -> Membership | None:
        draw, choice = self._random.random(), self._random.choice
        if draw < 0.3 and strangers:
            return Membership(old.voters, (*old.learners, choice(strangers)))
        if draw < 0.6 and old.learners:
            return _without(Membership((*old.voters, old.learners[0]), old.learners[1:]))
        if draw < 0.75:
            return _without(old, choice(old.voters))
        if draw < 0.85:
            demoted = choice(old.voters)
            left = _without(old, demoted)
            return Membership(left.voters, (*left.learners, demoted))
        if draw < 0.9 and old.learners:
            return _without(old, choice(old.learners))
        others = [*old.learners, *strangers]
        if draw < 0.95 and others:
            return _without(Membership((*old.voters[1:], choice(others))), old.voters[0])
        return _without(Membership(old.voters[:-2], old.learners))


def _without(membership: Membership, gone: int | None = None) -> Membership:
    voters = tuple(voter for voter in membership.voters if voter != gone)
    return Membership(voters, tuple(one for one in membership.learners if one != gone and one not in voters))
