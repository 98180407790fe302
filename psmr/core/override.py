"""A service that runs although its handlers may make replicas differ: what an entry of the log says of it, once a fingerprint."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from psmr.core.batch import Buffer
from psmr.core.control import Kind, decode_control, encode_control

NAME_MAX = 256
CODES_MAX = 32
LINES_MAX = 5
LINE_MAX = 240
REMEMBERED_MAX = 16
"""Of so many fingerprints, the newest, a replica remembers the entries."""
_U64 = Annotated[int, msgspec.Meta(ge=0)]
_Code = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]
_Line = Annotated[str, msgspec.Meta(max_length=LINE_MAX)]


class Override(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Somebody has started the service with this fingerprint all the same.

    `findings`: how many places the check found, 0 where it could not be looked at; `codes`: of which kinds; `lines`: the first of
    them, as the refusal would have said them, cut to what fits.
    """

    fingerprint: _U64
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MAX)]
    findings: _U64
    codes: Annotated[tuple[_Code, ...], msgspec.Meta(max_length=CODES_MAX)]
    lines: Annotated[tuple[_Line, ...], msgspec.Meta(max_length=LINES_MAX)]


class Overridden(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An override as it stands in the log: where, and when it was ordered, in microseconds since 1970."""

    index: _U64
    time_us: int
    override: Override

    def document(self) -> dict[str, Any]:
        """For people and programs: plain numbers, texts and lists."""
        override = self.override
        return {
            "index": self.index,
            "time_us": self.time_us,
            "service": override.name,
            "fingerprint": f"{override.fingerprint:#018x}",
            "findings": override.findings,
            "codes": list(override.codes),
            "lines": list(override.lines),
        }


_DECODER = msgspec.msgpack.Decoder(Override)


def encode_override(override: Override) -> bytes:
    """The payload of an entry that records it."""
    return encode_control(Kind.OVERRIDE, override)


def decode_override(payload: Buffer) -> Override:
    """The override that a payload is. Raises `MalformedControl`."""
    return decode_control(payload, Kind.OVERRIDE, _DECODER)


def remembered(known: tuple[Overridden, ...], found: Overridden) -> tuple[Overridden, ...]:
    """What is known with another one: the first of each fingerprint stays, of so many fingerprints as are remembered."""
    if any(each.override.fingerprint == found.override.fingerprint for each in known):
        return known
    return (*known, found)[-REMEMBERED_MAX:]
