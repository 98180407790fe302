"""A traced map: the entries of each group in their places, as in memory, so that order and capacity are the real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from cdep.groups import group_of
from cdep.hashing import GROUPS
from cdep.types import ValueType
from psmr.state.access import key_bits, seen_as
from psmr.state.map import Map
from psmr.state.map_core import CapacityExceeded
from psmr.state.mistaken import NotADictionary
from psmr.verification.cells import ADD, GROUP, KEYS, READ, VALUE, WOULD, WRITE, Cell, Recorder
from psmr.verification.values import comparable, round_trip

_group_of = lru_cache(maxsize=65536)(group_of)
_FREE = object()


@dataclass(slots=True)
class _Partition:
    """One group's entries: keys in their places, and the places that removals have freed, the last one first to be used."""

    places: list[Any] = field(default_factory=list)
    free: list[int] = field(default_factory=list)


class TracedMap(NotADictionary):
    """`Map` as an interpreted handler sees it."""

    def __init__(self, name: str, declared: Map[Any, Any], recorder: Recorder) -> None:
        self.name = name
        self.entries: dict[int | bytes, Any] = {}
        self._declared = declared
        self._recorder = recorder
        self._integer_key = declared.key.key_kind == "integer"
        self._key_seen = _key_seen(declared.key)
        self._stored = round_trip(declared.value)
        self._seen = seen_as(declared.value)
        self._comparable = comparable(declared.value)
        self._partitions = [_Partition() for _ in range(GROUPS)]

    def get(self, key: Any, default: Any = None) -> Any:
        """See `Map.get`."""
        known = self._read(key)
        if known is None or known not in self.entries:
            return None if default is None else self._seen(default)
        return self.entries[known]

    def put(self, key: Any, value: Any) -> None:
        """See `Map.put`."""
        known = self._known(key)
        if known is None:
            raise ValueError(
                f"a key is longer than the {self._declared.key.limit} bytes that the map was declared with"
            )
        self._touch(GROUP, self._group(known), READ)
        self._touch(VALUE, known, WRITE)
        if known not in self.entries:
            self._insert(known)
        stored = self._stored(value)
        if known in self.entries:
            self._recorder.written.append((Cell(self.name, VALUE, known), stored))
            self.hold(known, stored)
        else:
            self.entries[known] = stored
            self._recorder.undo.append(lambda: self.entries.__delitem__(known))

    def hold(self, known: Any, value: Any) -> None:
        """Change the value of a key that is there, without a note of who did."""
        before = self.entries[known]
        self.entries[known] = value
        self._recorder.undo.append(lambda: self.entries.__setitem__(known, before))

    def held(self, known: Any) -> Any:
        """The value of a key in a form that `==` compares as bytes; None if it is not there."""
        return self._comparable(self.entries[known]) if known in self.entries else None

    def remove(self, key: Any) -> bool:
        """See `Map.remove`."""
        known = self._read(key)
        if known is None:
            return False
        if known not in self.entries:
            self._touch(VALUE, known, WOULD)
            return False
        group = self._group(known)
        self._touch(VALUE, known, WRITE)
        self._touch(KEYS, None, ADD)
        self._touch(GROUP, group, WRITE)
        partition = self._partitions[group]
        place = partition.places.index(known)
        value = self.entries.pop(known)
        partition.places[place] = _FREE
        partition.free.append(place)

        def undo() -> None:
            partition.free.pop()
            partition.places[place] = known
            self.entries[known] = value

        self._recorder.undo.append(undo)
        return True

    def clear(self) -> None:
        """See `Map.clear`."""
        self._touch(KEYS, None, WRITE)
        for key in self.entries:
            self._touch(VALUE, key, WRITE)
            self._touch(GROUP, self._group(key), WRITE)
        before = self.entries, self._partitions
        self.entries, self._partitions = {}, [_Partition() for _ in range(GROUPS)]

        def undo() -> None:
            self.entries, self._partitions = before

        self._recorder.undo.append(undo)

    def __contains__(self, key: Any) -> bool:
        known = self._read(key)
        return known is not None and known in self.entries

    def __len__(self) -> int:
        self._touch(KEYS, None, READ)
        return len(self.entries)

    def next(self, cursor: int) -> int:
        """See `Map.next`."""
        self._touch(KEYS, None, READ)
        group, number = (0, 0) if cursor < 0 else (cursor >> 32, (cursor & 0xFFFFFFFF) + 1)
        for later in range(group, GROUPS):
            places = self._partitions[later].places
            for place in range(number if later == group else 0, len(places)):
                if places[place] is not _FREE:
                    return (later << 32) | place
        return -1

    def key_at(self, cursor: int) -> Any:
        """See `Map.key_at`."""
        self._touch(KEYS, None, READ)
        return self._key_seen(self._at(cursor))

    def value_at(self, cursor: int) -> Any:
        """See `Map.value_at`."""
        known = self._at(cursor)
        self._touch(KEYS, None, READ)
        self._touch(VALUE, known, READ)
        return self.entries[known]

    def keys_in_order(self) -> Iterator[int | bytes]:
        """The keys as `next` leads through them; nothing is noted."""
        for partition in self._partitions:
            yield from (key for key in partition.places if key is not _FREE)

    def content(self) -> dict[Cell, Any]:
        """Every key with its value, in a form that `==` compares as bytes."""
        return {Cell(self.name, VALUE, key): self._comparable(value) for key, value in self.entries.items()}

    def _touch(self, kind: str, key: int | bytes | None, how: str) -> None:
        self._recorder.touch(Cell(self.name, kind, key), how)

    def _at(self, cursor: int) -> Any:
        found = self._partitions[cursor >> 32].places[cursor & 0xFFFFFFFF]
        if found is _FREE:
            raise KeyError(f"map {self.name!r}: expected a cursor that next() returned, found that of a removed key")
        return found

    def _read(self, key: Any) -> int | bytes | None:
        """The key as it is kept, None if the map cannot hold it; noted as read."""
        known = self._known(key)
        if known is not None:
            self._touch(GROUP, self._group(known), READ)
            self._touch(VALUE, known, READ)
        return known

    def _group(self, known: int | bytes) -> int:
        """The group of a key; where its last bytes number a part of what the others name, of those."""
        part = getattr(self._declared, "part", 0)
        return _group_of(known[: max(len(known) - part, 0)] if part and isinstance(known, bytes) else known)

    def _known(self, key: Any) -> int | bytes | None:
        if self._integer_key:
            bits = int(key_bits(key))
            return int(self._key_seen(bits))
        return bytes(key) if len(key) <= self._declared.key.limit else None

    def _insert(self, known: int | bytes) -> None:
        group = self._group(known)
        partition = self._partitions[group]
        self._touch(KEYS, None, ADD)
        self._touch(GROUP, group, WRITE)
        if partition.free:
            place = partition.free.pop()
            partition.places[place] = known

            def undo() -> None:
                partition.places[place] = _FREE
                partition.free.append(place)

            self._recorder.undo.append(undo)
            return
        limit = self._declared.group_capacity
        if len(partition.places) >= limit:
            raise CapacityExceeded(
                f"map {self.name!r}: expected room for another key, found the key's group full with "
                f"{limit} keys (capacity={self._declared.capacity} over {GROUPS} groups); declare a larger capacity"
            )
        partition.places.append(known)
        self._recorder.undo.append(partition.places.pop)


def _key_seen(key: ValueType) -> Callable[[Any], Any]:
    """A stored key as a handler sees it."""
    if key.key_kind == "bytes":
        return lambda known: known
    if key.kind == "bool":
        return bool
    if key.name == "u64":
        return lambda bits: np.uint64(int(bits) & (1 << 64) - 1)
    return lambda bits: np.uint64(int(bits) & (1 << 64) - 1).astype(np.int64)
