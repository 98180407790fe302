"""Running a function in a process of its own, so that it may fork, and be ended, whatever this process is doing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from psmr.cluster.interrupts import holding_interrupts
from psmr.errors import PsmrError
from psmr.execution.worker import die_with_parent

Result = TypeVar("Result")


def run_apart(function: Callable[[Any], Result], argument: Any) -> Result:
    """`function(argument)`, executed by a fresh process that ends with this call, however this call ends.

    What the engine raises there is raised here. Ctrl-C reaches only this process.
    """
    context = get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sending, os.getpid(), function, argument))
    try:
        _start(process)
        sending.close()
        answer = receiving.recv()
    except EOFError:
        process.join()
        raise RuntimeError(
            f"{function.__name__} in process {process.pid}: expected an answer, found exit code {process.exitcode}"
        ) from None
    finally:
        if process.pid is not None:
            process.kill()
            process.join()
        sending.close()
        receiving.close()
    if isinstance(answer, PsmrError):
        raise answer
    result: Result = answer
    return result


def _start(process: BaseProcess) -> None:
    """Start it deaf to Ctrl-C, and without Ctrl-C cutting the start short: half a start leaves a process that says so."""
    # Starting the tracker, which a process needs, would lift the mask again.
    resource_tracker.ensure_running()
    # Any thread may be sent the signal, so a mask does not spare this one; but the new process inherits it.
    with holding_interrupts():
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _answer(sending: Connection, parent: int, function: Callable[[Any], Any], argument: Any) -> None:
    die_with_parent(parent)
    try:
        sending.send(function(argument))
    except PsmrError as error:
        sending.send(error)
