"""Who belongs to a cluster, where each is reached, and who votes: what an entry of the log says when that changes.

The payload of such an entry begins with four bytes that no batch begins with, so delivery passes it over and the log finds it
again when it is opened. Little endian: magic "PSMC", version: u8, kind: u8 (1), zero: u16, then the seats in msgpack.
"""

from __future__ import annotations

from struct import Struct as Packing

import msgspec

from psmr.core.batch import Buffer, memory_of
from psmr.errors import PsmrError

CONTROL_MAGIC = b"PSMC"
SEATS_MAX = 16
_HEAD = Packing("<4sBBH")
_ROSTER = 1
_VERSION = 1


class MalformedRoster(PsmrError, ValueError):
    """Bytes that are no roster."""


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


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Roster)


def encode_roster(roster: Roster) -> bytes:
    """The payload of an entry that puts `roster` in force."""
    return _HEAD.pack(CONTROL_MAGIC, _VERSION, _ROSTER, 0) + _ENCODER.encode(roster)


def is_control(payload: Buffer) -> bool:
    """Whether an entry's payload is none of batches but one of the cluster's own."""
    return bytes(memory_of(payload)[:4]) == CONTROL_MAGIC


def decode_roster(payload: Buffer) -> Roster:
    """The roster that a payload is. Raises `MalformedRoster`."""
    view = memory_of(payload)
    if len(view) < _HEAD.size:
        raise MalformedRoster(f"expected a roster of at least {_HEAD.size} bytes, found {len(view)}")
    head = _HEAD.unpack_from(view)
    if head != (CONTROL_MAGIC, _VERSION, _ROSTER, 0):
        raise MalformedRoster(f"expected a roster of version {_VERSION}, found a head of {head}")
    try:
        roster = _DECODER.decode(view[_HEAD.size :])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedRoster(f"expected the seats of a roster: {error}") from error
    ids = [seat.id for seat in roster.seats]
    if ids != sorted(set(ids)) or len(ids) > SEATS_MAX or not all(0 <= each < 256 for each in ids):
        raise MalformedRoster(f"expected at most {SEATS_MAX} ids below 256, ascending, found {ids}")
    return roster
