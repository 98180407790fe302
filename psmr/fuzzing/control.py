"""Entries of the cluster's own: who belongs to it, and which version executes what follows."""

from __future__ import annotations

from psmr.core.control import CONTROL_MAGIC, Kind, MalformedControl, kind_of
from psmr.core.roster import Roster, Seat, decode_roster, encode_roster
from psmr.core.service_version import ServiceVersion, decode_version, encode_version
from psmr.fuzzing.target import Target

_TOKENS = (CONTROL_MAGIC, b"\x01\x01\0\0", b"\x01\x02\0\0", b"\x91" * 3000, b"\xcf" + b"\xff" * 8, b"\xc1")


def _decode(data: bytes) -> Roster | ServiceVersion:
    return decode_roster(data) if kind_of(data) is Kind.ROSTER else decode_version(data)


def _wrong(_: bytes, found: Roster | ServiceVersion) -> str | None:
    """What was accepted must survive: msgpack has several forms of one number, so the bytes may differ."""
    again = _decode(encode_roster(found) if isinstance(found, Roster) else encode_version(found))
    return None if again == found else f"{found!r} became {again!r}"


def control() -> Target:
    """The payload of an entry that is no batch."""
    seats = tuple(Seat(number, f"tcp://h{number}:1", f"tcp://h{number}:2", number < 3) for number in (1, 2, 200))
    corpus = (
        encode_roster(Roster()),
        encode_roster(Roster(seats)),
        encode_version(ServiceVersion(1 << 63, 7, "Book", 2)),
    )
    return Target("control", corpus, _decode, (MalformedControl,), _wrong, tokens=_TOKENS)
