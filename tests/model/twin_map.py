"""A map as plain Python over a `bytearray`, from the engine's own source."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from twin import Fault, Twin

from psmr.state import frame as real_frame
from psmr.state.map import Map

MODULES = {"cdep.hashing", "psmr.state.frame", "psmr.state.map_core"}
_UNDO_ENTRIES = 1 << 14
_UNDO = 4096
_MAP = _UNDO + 16 * _UNDO_ENTRIES
LOADS_MAX = 300_000
_U64 = (1 << 64) - 1


class Endless(Exception):
    """A search that finds no end."""


class TwinMap:
    """Integer keys to integer values. Raises struct.error where compiled code would leave its memory, and Endless."""

    def __init__(self, declared: Map[Any, Any], *faults: Fault) -> None:
        self._memory = bytearray(_MAP + declared.size_bytes)
        self._loads = 0
        words = self._words()
        reads = {name: words[name] for name in ("load_u8", "load_u64")}
        twin = Twin(MODULES, {"psmr.state.words": words, "cdep.compiled": reads}, faults)
        self._frames = twin.module("psmr.state.frame")
        self._core = twin.module("psmr.state.map_core")
        words["store_i64"](real_frame.UNDO_CAPACITY, _UNDO_ENTRIES)
        words["store_i64"](real_frame.UNDO_BASE, _UNDO)
        declared.prepare(self, _MAP)

    def at(self, address: int, length: int) -> memoryview:
        """As a region's."""
        return memoryview(self._memory)[address : address + length]

    def begin(self) -> None:
        self._loads = 0
        self._frames.begin_command(0)

    def undo(self) -> None:
        self._frames.undo(0)

    def put(self, key: int, value: int) -> None:
        """Raises the twin's own CapacityExceeded."""
        entry = self._core.insert_u64(_MAP, 0, np.uint64(key))
        self._frames.write_word(0, self._core.value_address(_MAP, entry), value)

    def get(self, key: int) -> int | None:
        entry = self._core.find_u64(_MAP, np.uint64(key))
        return None if entry == 0 else self._load("<q", self._core.value_address(_MAP, entry))

    def remove(self, key: int) -> bool:
        return bool(self._core.remove_u64(_MAP, 0, np.uint64(key)))

    def clear(self) -> None:
        self._core.clear(_MAP, 0)

    @property
    def full(self) -> type[Exception]:
        """What `put` raises when the key's group is full."""
        kind: type[Exception] = self._core.CapacityExceeded
        return kind

    def content(self) -> dict[int, int]:
        """Keys and values by the cursor."""
        found: dict[int, int] = {}
        cursor = self._core.next_entry(_MAP, -1)
        while cursor >= 0:
            entry = self._core.entry_at(_MAP, cursor)
            found[self._load("<Q", entry + 8)] = self._load("<q", self._core.value_address(_MAP, entry))
            cursor = self._core.next_entry(_MAP, cursor)
        return found

    def partition(self, group: int) -> bytes:
        """All of a partition that is ever read again: its words, the index of its present level, every entry."""
        entry_bytes, _, _, limit, partition_bytes, entries_offset = struct.unpack_from("<6q", self._memory, _MAP)
        place = _MAP + 128 + group * partition_bytes
        slots = 16 << self._load("<q", place + 24)
        index = place + 128 + 8 * (slots - 16)
        parts = (self.at(place, 32), self.at(index, 8 * slots), self.at(place + entries_offset, limit * entry_bytes))
        return b"".join(parts)

    def validate(self, group: int) -> None:
        """Every entry that was ever used is a key's or waits for one."""
        entry_bytes, _, _, limit, partition_bytes, entries_offset = struct.unpack_from("<6q", self._memory, _MAP)
        place = _MAP + 128 + group * partition_bytes
        live, used, free, _ = struct.unpack_from("<4q", self._memory, place)
        waiting = set()
        while free != 0:
            assert free not in waiting, "the free entries form a circle"
            waiting.add(free)
            free = self._load("<q", place + entries_offset + (free - 1) * entry_bytes + 8)
        assert live + len(waiting) == used <= limit

    def _load(self, code: str, address: int) -> int:
        self._loads += 1
        if self._loads > LOADS_MAX:
            raise Endless(f"{LOADS_MAX} words read by one command")
        return int(struct.unpack_from(code, self._memory, address)[0])

    def _words(self) -> dict[str, Any]:
        def store_i64(address: int, value: Any) -> None:
            struct.pack_into("<Q", self._memory, address, int(value) & _U64)

        def copy_bytes(target: int, source: int, length: int) -> None:
            self.at(target, length)[:] = bytes(self.at(source, length))

        def clear_bytes(target: int, length: int) -> None:
            self.at(target, length)[:] = bytes(length)

        return {
            "load_i64": lambda address: self._load("<q", address),
            "load_u64": lambda address: np.uint64(self._load("<Q", address)),
            "load_u8": lambda address: self._memory[address],
            "store_i64": store_i64,
            "store_u64": store_i64,
            "copy_bytes": copy_bytes,
            "clear_bytes": clear_bytes,
        }
