"""Columns of calls from one client, `window` of them unanswered, for as long as somebody wants; and when each was answered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from threading import Event, Thread
from typing import Any

import numpy as np

from apps.kv import IntegerKV
from psmr.client.connecting import connect_blocking
from psmr.client.untyped import AnyBlockingClient
from psmr.errors import PsmrError

PATIENCE_S = 120.0
"""Of a client: the machine may have other things to do, and a member may be on its way back."""
FILL_COLUMN = 16_384
FILL_WINDOW = 8

Send = Callable[[], Any]
"""Submits one column, and returns its pending replies."""


@dataclass(slots=True)
class Stream:
    """`answered`: time (`time.perf_counter`) and rows of each column, as it was answered and found free of errors."""

    rows: int
    window: int
    answered: list[tuple[float, int]] = field(default_factory=list)

    def run(self, sends: Iterator[Send], goes_on: Callable[[], bool]) -> None:
        """Send until `goes_on`, asked before each column, says no; returns when all are answered."""
        flying: deque[Any] = deque()
        while goes_on():
            if len(flying) == self.window:
                self._take(flying.popleft())
            flying.append(next(sends)())
        while flying:
            self._take(flying.popleft())

    def _take(self, pending: Any) -> None:
        pending.result().check()
        self.answered.append((time.perf_counter(), self.rows))

    def rate(self, began_s: float, ended_s: float) -> float:
        """Rows answered a second between two times."""
        return sum(rows for at, rows in self.answered if began_s < at <= ended_s) / (ended_s - began_s)

    def longest_gap_s(self, began_s: float, ended_s: float) -> float:
        """The longest time without an answer between two times."""
        times = [began_s, *(at for at, _ in self.answered if began_s < at < ended_s), ended_s]
        return max(late - early for early, late in pairwise(times))


class Background:
    """A stream of a thread of its own, from entering to leaving; `stream` is whole after that.

    Leaving raises what the engine told the thread.
    """

    def __init__(self, client: AnyBlockingClient, keys: int, rows: int = 1024, window: int = 8) -> None:
        self.stream = Stream(rows, window)
        self._sends = puts(client, keys, rows)
        self._stop = Event()
        self._errors: list[PsmrError] = []
        self._thread = Thread(target=self._run, name="stream", daemon=True)

    def __enter__(self) -> Background:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._errors and error is None:
            raise self._errors[0]

    def _run(self) -> None:
        try:
            self.stream.run(self._sends, lambda: not self._stop.is_set())
        except PsmrError as error:
            self._errors.append(error)


def connect(addresses: Sequence[str], window: int) -> AnyBlockingClient:
    """A patient client of the integer store."""
    return connect_blocking(
        IntegerKV, addresses, window=window, timeout_s=PATIENCE_S, connect_timeout_s=PATIENCE_S, prefer_leader=True
    )


def fill(client: AnyBlockingClient, keys: int) -> None:
    """Put every key from 0 to before `keys`, with three times itself."""
    stream = Stream(FILL_COLUMN, FILL_WINDOW)
    starts = iter(range(0, keys, FILL_COLUMN))
    left = -(-keys // FILL_COLUMN)

    def goes_on() -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    def sends() -> Iterator[Send]:
        for start in starts:
            numbers = np.arange(start, min(start + FILL_COLUMN, keys), dtype=np.uint64)
            yield partial(client.put.submit, numbers, numbers * np.uint64(3))

    stream.run(sends(), goes_on)


def puts(client: AnyBlockingClient, keys: int, rows: int) -> Iterator[Send]:
    """Columns of puts on random keys, without end; the keys were drawn before."""
    random = np.random.default_rng(2)
    drawn = random.integers(0, keys, (256, rows), dtype=np.uint64)
    number = 0
    while True:
        number += 1
        column, value = drawn[number % len(drawn)], np.uint64(number)
        yield partial(client.put.submit, column, column + value)
