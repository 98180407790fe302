"""What an engine's workers have used of the processors: it says what a command costs, also while others want the cores."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import time

from psmr.execution.engine import Engine


class WorkersClock:
    """Starts an engine; from then on `now_ns` is the processor time of its workers together, waiting in a loop included."""

    def __init__(self, engine: Engine) -> None:
        others = {child.pid for child in multiprocessing.active_children()}
        engine.start()
        workers = {child.pid for child in multiprocessing.active_children()} - others
        self._clocks = [clock_of(worker) for worker in workers if worker is not None]

    def now_ns(self) -> int:
        """Nanoseconds since the workers began."""
        return sum(time.clock_gettime_ns(clock) for clock in self._clocks)


def clock_of(process: int) -> int:
    """The clock of a process's processor time, for `time.clock_gettime_ns`: to the moment, also of one that runs just now."""
    clock = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(process, ctypes.byref(clock))
    if error:
        raise OSError(error, f"process {process}: expected a clock of its processor time, found {os.strerror(error)}")
    return clock.value
