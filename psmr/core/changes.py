"""Changes of a cluster's members, as an operator asks for them: one replica at a time.

    add ──► learner: is sent everything, counts for nothing ──► promote, once it has caught up ──► voter ──► remove

After Ongaro's thesis, 4.1 and 4.2.1: consecutive memberships differ in one voter, so any majority of one and any of the other
have a member in common.
"""

from __future__ import annotations

from enum import Enum

from psmr.core.roster import SEATS_MAX, Roster, Seat
from psmr.errors import Refused


class Action(Enum):
    """What is to become of a replica."""

    ADD = "add"
    PROMOTE = "promote"
    REMOVE = "remove"


def changed(roster: Roster, action: Action, wanted: Seat) -> Roster:
    """The roster after the change. Raises Refused, with the reason, for one that cannot be.

    What is so already is refused as well: whoever asks again after a lost answer looks at the members first.
    """
    seat = roster.seat(wanted.id)
    if action is Action.ADD:
        return _added(roster, seat, wanted)
    if seat is None:
        raise Refused(f"expected replica {wanted.id} to be a member, found members {_ids(roster)}")
    if action is Action.PROMOTE:
        if seat.votes:
            raise Refused(f"replica {wanted.id} votes already")
        return roster.with_seat(Seat(seat.id, seat.peers, seat.clients, votes=True))
    if roster.voters == (wanted.id,):
        raise Refused(f"replica {wanted.id} is the only one that votes: add another one first")
    return roster.without(wanted.id)


def _added(roster: Roster, seat: Seat | None, wanted: Seat) -> Roster:
    if seat is not None:
        raise Refused(f"replica {wanted.id} is a member already, at {seat.peers}: remove it first to have it elsewhere")
    for other in roster.seats:
        if {other.peers, other.clients} & {wanted.peers, wanted.clients}:
            raise Refused(
                f"expected addresses of its own for replica {wanted.id}, found replica {other.id} at one of them"
            )
    if len(roster.seats) == SEATS_MAX:
        raise Refused(f"a cluster has at most {SEATS_MAX} members: remove one first")
    return roster.with_seat(Seat(wanted.id, wanted.peers, wanted.clients, votes=False))


def _ids(roster: Roster) -> str:
    return ", ".join(str(seat.id) for seat in roster.seats) or "none"
