"""The state is captured while early stages run ahead of main stages: what is captured is the state at one position of the log."""

from __future__ import annotations

import random

import pytest
from captured import RING_BYTES, Driver, capture, started
from staged_calls import draw_log
from staged_service import Orders

from psmr.execution.engine import Engine

COMMANDS = ("order", "deposit", "give_up", "credit")
DEPOSITS = (3, 13, 40)
FIRST = 6


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))])
def test_a_capture_among_stages_is_the_state_at_its_position(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    log = draw_log(random.Random(seed), COMMANDS, 900, DEPOSITS)
    with started(Orders, 1) as one:
        driver = Driver(one, log)
        driver.finish(FIRST)
        at_first = one.digest()
        replies, at_last = driver.finish(), one.digest()
    with started(Orders, 2) as two:
        driver = Driver(two, log, random.Random(seed))
        driver.finish(FIRST)
        with monkeypatch.context() as patches:
            body, result = capture(driver, patches)
        assert driver.given > FIRST, "nothing was executed during the capture"
        assert result.digest == at_first
        assert (driver.finish(), two.digest()) == (replies, at_last)
    restored = Engine(Orders, 3, ring_bytes=RING_BYTES, spin=20, patience=0, choose=lambda synchronous, count: 3)
    try:
        restored.restore(memoryview(body.content), at_first)
        restored.start()
        assert (Driver(restored, log, given=FIRST).finish(), restored.digest()) == (replies[FIRST:], at_last)
    finally:
        restored.close()
