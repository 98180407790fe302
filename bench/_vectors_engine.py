"""An engine without processes: its workers take turns in this one, run by whichever form is to be measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import xxhash

from cdep import StateMachine
from proxies.encoding import Encoded
from psmr.execution import layout as at
from psmr.execution.engine import Engine
from psmr.execution.generated import compiling, server_module
from psmr.state.synchronised import store

Form = Callable[[int], None]
"""Lets worker n execute what is published, until it would have to wait."""


class Turns:
    """Batches executed by `workers` one after another, as long as none of their commands needs several workers."""

    def __init__(self, owner: type[StateMachine], workers: int = 1) -> None:
        self.engine = Engine(owner, workers, spin=1, patience=0, choose=lambda synchronous, count: workers)
        self.memory = self.engine.memory
        self.module = server_module(owner)
        store(self.memory.control + at.STOPPING, 1)

    def compiled(self, run: Callable[[int, Any], None]) -> Form:
        """A compiled `run(frame, bases)` as a form, compiled if it was not."""
        form: Form = lambda worker: run(self.memory.frames[worker], self.memory.bases)  # noqa: E731
        with compiling(self.module):
            form(0)
        return form

    def execute(self, batches: Iterable[Encoded], form: Form) -> tuple[float, int]:
        """(processor time in ns of executing the batches, hash of all replies)."""
        digest = xxhash.xxh3_64()
        spent_ns = 0
        for batch in batches:
            stride = len(batch.records) // batch.count
            if not self.engine.offer(1, 1, stride, batch.count, batch.records, batch.blob, 0):
                raise AssertionError("vectors: expected room for a batch in an idle engine, found none")
            for worker in range(self.engine.workers):
                began_ns = time.thread_time_ns()
                form(worker)
                spent_ns += time.thread_time_ns() - began_ns
            for executed in self.engine.collect():
                digest.update(executed.reply)
        return spent_ns, digest.intdigest()

    def close(self) -> None:
        """Give the memory back."""
        self.engine.close()
