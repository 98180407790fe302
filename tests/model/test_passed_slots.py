"""A worker that has only passed slots has all the room again that collected replies gave back."""

from __future__ import annotations

from itertools import chain, repeat

import numpy as np

from cdep import service_of
from proxies.layout import layout_of
from psmr.advice.batches import Commands
from psmr.advice.probe import Probe
from psmr.advice.running import Runner
from psmr.execution.layout import REPLY_RING_SOFT_BYTES

ROWS = 20_000
FULL = REPLY_RING_SOFT_BYTES // (4 * ROWS) + 4
"""Batches whose replies go beyond where the ring begins again: of each row at least its number."""


def test_slots_passed_while_nothing_is_out_leave_the_ring_empty() -> None:
    layout = layout_of(service_of(Probe))
    records = np.zeros(ROWS, layout.commands[0].dtype(layout.stride))
    records["cell"] = np.arange(ROWS) % 1000
    batch = Commands(records.tobytes(), ROWS, b"")
    ways = chain(repeat(2, FULL), [1], repeat(2, 2 * FULL))
    runner = Runner(Probe, 2, spin=20, patience=0, choose=lambda synchronous, count: next(ways))
    try:
        runner.start()
        runner.run([batch] * FULL)
        runner.prepare([batch] * (1 + 2 * FULL))
        runner.engine.publish()
        assert runner.engine.settle(20.0), "workers wait for replies to be collected while there is room for more"
        assert len(runner.collect(lambda executed: None)) == 1 + 2 * FULL
    finally:
        runner.close()
