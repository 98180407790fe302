"""What happened, in figures: pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from psmr.chaos.executor import Happening
from psmr.demo.traffic import longest_gap_ms


def unavailable_ms(
    happenings: Sequence[Happening], acknowledged_at_us: Sequence[int], ended_us: int
) -> tuple[float, ...]:
    """For each kill of a leader the longest time without an acknowledgement, up to the next fault at a replica."""
    beginnings = sorted(happening.begun_us for happening in happenings if happening.kind != "client")
    found = []
    for happening in happenings:
        if happening.kind == "kill" and happening.was_leader:
            until_us = min((at for at in beginnings if at > happening.begun_us), default=ended_us)
            found.append(round(longest_gap_ms(acknowledged_at_us, happening.begun_us, until_us), 1))
    return tuple(found)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest of the values that at least that share of them does not exceed; None of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def plain(happening: Happening, started_us: int) -> dict[str, Any]:
    """For JSON and pictures, in seconds from the beginning of the load."""
    return {
        "kind": happening.kind,
        "target": happening.target,
        "was_leader": happening.was_leader,
        "begun_s": round((happening.begun_us - started_us) / 1e6, 3),
        "healed_s": round((happening.healed_us - started_us) / 1e6, 3),
        "well_s": round((happening.well_us - started_us) / 1e6, 3),
        "note": happening.note,
    }
