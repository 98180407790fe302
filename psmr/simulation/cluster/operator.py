"""A simulated operator: asks for other members over the client port, one change after another, until each is settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from psmr.core.changes import Action
from psmr.core.roster import Seat
from psmr.log.port import LogStatus
from psmr.simulation.cluster.member import SimulatedMember
from psmr.simulation.cluster.service import NEXT_FINGERPRINT
from psmr.simulation.cluster.trace import ClusterTrace
from psmr.simulation.scheduler import Scheduler
from psmr.transport.client_protocol import AskChange, AskUpgrade, encode_control

OPERATOR = b"operator"
_LOOK_US = 12_000
_ASK_US = 60_000
"""Longer than a message is under way: an answer that was lost does not have a change asked for twice."""
_LOST_RATE = 0.1
_SPOIL_UNTIL_US = 550_000
_AWAY_US = 30_000

Join = Callable[[], SimulatedMember]


def seat_of(replica: int, *, votes: bool = True) -> Seat:
    """The seat of a simulated replica."""
    return Seat(replica, f"sim://{replica}/peers", f"sim://{replica}", votes)


class Operator:
    """Carries out `plan`, words of "add", "remove", "away", "lose", "spoil" and "upgrade", after `begin_us`.

    "add": a replica with an empty disk joins and is promoted. "remove": a voter goes, often the leader; then it is switched
    off, or left running. "lose": a voter's disk is damaged for good; it is removed. "spoil": a bit of a voter's
    snapshot is wrong; if it refuses to start it is removed. "away": one whose log has forgotten the last change starts again, so
    that its snapshot alone says who belongs to the cluster. "upgrade": the next version takes over. `join` starts a replica.
    """

    def __init__(
        self,
        plan: Sequence[str],
        begin_us: int,
        scheduler: Scheduler,
        random: Random,
        members: Sequence[SimulatedMember],
        trace: ClusterTrace,
        join: Join,
    ) -> None:
        self._plan = list(plan)
        self._scheduler = scheduler
        self._random = random
        self._members = members
        self._trace = trace
        self._join = join
        self._wish: tuple[Action, int] | None = None
        self._spoiled: SimulatedMember | None = None
        self._ask_us = 0
        self._settled = 0
        self.settled = 0
        if plan:
            scheduler.after(begin_us, self._look)

    @property
    def is_done(self) -> bool:
        """Whether every change is settled."""
        return not self._plan and self._wish is None and self._spoiled is None

    def _look(self) -> None:
        """Look at the leader of the highest term: who has less than was settled before was deposed, and does not know."""
        leaders = [one for one in self._members if one.leads]
        if leaders:
            leader = max(leaders, key=lambda one: one.term)
            status = leader.log.status()
            # One that began with a snapshot says no more of its members than that they are as old as that, or older.
            if max(status.members_since, status.committed) >= self._settled:
                self._go_on(leader, status)
        if not self.is_done:
            self._scheduler.after(_LOOK_US, self._look)

    def _go_on(self, leader: SimulatedMember, status: LogStatus) -> None:
        if self._spoiled is not None:
            self._see_what_became_of(self._spoiled)
        elif self._wish is None:
            self._wish = self._next_wish(leader, status)
        elif self._is_settled(*self._wish, status):
            self._settled = status.members_since
            self.settled += 1
            self._trace.note(self._scheduler.now_us, f"settled: {self._wish[0].value} replica {self._wish[1]}")
            self._wish = self._after(*self._wish)
        elif self._scheduler.now_us >= self._ask_us:
            self._ask(leader, *self._wish)

    def _see_what_became_of(self, spoiled: SimulatedMember) -> None:
        if spoiled.is_settled:
            self._spoiled = None
            self._wish = (Action.REMOVE, spoiled.me) if spoiled.is_retired else None

    def _spoil(self, voters: Sequence[int]) -> None:
        """Of some voter, if one comes to have a snapshot in time."""
        able = [self._members[voter] for voter in voters if self._members[voter].has_snapshot]
        if able:
            self._spoiled = self._random.choice(able)
            self._spoiled.spoil_snapshot()
        elif self._scheduler.now_us < _SPOIL_UNTIL_US:
            return
        del self._plan[0]

    def _send_away(self, voters: Sequence[int]) -> None:
        """Some voter that has forgotten the last change, if one comes to in time."""
        members = [self._members[voter] for voter in voters]
        able = [one for one in members if one.is_up and one.log.status().first_index > self._settled]
        if able and self._settled:
            away = self._random.choice(able)
            self._trace.note(self._scheduler.now_us, f"replica {away.me} goes away for a while")
            away.crash()
            self._scheduler.after(int(self._random.random() * _AWAY_US), self._come_back, away, away.incarnation)
        elif self._scheduler.now_us < _SPOIL_UNTIL_US:
            return
        del self._plan[0]

    def _come_back(self, away: SimulatedMember, incarnation: int) -> None:
        if not away.is_up and not away.is_retired and away.incarnation == incarnation:
            away.start()

    def _upgrade(self, leader: SimulatedMember) -> None:
        """Ask for the next version until a leader runs it."""
        if leader.engine.service.fingerprint == NEXT_FINGERPRINT:
            self.settled += 1
            del self._plan[0]
        elif self._scheduler.now_us >= self._ask_us:
            self._ask_us = self._scheduler.now_us + _ASK_US
            self._trace.note(self._scheduler.now_us, f"operator asks replica {leader.me} for the next version")
            wish = AskUpgrade(NEXT_FINGERPRINT, "simulated", 2, [])
            delay_us = 200 + int(self._random.random() * 20_000)
            self._scheduler.after(delay_us, leader.request, OPERATOR, encode_control(wish))

    def _next_wish(self, leader: SimulatedMember, status: LogStatus) -> tuple[Action, int] | None:
        word, voters = self._plan[0], [member.id for member in status.members if member.votes]
        if word == "spoil":
            self._spoil(voters)
            return None
        if word == "away":
            self._send_away(voters)
            return None
        if word == "upgrade":
            self._upgrade(leader)
            return None
        if word == "add":
            del self._plan[0]
            return Action.ADD, self._join().me
        victim = leader.me if self._random.random() < 0.5 else self._random.choice(voters)
        if word == "lose":
            self._members[victim].lose_disk()  # where nothing is to lose, one that works is removed
        del self._plan[0]
        return Action.REMOVE, victim

    def _after(self, action: Action, replica: int) -> tuple[Action, int] | None:
        if action is Action.ADD:
            return Action.PROMOTE, replica
        if action is Action.REMOVE and self._random.random() < 0.5:
            self._members[replica].retire()
        return None

    def _is_settled(self, action: Action, replica: int, status: LogStatus) -> bool:
        member = next((each for each in status.members if each.id == replica), None)
        promoted = member is not None and (member.votes or action is Action.ADD)
        is_so = member is None if action is Action.REMOVE else promoted
        return is_so and status.members_since <= status.committed

    def _ask(self, leader: SimulatedMember, action: Action, replica: int) -> None:
        self._ask_us = self._scheduler.now_us + _ASK_US
        if self._random.random() < _LOST_RATE:
            return
        to = leader if self._random.random() < 0.9 else self._random.choice(self._members)
        seat = seat_of(replica)
        self._trace.note(self._scheduler.now_us, f"operator asks replica {to.me}: {action.value} replica {replica}")
        wish = AskChange(action.value, seat.id, seat.peers, seat.clients)
        delay_us = 200 + int(self._random.random() * 20_000)
        self._scheduler.after(delay_us, to.request, OPERATOR, encode_control(wish))
