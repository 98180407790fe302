"""The simplest `OrderedLog`: one process, nothing kept. For tests, and for measuring what is above the log."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from psmr.log.port import Entry, LogStatus

_LATER_US = 1_000_000


class MemoryLog:
    """Orders payloads as they come; `clock_us` stamps them."""

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us
        self._entries: list[Entry] = []
        self._confirmed: list[tuple[int, int | None]] = []

    @property
    def committed(self) -> int:
        return len(self._entries)

    def append(self, payload: bytes) -> None:
        self._entries.append(Entry(len(self._entries) + 1, self._clock_us(), memoryview(payload)))

    def confirm(self, token: int) -> None:
        self._confirmed.append((token, len(self._entries)))

    def take_confirmed(self) -> list[tuple[int, int | None]]:
        confirmed, self._confirmed = self._confirmed, []
        return confirmed

    def read(self, first: int, max_bytes: int) -> Sequence[Entry]:
        found: list[Entry] = []
        size_bytes = 0
        for entry in self._entries[first - 1 :]:
            if found and size_bytes + len(entry.payload) > max_bytes:
                break
            size_bytes += len(entry.payload)
            found.append(entry)
        return found

    def sources(self) -> Sequence[Any]:
        return ()

    def step(self, now_us: int, ready: Container[Any] | None = None) -> int:
        return now_us + _LATER_US

    def status(self) -> LogStatus:
        return LogStatus("alone", 0, None, len(self._entries), len(self._entries))

    def close(self) -> None:
        self._entries.clear()
