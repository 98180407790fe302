"""When a replica stops starting again: a command that kills its worker is found out, a long life is not punished."""

from __future__ import annotations

import pytest

from psmr.replica.replica import WorkerDied
from psmr.replica.serve import SHORT_LIFE_S, deaths_in_a_row

PLACE = "worker 1 ended (signal 9) at row 0 of batch 2 of session 65536"
ELSEWHERE = "worker 1 ended (signal 9) at row 3 of batch 9 of session 65536"


@pytest.mark.parametrize(
    ("before", "place", "is_idle", "lived_s", "deaths"),
    [
        ("", PLACE, False, 1e6, 1),
        (f"1 {PLACE}", PLACE, False, 1.0, 2),
        (f"4 {PLACE}", PLACE, False, 1e6, 5),
        (f"4 {PLACE}", ELSEWHERE, False, 1e6, 1),
        (f"4 {PLACE}", ELSEWHERE, False, SHORT_LIFE_S - 1, 5),
        (f"4 {PLACE}", PLACE, True, 1e6, 1),
        (f"4 {PLACE}", PLACE, True, 0.5, 5),
    ],
)
def test_deaths_in_a_row(before: str, place: str, is_idle: bool, lived_s: float, deaths: int) -> None:
    assert deaths_in_a_row(before, WorkerDied(place, is_idle=is_idle), lived_s) == deaths
