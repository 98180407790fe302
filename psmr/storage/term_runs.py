"""Terms of a log's records as runs (first index, term), oldest first: what both opening and using a log ask of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

Runs = Sequence[tuple[int, int]]


def term_of(runs: Runs, index: int) -> int:
    """The term of the record at `index`, which is not below the first run nor behind the log's end."""
    return runs[bisect_right(runs, index, key=lambda run: run[0]) - 1][1]


def runs_above(runs: Runs, index: int, last_index: int) -> list[tuple[int, int]]:
    """The runs of a log that begins behind `index` and ends at `last_index`."""
    kept = [run for run in runs if run[0] > index]
    if index < last_index and (not kept or kept[0][0] > index + 1):
        kept.insert(0, (index + 1, term_of(runs, index + 1)))
    return kept
