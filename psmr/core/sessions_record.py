"""The sessions as bytes, for a snapshot: what exactly-once needs to go on from a log position."""

from __future__ import annotations

import msgspec

from psmr.core.sessions import Remembered, Sessions
from psmr.errors import LogDamaged, Violation

_ENCODER = msgspec.msgpack.Encoder()


class _Session(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    id: int
    last: int
    answered: int
    replies: list[bytes]


class _Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    newest: int
    sessions: list[_Session]


_DECODER = msgspec.msgpack.Decoder(_Record)


def encode_sessions(newest: int, remembered: list[Remembered]) -> bytes:
    """The bytes of what `Sessions.remembered` gave, at any time later."""
    sessions = [_Session(each.id, each.last, each.answered, list(each.replies)) for each in remembered]
    return _ENCODER.encode(_Record(newest, sessions))


def decode_sessions(data: bytes | memoryview) -> Sessions:
    """Sessions equal to those that were encoded. Raises LogDamaged."""
    try:
        record = _DECODER.decode(data)
        sessions = Sessions()
        sessions.restore(
            record.newest, [Remembered(s.id, s.last, s.answered, tuple(s.replies)) for s in record.sessions]
        )
        sessions.validate()
    except (msgspec.MsgspecError, RecursionError, Violation) as error:
        raise LogDamaged(f"expected the sessions of a snapshot, found: {error}") from error
    return sessions
