"""`Map`: a hash map in shared memory, ordered by group."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Generic, Self, TypeVar, overload

import numpy as np

from cdep.compiled import compiled
from cdep.hashing import GROUPS
from cdep.types import Max, Size, ValueType
from psmr.state import map_core
from psmr.state.access import Access, key_bits, seen_as
from psmr.state.field import SECTION_BYTES, Body, Container, Restored, Section, checked_capacity, declared, round_up
from psmr.state.kinds import stored_bytes
from psmr.state.mistaken import NotADictionary
from psmr.state.region import PAGE_BYTES, Region

K = TypeVar("K")
V = TypeVar("V")


_STATED = struct.Struct("<3q")
"""What of a partition's header is content: live, used, free. Its index is not: it follows from the entries."""
_STATED_WORDS = 3
_STATED_BYTES = _STATED.size


@compiled
def _find(base: int, key: np.uint64) -> int:
    entry = map_core.find_u64(base, key)
    return 0 if entry == 0 else map_core.value_address(base, entry)


@compiled
def _find_bytes(base: int, address: int, length: int) -> int:
    entry = map_core.find_bytes(base, address, length)
    return 0 if entry == 0 else map_core.value_address(base, entry)


@compiled
def _insert(base: int, frame: int, key: np.uint64) -> int:
    return map_core.value_address(base, map_core.insert_u64(base, frame, key))


@compiled
def _insert_bytes(base: int, frame: int, address: int, length: int) -> int:
    return map_core.value_address(base, map_core.insert_bytes(base, frame, address, length))


@compiled
def _key_address(base: int, cursor: int) -> int:
    return map_core.entry_at(base, cursor) + 8


@compiled
def _value_address(base: int, cursor: int) -> int:
    return map_core.value_address(base, map_core.entry_at(base, cursor))


