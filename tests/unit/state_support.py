"""One worker's frame and some containers in a region of their own: what state needs, without an engine."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from cdep.groups import group_of
from psmr.state import frame as frames
from psmr.state import map_core
from psmr.state.access import STAGING_BYTES, Access
from psmr.state.field import Container, round_up
from psmr.state.frame import begin_command, undo
from psmr.state.map import Map
from psmr.state.region import PAGE_BYTES, Region

_U64 = (1 << 64) - 1


class State:
    """Containers bound for interpreted use; `begin`, `undo` and `content` are what a worker and a digest do."""

    def __init__(self, *containers: Container, undo_entries: int = 1 << 16, arena_bytes: int = 1 << 20) -> None:
        sizes = (container.size_bytes for container in containers)
        room = sum(round_up(size, PAGE_BYTES) for size in sizes) + 16 * undo_entries + arena_bytes + STAGING_BYTES
        self.region = Region(room + 16 * PAGE_BYTES)
        self.frame = self.region.take(PAGE_BYTES)
        arena = self.region.take(arena_bytes)
        words = {
            frames.UNDO_CAPACITY: undo_entries,
            frames.UNDO_BASE: self.region.take(16 * undo_entries),
            frames.ARENA_NEXT: arena,
            frames.ARENA_BASE: arena,
            frames.ARENA_END: arena + arena_bytes,
        }
        for offset, word in words.items():
            self.region.words[(self.frame + offset - self.region.address) >> 3] = word
        self._access = Access(self.region, self.frame, self.region.take(STAGING_BYTES))
        self._containers = containers
        self.addresses = [self.region.take(container.size_bytes) for container in containers]
        for container, address in zip(containers, self.addresses, strict=True):
            container.prepare(self.region, address)

    def bound(self) -> list[Any]:
        """The containers, as an interpreted handler has them."""
        return [c.bind(self._access, address) for c, address in zip(self._containers, self.addresses, strict=True)]

    def begin(self) -> None:
        """A new command."""
        begin_command(self.frame)

    def undo(self) -> None:
        """The command has failed."""
        undo(self.frame)

    def content(self, number: int = 0) -> bytes:
        """What the digest of a container sees."""
        return b"".join(bytes(p) for p in self._containers[number].content(self.region, self.addresses[number]))

    def partitions(self, number: int = 0) -> bytes:
        """All of a map that is ever read again: of each partition its words, its index of the present level, every entry."""
        address = self.addresses[number]
        entry_bytes, _, _, limit, partition_bytes, entries_offset = struct.unpack("<6q", self.region.at(address, 48))
        parts: list[bytes] = []
        for group in range(64):
            partition = address + map_core.HEADER_BYTES + group * partition_bytes
            slots = map_core.FIRST_SLOTS << self.region.word(partition + 24)
            index = partition + map_core.PARTITION_HEADER_BYTES + 8 * (slots - map_core.FIRST_SLOTS)
            parts.append(bytes(self.region.at(partition, 32)))
            parts.append(bytes(self.region.at(index, 8 * slots)))
            parts.append(bytes(self.region.at(partition + entries_offset, limit * entry_bytes)))
        return b"".join(parts)


def entries_of(container: Map[Any, Any]) -> dict[Any, Any]:
    """A map's keys and values by its cursor, as plain values."""
    return dict(_walk(container))


def _walk(container: Map[Any, Any]) -> Iterator[tuple[Any, Any]]:
    cursor = container.next(-1)
    while cursor >= 0:
        key, value = container.key_at(cursor), container.value_at(cursor)
        yield key if isinstance(key, bytes) else key.item(), value if isinstance(value, bytes) else value.item()
        cursor = container.next(cursor)


def numbers_of_group(group: int, count: int) -> list[int]:
    """The `count` lowest integer keys of a group: one of each aligned block of 64."""
    return [next(key for key in range(64 * block, 64 * block + 64) if group_of(key) == group) for block in range(count)]


def colliding_numbers(group: int, tag: int, count: int) -> list[int]:
    """Integer keys of a group whose hashes have the same high 32 bits: an index can tell them apart by comparing keys only."""
    found: list[int] = []
    low = 1
    while len(found) < count:
        key = _unmix((tag << 32) | low)
        if group_of(key) == group:
            found.append(key)
        low += 2
    return found


def colliding_words(tag: int, count: int) -> list[bytes]:
    """Keys of 8 bytes, of one group and with the same high 32 bits of the hash."""
    prime = 0x9E3779B97F4A7C15
    words: list[bytes] = []
    for low in range(1, 2 * count, 2):
        value = _unmix((tag << 32) | low)
        value = ((value ^ (value >> 32)) * pow(prime, -1, 1 << 64)) & _U64
        words.append((value ^ (8 * prime & _U64)).to_bytes(8, "little"))
    return words


def _unmix(value: int) -> int:
    """The number that splitmix64's finalizer takes to `value`."""
    value = _unshift(value, 31)
    value = _unshift((value * pow(0x94D049BB133111EB, -1, 1 << 64)) & _U64, 27)
    return _unshift((value * pow(0xBF58476D1CE4E5B9, -1, 1 << 64)) & _U64, 30)


def _unshift(value: int, bits: int) -> int:
    """The x of `x ^ (x >> bits)`."""
    x = value
    for _ in range(64 // bits + 1):
        x = value ^ (x >> bits)
    return x
