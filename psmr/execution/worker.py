"""A worker: the process that executes what its groups are sent. Forked before the replica has threads or sockets."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from typing import Any

import numpy as np

from psmr.execution import layout as at
from psmr.execution.interpreted import InterpretedMachine
from psmr.execution.memory import Memory
from psmr.execution.schedule import SLOT_DONE, finish
from psmr.state.frame import undo

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15

Run = Callable[[int, Any], None]


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, in whatever way."""
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def name_process(name: str) -> None:
    """The name that `top` and `ps` show; at most 15 bytes."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def work(parent: int, memory: Memory, worker: int, run: Run | None, machine: InterpretedMachine) -> None:
    """The worker's whole life: until the replica stops it, or dies."""
    die_with_parent(parent)
    name_process(f"psmr-worker-{worker}")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with np.errstate(over="ignore", divide="raise", invalid="ignore"):
        if run is None:
            _interpret(memory.frames[worker], memory, machine)
        else:
            _run_compiled(memory.frames[worker], memory, run, machine)


def _interpret(frame: int, memory: Memory, machine: InterpretedMachine) -> None:
    while machine.begin(frame):
        row = machine.seek(frame, memory.get(frame + at.FRAME_ROW))
        while row >= 0:
            machine.execute(row)
            row = machine.seek(frame, row + 1)
        if row != SLOT_DONE:
            return
        finish(frame)


def _run_compiled(frame: int, memory: Memory, run: Run, machine: InterpretedMachine) -> None:
    while True:
        try:
            run(frame, memory.bases)
        except Exception:  # noqa: BLE001 - a handler raised: its interpreted form finds out what, and replies
            row = memory.get(frame + at.FRAME_ROW)
            undo(frame)
            machine.again(row)
            memory.set(frame + at.FRAME_ROW, row + 1)
        else:
            return
