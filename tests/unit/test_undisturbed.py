"""What is measured many times on a machine that others use."""

from __future__ import annotations

import pytest

from psmr.advice.undisturbed import pieces, undisturbed


def test_what_others_do_to_less_than_three_quarters_does_not_show() -> None:
    calm = [100.0, 101.0, 99.0, 100.0, 100.0, 101.0, 99.0, 100.0]
    assert undisturbed([*calm, *[900.0] * 16]) == pytest.approx(100, rel=0.02)
    assert undisturbed([1.0, *calm]) == pytest.approx(100, rel=0.02)


def test_one_measurement_is_that_and_none_is_an_error() -> None:
    assert undisturbed([7.0]) == 7.0
    with pytest.raises(ValueError, match="expected measurements, found none"):
        undisturbed([])


def test_a_piece_is_the_time_of_its_batches_by_their_commands() -> None:
    assert pieces([10, 30, 50, 50, 7], [1, 3, 1, 1, 1], size=2) == [10.0, 50.0]
    assert pieces([10, 30], [1, 3], size=4) == [10.0]
    assert pieces([10, 5], [0, 0], size=1) == []
