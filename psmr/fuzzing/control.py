"""Entries of the cluster's own: who belongs to it, which version executes what follows, what runs against advice."""

from __future__ import annotations

from psmr.core.control import CONTROL_MAGIC, Kind, MalformedControl, kind_of
from psmr.core.override import Override, decode_override, encode_override
from psmr.core.roster import Roster, Seat, decode_roster, encode_roster
from psmr.core.service_version import ServiceVersion, decode_version, encode_version
from psmr.fuzzing.target import Target

_TOKENS = (
    CONTROL_MAGIC,
    b"\x01\x01\0\0",
    b"\x01\x02\0\0",
    b"\x01\x03\0\0",
    b"\x91" * 3000,
    b"\xcf" + b"\xff" * 8,
    b"\xc1",
)


def _decode(data: bytes) -> Roster | ServiceVersion | Override:
    if kind_of(data) is Kind.OVERRIDE:
        return decode_override(data)
    return decode_roster(data) if kind_of(data) is Kind.ROSTER else decode_version(data)


def _encode(found: Roster | ServiceVersion | Override) -> bytes:
    if isinstance(found, Override):
        return encode_override(found)
    return encode_roster(found) if isinstance(found, Roster) else encode_version(found)


def _wrong(_: bytes, found: Roster | ServiceVersion | Override) -> str | None:
    """What was accepted must survive: msgpack has several forms of one number, so the bytes may differ."""
    again = _decode(_encode(found))
    return None if again == found else f"{found!r} became {again!r}"


def control() -> Target:
    """The payload of an entry that is no batch."""
    seats = tuple(Seat(number, f"tcp://h{number}:1", f"tcp://h{number}:2", number < 3) for number in (1, 2, 200))
    corpus = (
        encode_roster(Roster()),
        encode_roster(Roster(seats)),
        encode_version(ServiceVersion(1 << 63, 7, "Book", 2)),
        encode_override(Override(1 << 63, "shop:Book", 2, ("C1", "R2"), ("shop.py:3:5 C1 (time.time)", ""))),
    )
    return Target("control", corpus, _decode, (MalformedControl,), _wrong, tokens=_TOKENS)
