"""What a command takes several workers, from what each batch took: by pieces. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from psmr.advice.running import Ran
from psmr.advice.undisturbed import pieces


def pace_of(ran: Ran, counts: Sequence[float]) -> list[float]:
    """Nanoseconds a command, of each piece of a run whose batches had so many commands.

    Who comes late passes in no time what has none of its rows: a piece takes at least what its busiest worker does.
    """
    busy_ns = zip(*ran.busy_ns, strict=True)
    bounds = [pieces(ran.took_ns, counts), *(pieces(busy, counts) for busy in busy_ns)]
    return [max(found) for found in zip(*bounds, strict=True)]
