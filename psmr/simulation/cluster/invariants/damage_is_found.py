"""Damage is found: no replica begins with bytes of its disk that are not those written. It uses others, or refuses to start."""

from __future__ import annotations

from psmr.simulation.invariants import InvariantViolated


def check_log(replica: int, is_found: bool | None) -> None:
    """A bit of a log was flipped, and its scan at a start has found that, or not; None where there was nothing to flip."""
    if is_found is False:
        raise InvariantViolated("damage is found", f"replica {replica} starts with a wrong bit in its log")


def check_snapshot(replica: int, path: str, *, is_aside: bool) -> None:
    """A bit of a snapshot was flipped, and the replica has started, or refused to: it has put it aside, or not."""
    if not is_aside:
        raise InvariantViolated("damage is found", f"replica {replica} starts with a wrong bit in {path}")
