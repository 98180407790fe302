"""Several runs of one thing: the median, and how far they were apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """Figures of several runs."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure to quote."""
        return median(self.runs)

    def text(self, unit: str) -> str:
        """`1,234,567 commands/s (1,200,000 … 1,300,000)`."""
        return f"{self.median:,.0f} {unit} ({min(self.runs):,.0f} … {max(self.runs):,.0f})"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
