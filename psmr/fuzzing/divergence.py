"""Digests that replicas tell each other, into the core that compares them: whatever is said, its view can be true."""

from __future__ import annotations

from psmr.core.divergence import PATIENCE_US, Divergence, Progress, Received, Voters
from psmr.core.divergence_messages import DigestsAsked, DigestsGiven, DigestTold
from psmr.core.rolling import FORM, Rolling
from psmr.errors import PsmrError
from psmr.fuzzing.target import Target, pack_frames, unpack_frames
from psmr.transport.peers import decode_message, encode_message

_CLUSTER_ID = 0x1122334455667788
_PEERS = (1, 2)
_ME = 3
_THROUGH = 200
_MESSAGES = (
    DigestTold(FORM, 0, 150, 1),
    DigestTold(FORM, 0, 250, (1 << 64) - 1),
    DigestTold(FORM, 90, 150, 1 << 63),
    DigestsAsked((1, 100, 200, 300)),
    DigestsGiven(FORM, 0, 0, (150, 100, 50), (1, 2, None)),
)


class Unheard(PsmrError):
    """What is no message about digests."""


def _take(data: bytes) -> Divergence:
    message = decode_message(unpack_frames(data), _CLUSTER_ID, _PEERS)
    if message is None or not isinstance(message.message, DigestTold | DigestsAsked | DigestsGiven):
        raise Unheard
    rolling = Rolling()
    for index in range(1, _THROUGH + 1):
        rolling.take(index, index, 1)
    rolling.complete(_THROUGH)
    core = Divergence(_ME, rolling)
    core.handle(Voters(frozenset({*_PEERS, _ME}), frozenset({*_PEERS, _ME})))
    for turn in range(1, 4):
        core.handle(Received(message.sender, message.message))
        core.handle(Progress(turn * 2 * PATIENCE_US))
    return core


def _wrong(data: bytes, core: Divergence) -> str | None:
    """One peer's word must not stop a replica of three."""
    try:
        core.validate()
    except AssertionError as error:
        return str(error)
    return None if core.parted is None else f"one of three voters has it stop: {core.parted}"


def told() -> Target:
    """Frames with digests."""
    corpus = tuple(
        pack_frames(encode_message(_CLUSTER_ID, sender, message)) for message in _MESSAGES for sender in _PEERS
    )
    return Target("divergence", corpus, _take, (Unheard,), _wrong)
