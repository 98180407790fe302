"""The simplest `OrderedLog`: one process, nothing kept. For tests, and for measuring what is above the log."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from psmr.core.changes import Action
from psmr.core.divergence_messages import DivergenceMessage
from psmr.core.override import Override, encode_override
from psmr.core.roster import Seat
from psmr.core.service_version import ServiceVersion, encode_version
from psmr.errors import Refused
from psmr.log.port import Base, Entry, LogStatus, News, Said

_LATER_US = 1_000_000


class MemoryLog:
    """Orders payloads as they come; `clock_us` stamps them."""

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us
        self._entries: list[Entry] = []
        self._newest_version = 0
        self._overrides: set[int] = set()
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

    def base_at(self, index: int) -> Base:
        return Base(index, 0, self._entries[index - 1].time_us, b"")

    def compact(self, index: int) -> None:
        """It keeps everything."""

    def change_members(self, action: Action, seat: Seat) -> None:
        raise Refused("this log has no members but itself")

    def take_over(self, version: ServiceVersion) -> None:
        self.append(encode_version(version))
        self._newest_version = len(self._entries)

    def record(self, override: Override) -> None:
        if override.fingerprint not in self._overrides:
            self._overrides.add(override.fingerprint)
            self.append(encode_override(override))

    def take_news(self) -> News | None:
        return None

    def say(self, member: int, message: DivergenceMessage, payloads: Sequence[bytes] = ()) -> bool:
        return False

    def take_said(self) -> list[Said]:
        return []

    def sources(self) -> Sequence[Any]:
        return ()

    def step(self, now_us: int, ready: Container[Any] | None = None) -> int:
        return now_us + _LATER_US

    @property
    def leader(self) -> int | None:
        return None

    def status(self) -> LogStatus:
        return LogStatus("alone", 0, None, len(self._entries), len(self._entries), newest_version=self._newest_version)

    def close(self) -> None:
        self._entries.clear()
