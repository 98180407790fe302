"""What is in a snapshot's file: the sessions, then the state; and, in its head, what the log and the events need to begin there.

The head's fingerprint is that of the service which executes what follows. Where a version takes over the state is still as
the one before it left it; so a state is restored field by field, by name, whoever left it.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from psmr.core.override import Overridden
from psmr.core.rolling import Mark, Rolling
from psmr.core.sessions import Sessions
from psmr.core.sessions_record import decode_sessions
from psmr.errors import ConfigurationError, LogDamaged
from psmr.execution.capture import CaptureResult
from psmr.execution.engine import Engine
from psmr.execution.restoring import FieldContent
from psmr.log.port import Base
from psmr.storage import SnapshotFile, SnapshotHead


class _Meta(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    about: bytes
    sessions_bytes: int
    digest: int
    fields: tuple[FieldContent, ...]
    events: int = 0
    overrides: tuple[Overridden, ...] = ()
    rolling: Mark | None = None


class About(NamedTuple):
    """Of a snapshot what is neither sessions nor state: where it is, which service executes what follows, how many events were
    emitted up to there, what was started though its handlers may make replicas differ, and what commands did, to go on from."""

    base: Base
    fingerprint: int
    events: int
    overrides: tuple[Overridden, ...] = ()
    rolling: Mark | None = None


class Restored(NamedTuple):
    """What a replica begins with, besides the state: where the log goes on, and what delivery made of it up to there."""

    base: Base
    sessions: Sessions
    events: int = 0
    overrides: tuple[Overridden, ...] = ()


_DECODER = msgspec.msgpack.Decoder(_Meta)


def head_of(about: About, sessions_bytes: int, state: CaptureResult) -> SnapshotHead:
    """The head of a snapshot: its body is that many bytes of sessions, and the state behind them."""
    base = about.base
    content = _Meta(
        base.about, sessions_bytes, state.digest, state.fields, about.events, about.overrides, about.rolling
    )
    meta = msgspec.msgpack.encode(content)
    return SnapshotHead(base.index, base.term, base.time_us, about.fingerprint, meta, sessions_bytes + state.body_bytes)


def restore(snapshot: SnapshotFile, engine: Engine, *, of: int | None = None) -> Restored:
    """Fill the engine, which has not started; what else there was at the snapshot.

    `of`: the fingerprint of the service that is to execute what follows; by default the engine's. Raises LogDamaged,
    ConfigurationError when that is another one, or the engine's service cannot hold what is in it.
    """
    head, service = snapshot.head, engine.service
    if head.fingerprint != (service.fingerprint if of is None else of):
        raise ConfigurationError(
            f"{snapshot.path}: expected the source of service {head.fingerprint:#018x}, which executes what follows log index "
            f"{head.index}, found {service.name} version {service.version} ({service.fingerprint:#018x}): "
            "install that source and start this replica again"
        )
    meta = _meta_of(snapshot)
    with snapshot.body() as body:
        sessions = decode_sessions(body[: meta.sessions_bytes])
        engine.restore(body[meta.sessions_bytes :], meta.digest, meta.fields)
    base = Base(head.index, head.term, head.time_us, meta.about)
    return Restored(base, sessions, meta.events, meta.overrides)


def rolling_of(snapshot: SnapshotFile) -> Rolling:
    """The rolling digests that go on behind it; where it has none they begin there. Raises LogDamaged."""
    return Rolling(snapshot.head.index, _meta_of(snapshot).rolling)


def digest_of(snapshot: SnapshotFile) -> int:
    """The digest of the state that is in it. Raises LogDamaged."""
    return _meta_of(snapshot).digest


def _meta_of(snapshot: SnapshotFile) -> _Meta:
    try:
        return _DECODER.decode(snapshot.head.meta)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise LogDamaged(f"{snapshot.path}: expected the head of a replica's snapshot: {error}") from error
