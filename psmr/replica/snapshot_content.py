"""What is in a snapshot's file: the sessions, then the state; and, in its head, what the log needs to begin there."""

from __future__ import annotations

import msgspec

from psmr.core.sessions import Sessions
from psmr.core.sessions_record import decode_sessions
from psmr.errors import ConfigurationError, LogDamaged
from psmr.execution.engine import Engine
from psmr.log.port import Base
from psmr.storage import SnapshotFile, SnapshotHead


class _Meta(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    about: bytes
    sessions_bytes: int
    digest: int


_DECODER = msgspec.msgpack.Decoder(_Meta)


def head_of(base: Base, fingerprint: int, sessions_bytes: int, state_bytes: int, digest: int) -> SnapshotHead:
    """The head of a snapshot at `base`: its body is that many bytes of sessions, and the state of that digest behind them."""
    meta = msgspec.msgpack.encode(_Meta(base.about, sessions_bytes, digest))
    return SnapshotHead(base.index, base.term, base.time_us, fingerprint, meta, sessions_bytes + state_bytes)


def restore(snapshot: SnapshotFile, engine: Engine) -> tuple[Base, Sessions]:
    """Fill the engine, which has not started, and give where the log goes on and the sessions as they were.

    Raises LogDamaged, ConfigurationError when it is of another service.
    """
    head = snapshot.head
    if head.fingerprint != engine.service.fingerprint:
        raise ConfigurationError(
            f"{snapshot.path}: expected a snapshot of service {engine.service.fingerprint:#018x}, found one of "
            f"{head.fingerprint:#018x}: run the source that wrote it"
        )
    try:
        meta = _DECODER.decode(head.meta)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise LogDamaged(f"{snapshot.path}: expected the head of a replica's snapshot: {error}") from error
    with snapshot.body() as body:
        sessions = decode_sessions(body[: meta.sessions_bytes])
        engine.restore(body[meta.sessions_bytes :], meta.digest)
    return Base(head.index, head.term, head.time_us, meta.about), sessions
