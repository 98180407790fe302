"""Who belongs to a cluster, where each is reached, and who votes: what an entry of the log says when that changes.

Such an entry is one of `psmr.core.control`; it holds the seats.
"""

from __future__ import annotations

import msgspec

from psmr.core.batch import Buffer
from psmr.core.control import Kind, MalformedControl, decode_control, encode_control

SEATS_MAX = 16


class Seat(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One replica: its id, its addresses for the other replicas and for clients, and whether it votes.

    One that does not vote is a learner: everything is sent to it, nothing waits for it, and it never leads.
    """

    id: int
    peers: str
    clients: str
    votes: bool = True


class Roster(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Seats in the order of their ids, which differ. An empty one is that of a replica that has yet to join."""

    seats: tuple[Seat, ...] = ()

    @property
    def voters(self) -> tuple[int, ...]:
        """The ids of those that vote."""
        return tuple(seat.id for seat in self.seats if seat.votes)

    @property
    def learners(self) -> tuple[int, ...]:
        """The ids of those that do not."""
        return tuple(seat.id for seat in self.seats if not seat.votes)

    def seat(self, replica_id: int) -> Seat | None:
        """The seat of a replica, if it has one."""
        return next((seat for seat in self.seats if seat.id == replica_id), None)

    def with_seat(self, seat: Seat) -> Roster:
        """The same, with this seat in place of the one of its id, or added."""
        return Roster(tuple(sorted((*self.without(seat.id).seats, seat), key=lambda each: each.id)))

    def without(self, replica_id: int) -> Roster:
        """The same without that replica."""
        return Roster(tuple(seat for seat in self.seats if seat.id != replica_id))


_DECODER = msgspec.msgpack.Decoder(Roster)


def encode_roster(roster: Roster) -> bytes:
    """The payload of an entry that puts `roster` in force."""
    return encode_control(Kind.ROSTER, roster)


def decode_roster(payload: Buffer) -> Roster:
    """The roster that a payload is. Raises `MalformedControl`."""
    roster = decode_control(payload, Kind.ROSTER, _DECODER)
    ids = [seat.id for seat in roster.seats]
    if ids != sorted(set(ids)) or len(ids) > SEATS_MAX or not all(0 <= each < 256 for each in ids):
        raise MalformedControl(f"expected at most {SEATS_MAX} ids below 256, ascending, found {ids}")
    return roster
