"""An engine that goes on in the midst of its own capture: whenever the copying thread has done a step, more may be executed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from execution_support import NOW_US, Batch, encode

from cdep import StateMachine
from psmr.execution import capture as captures
from psmr.execution.capture import Capture, CaptureResult
from psmr.execution.engine import Engine
from psmr.state import array as arrays
from psmr.state import map as maps

SETTLE_S = 60.0
RING_BYTES = 1 << 20


@contextmanager
def started(owner: type[StateMachine], workers: int, **options: Any) -> Iterator[Engine]:
    engine = Engine(
        owner, workers, ring_bytes=RING_BYTES, spin=20, patience=0, choose=lambda synchronous, count: workers, **options
    )
    try:
        engine.start()
        yield engine
    finally:
        engine.close()


@dataclass
class Driver:
    """Gives an engine the batches of a log, in order, some of them at a time; all replies."""

    engine: Engine
    log: list[Batch]
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    replies: list[bytes] = field(default_factory=list)
    given: int = 0

    def step(self) -> None:
        """Perhaps offer a batch; perhaps wait for what is under way."""
        if self.chance.random() < 0.5:
            self.offer()
        if self.chance.random() < 0.3:
            self.settle()

    def offer(self) -> None:
        """Offer the next batch, if there is one and room for it."""
        if self.given < len(self.log):
            batch = self.log[self.given]
            records, blob = encode(self.engine.layout, batch)
            stride, now_us = self.engine.layout.stride, NOW_US + self.given
            if self.engine.offer(7, self.given + 1, stride, len(batch), records, blob, now_us):
                self.given += 1
        self.collect()

    def settle(self) -> None:
        """Wait for what is under way."""
        assert self.engine.settle(SETTLE_S)
        self.collect()

    def finish(self, last: int | None = None) -> list[bytes]:
        """Everything up to a batch, or to the last; the replies to all so far."""
        while self.given < (len(self.log) if last is None else last):
            self.offer()
        self.settle()
        return self.replies

    def collect(self) -> None:
        self.replies += [executed.reply for executed in self.engine.collect()]


@dataclass
class Body:
    """What a capture puts out."""

    content: bytearray = field(default_factory=bytearray)

    def put(self, offset: int, piece: memoryview) -> None:
        assert offset == len(self.content)
        self.content += piece


def capture(driver: Driver, patched: pytest.MonkeyPatch, *, section_bytes: int = 4096) -> tuple[Body, CaptureResult]:
    """Capture the engine while the driver goes on between any two steps of the copying."""
    for module in (arrays, maps, captures):
        patched.setattr(module, "SECTION_BYTES", section_bytes)
    look_at = Capture._look_at

    def stepping_look(self: Capture, worker: int, current: int) -> None:
        driver.step()
        look_at(self, worker, current)

    patched.setattr(Capture, "_look_at", stepping_look)
    body = Body()

    def put(offset: int, piece: memoryview) -> None:
        body.put(offset, piece)
        driver.step()

    under_way = driver.engine.capture()
    driver.step()
    result = under_way.write(put)
    driver.engine.end_capture()
    assert result.body_bytes == len(body.content)
    return body, result