class Map(NotADictionary, Container, Generic[K, V]):
    """A hash map from integers or bytes to numbers, booleans or bytes.

    `capacity` is how many keys it is meant for, evenly spread: each of the 64 groups takes `group_capacity` of them
    and refuses more with CapacityExceeded, alike on every replica. Memory is taken as keys come. A command may touch
    key *x* only if it depends on *x*; `len`, `clear` and the cursor methods touch every key.

    With `part` (byte keys only) the last `part` bytes of a key number a part of what the bytes before them name: a command
    may touch `b"name" + b"\\x07"` if it depends on `b"name"`. All parts of a name lie in the name's group.
    """

    def __init__(self, key: type[K] | Max | Size, value: type[V] | Max | Size, *, capacity: int, part: int = 0) -> None:
        self.key = declared(key, "Map: the key")
        self.value = declared(value, "Map: the value")
        if self.key.kind == "float":
            raise TypeError("Map: a float cannot be a key; use an integer of fixed scale")
        if part and (self.key.key_kind == "integer" or not 0 < part < self.key.limit):
            raise TypeError(f"Map: expected a part of fewer bytes than a byte key has, found {part} of {self.key.name}")
        self.part = part
        self.capacity = checked_capacity("Map", capacity)
        share = math.ceil(capacity / GROUPS)
        self.group_capacity = share + 4 * math.ceil(math.sqrt(share)) + 4
        key_bytes = 8 if self.key.key_kind == "integer" else 8 + round_up(self.key.limit, 8)
        self._value_offset = 8 + key_bytes
        self._entry_bytes = self._value_offset + round_up(stored_bytes(self.value), 8)
        levels = map_core.levels_for(self.group_capacity) + 1
        index_bytes = 8 * map_core.FIRST_SLOTS * ((1 << levels) - 1)
        self._entries_offset = round_up(map_core.PARTITION_HEADER_BYTES + index_bytes, 128)
        self._partition_bytes = round_up(self._entries_offset + self.group_capacity * self._entry_bytes, PAGE_BYTES)

    def specification(self) -> str:
        part = f", part={self.part}" if self.part else ""
        return f"Map({self.key.name}, {self.value.name}, capacity={self.capacity}{part})"

    @property
    def size_bytes(self) -> int:
        return map_core.HEADER_BYTES + GROUPS * self._partition_bytes

    @property
    def replicated(self) -> bool:
        return True

    def prepare(self, region: Region, address: int) -> None:
        header = (self._entry_bytes, self.part, self._value_offset, self.group_capacity, self._partition_bytes)
        region.at(address, 48)[:] = struct.pack("<6q", *header, self._entries_offset)

    def compiled_type(self) -> Any:
        from psmr.state.compiled_containers import MapType

        return MapType(self.key, self.value)

    def content(self, region: Region, address: int) -> Iterator[bytes | memoryview]:
        for group in range(GROUPS):
            partition = address + map_core.HEADER_BYTES + group * self._partition_bytes
            used = region.word(partition + 8)
            yield region.at(partition, _STATED_BYTES)
            yield region.at(partition + self._entries_offset, used * self._entry_bytes)

    def extents(self, region: Region, address: int) -> bytes:
        first = (address + map_core.HEADER_BYTES - region.address) >> 3
        step = self._partition_bytes >> 3
        words = [region.words[first + place :: step][:GROUPS] for place in range(_STATED_WORDS)]
        return np.stack(words, axis=1).tobytes()

    def sections(self, address: int, extents: bytes) -> Iterator[Section]:
        for group in range(GROUPS):
            stated = extents[group * _STATED_BYTES : (group + 1) * _STATED_BYTES]
            used = _STATED.unpack(stated)[1]
            entries = address + map_core.HEADER_BYTES + group * self._partition_bytes + self._entries_offset
            size = used * self._entry_bytes
            for offset in range(0, max(size, 1), SECTION_BYTES):
                head = b"" if offset else stated
                yield Section(entries + offset, min(SECTION_BYTES, size - offset), head)

    def restore(self, region: Region, address: int, body: Body, place: int) -> Restored:
        jobs: list[Callable[[], None]] = []
        for group in range(GROUPS):
            live, used, free = (body.word(place + 8 * word) for word in range(_STATED_WORDS))
            if not (0 <= live <= used <= self.group_capacity and 0 <= free <= used):
                raise ValueError(
                    f"expected a group of at most {self.group_capacity} keys, found {live} of {used}, free {free}"
                )
            end = place + _STATED_BYTES + used * self._entry_bytes
            if end > len(body.content):
                raise ValueError(f"expected {end} bytes or more, found {len(body.content)}")
            if used:
                partition = address + map_core.HEADER_BYTES + group * self._partition_bytes
                level = map_core.levels_for(live)
                jobs.append(partial(map_core.rebuild, address, partition, body.address + place, level))
            place = end
        return Restored(jobs, place, place)

    def bind(self, access: Access, address: int) -> Self:
        bound = type(self).__new__(type(self))
        bound.__dict__.update(self.__dict__)
        bound._attach(access, address)
        return bound

    def _attach(self, access: Access, address: int) -> None:
        self._access = access
        self._base = address
        self._frame = access.frame
        self._integer_key = self.key.key_kind == "integer"
        self._read = access.reader(self.value)
        self._seen = seen_as(self.value)
        self._write = access.writer(self.value)
        self._read_key = _key_reader(access, self.key)

    def _fits(self, key: Any) -> bool:
        """Whether the map can hold a key of this length; one that it cannot hold is not in it."""
        return len(key) <= self.key.limit

    def _staged(self, key: Any) -> tuple[int, int]:
        return self._access.stage(key), len(key)

    def _value_at(self, key: Any) -> int:
        if self._integer_key:
            return _find(self._base, key_bits(key))
        return _find_bytes(self._base, *self._staged(key)) if self._fits(key) else 0

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: V | int) -> V: ...
    def get(self, key: K, default: Any = None) -> Any:
        """The key's value, or `default`, or None."""
        place = self._value_at(key)
        if place == 0:
            return None if default is None else self._seen(default)
        return self._read(place)

    def put(self, key: K, value: V | int) -> None:
        """Set the key's value. Raises CapacityExceeded when the key is new and its group is full."""
        if not self._integer_key and not self._fits(key):
            raise ValueError(f"a key is longer than the {self.key.limit} bytes that the map was declared with")
        try:
            if self._integer_key:
                place = _insert(self._base, self._frame, key_bits(key))
            else:
                place = _insert_bytes(self._base, self._frame, *self._staged(key))
        except map_core.CapacityExceeded:
            # Only constants of the declaration: every replica must answer with the same text.
            raise map_core.CapacityExceeded(
                f"map {self.name!r}: expected room for another key, found the key's group full with "
                f"{self.group_capacity} keys (capacity={self.capacity} over {GROUPS} groups); declare a larger capacity"
            ) from None
        self._write(place, value)

    def remove(self, key: K) -> bool:
        """Remove the key; whether it was there."""
        if self._integer_key:
            return map_core.remove_u64(self._base, self._frame, key_bits(key))
        return self._fits(key) and map_core.remove_bytes(self._base, self._frame, *self._staged(key))

    def __contains__(self, key: K) -> bool:
        return self._value_at(key) != 0

    def __len__(self) -> int:
        return map_core.count(self._base)

    def clear(self) -> None:
        """Remove every key."""
        map_core.clear(self._base, self._frame)

    def next(self, cursor: int) -> int:
        """The cursor after `cursor` (−1 to begin), or −1 at the end; the order is the same on every replica."""
        return map_core.next_entry(self._base, cursor)

    def key_at(self, cursor: int) -> K:
        """The key at a cursor that `next` returned."""
        key: K = self._read_key(_key_address(self._base, cursor))
        return key

    def value_at(self, cursor: int) -> V:
        """The value at a cursor that `next` returned."""
        value: V = self._read(_value_address(self._base, cursor))
        return value


def _key_reader(access: Access, key: ValueType) -> Callable[[int], Any]:
    """Reads a stored key as a handler sees it: integers and booleans are stored as 64 bits, byte keys with their length."""
    if key.key_kind == "bytes":
        return access.reader(declared(Max(key.limit)))
    if key.kind == "bool":
        number = access.reader(declared(np.int64))
        return lambda address: bool(number(address))
    return access.reader(declared(np.uint64 if key.name == "u64" else np.int64))
