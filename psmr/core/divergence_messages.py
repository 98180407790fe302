"""What replicas say to each other to find out whether they have parted (`psmr.core.divergence`).

Tags go on from those of `psmr.transport.peers`.
"""

from __future__ import annotations

import msgspec


class DigestTold(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=37):
    """The sender's rolling digest at entry `index`, of a sum that began behind entry `origin`."""

    form: int
    origin: int
    index: int
    total: int


class DigestsAsked(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=38):
    """What are your rolling digests there?"""

    indexes: tuple[int, ...]


class DigestsGiven(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=39):
    """Those at the indexes asked for; None where it is not kept, below `oldest`, or not reached."""

    form: int
    origin: int
    oldest: int
    indexes: tuple[int, ...]
    totals: tuple[int | None, ...]


class RowsAsked(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=40):
    """What are your command digests of this entry?"""

    index: int


class RowsGiven(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=41):
    """They travel as the one payload, 8 bytes each, little endian; without one they are not kept any more."""

    index: int


class StepAsked(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=42):
    """What does a replay of your folder say that this command did?"""

    index: int
    row: int


class StepGiven(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=43):
    """What `psmr replay --json` printed travels as the one payload."""

    index: int
    row: int


class DivergenceFound(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=44):
    """The sender stops; what it knows of why travels as the one payload, in JSON."""

    index: int


DivergenceMessage = (
    DigestTold | DigestsAsked | DigestsGiven | RowsAsked | RowsGiven | StepAsked | StepGiven | DivergenceFound
)
DIVERGENCE_MESSAGES = (
    DigestTold,
    DigestsAsked,
    DigestsGiven,
    RowsAsked,
    RowsGiven,
    StepAsked,
    StepGiven,
    DivergenceFound,
)
