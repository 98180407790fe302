"""Whose early stage waits: counted, as two workers execute the workload, not timed.

A reservation that finds too little credit waits until everything before it is complete, and then is decided as a whole. How many
do is a matter of the state, which the log changes as it goes on: so every part of a workload is executed, in order, and rows are
told one by one. The engine would soon leave such a batch to one worker, and the rest would never be asked: here it never does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cdep import StateMachine, service_of
from cdep.staged_model import has_early
from psmr.advice.batches import Commands, program_of
from psmr.advice.running import Runner, parts_of
from psmr.execution import layout as at
from psmr.execution.waits import Waits

_WORKERS = 2
_AT_ONCE = 8
"""Batches between two looks: there is room for the waits of as many, were it every command that waits."""


class StageWaits:
    """An engine of two workers for a service with early stages; parts of the workload must be given in order, each once."""

    def __init__(self, owner: type[StateMachine], preload: Sequence[Commands]) -> None:
        self._service = service_of(owner)
        self._runner = Runner(owner, _WORKERS, choose=lambda synchronous, count: _WORKERS)
        self._waits = Waits(self._runner.engine.memory)
        for frame in self._runner.engine.memory.frames:
            self._runner.engine.memory.set(frame + at.FRAME_ROUND_ROWS, 0)
        self._runner.start()
        self._runner.run(preload)
        self._waits.take()

    def of(self, batches: Sequence[Commands]) -> NDArray[np.bool_]:
        """Execute the next part; which of its commands were decided as a whole because their early stage waited."""
        program = program_of(self._service, batches)
        decided = np.zeros(program.count, np.bool_)
        done = 0
        for part in parts_of(batches, _AT_ONCE):
            begins = self._runner.next_slot
            self._runner.run(part)
            for found in self._waits.take():
                slots, rows, _ = found.at_rows.T
                decided[program.batches[done + slots - begins] + rows] = True
            done += len(part)
        decided &= has_early(program)
        return decided

    def close(self) -> None:
        """End the workers."""
        self._runner.close()
