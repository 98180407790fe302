"""What commands cost, told from batches that hold different numbers of each."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from psmr.advice.chart import bars, line_chart
from psmr.advice.fitting import fitted

COSTS = np.array([50.0, 400.0, 90_000.0])


def batches(seed: int, count: int = 400) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    random = np.random.default_rng(seed)
    counts = random.poisson([60, 30, 0.1], (count, 3)) * random.integers(1, 8, (count, 1))
    return counts, counts @ COSTS + 200.0


def test_costs_are_found() -> None:
    counts, busy_ns = batches(1)
    assert fitted(counts, busy_ns)[:-1] == pytest.approx(COSTS, rel=0.01)


def test_batches_that_were_interrupted_tell_nothing() -> None:
    counts, busy_ns = batches(2)
    busy_ns[::20] += 4_000_000.0
    assert fitted(counts, busy_ns)[:-1] == pytest.approx(COSTS, rel=0.02)


def test_no_cost_is_negative_and_what_never_comes_costs_the_average() -> None:
    counts = np.array([[10, 0], [20, 0], [30, 0]])
    costs = fitted(counts, np.array([900.0, 2000.0, 3100.0]))
    assert costs.min() >= 0
    assert costs[1] == pytest.approx(100.0)


def test_a_chart_of_nothing_is_refused_and_text_is_escaped() -> None:
    with pytest.raises(ValueError, match="expected points to draw, found none"):
        line_chart("x", "y", {"a": []})
    chart = ElementTree.fromstring(line_chart("x", "y", {"a<b": [(1, 1), (64, 5.5)]}, log_x=True))
    assert "a<b" in "".join(chart.itertext())
    assert len(chart.findall("{*}circle")) == 2
    assert "<k>" in "".join(ElementTree.fromstring(bars([("<k>", 0.5, "50 %")])).itertext())
