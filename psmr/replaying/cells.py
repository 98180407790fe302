"""From addresses to cells: which key of which map, which row and field of which array or table lies there, and what it holds.

Only for looking at a state in which nothing executes. Keys of maps are found by their entries, not by the index, so this also
holds where commands were taken back (`psmr.replaying.noted`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from cdep.groups import group_of
from cdep.hashing import GROUPS
from psmr.execution.memory import Memory
from psmr.state import map_core, rows
from psmr.state.array import Array, Column, Table
from psmr.state.frame import ARENA_BASE, ARENA_NEXT
from psmr.state.kinds import stored_bytes
from psmr.state.map import Map

_LIVE_USED_FREE_BYTES = 24
_USED = 8


class CellName(NamedTuple):
    """One variable of the state: a key of a map, or a row of an array or of a table's field."""

    container: str
    field: str | None
    key: int | bool | bytes

    def __str__(self) -> str:
        name = self.container if self.field is None else f"{self.container}.{self.field}"
        return f"{name}[{key_text(self.key)}]"


def key_text(key: int | bool | bytes) -> str:
    """A key to be read: a number, or bytes as text where they are that, in quotes, else in hexadecimal."""
    if not isinstance(key, bytes):
        return str(key)
    return repr(key.decode()) if key.isascii() and key.decode().isprintable() else f"0x{key.hex()}"


class Held(NamedTuple):
    """What a cell holds, and, in a map, the place of its entry: `group:number`."""

    value: Any
    place: str | None = None


class Touched(NamedTuple):
    """What words belong to, before it is known what is there. `is_shared`: one of the words holds other cells, too."""

    container: str
    group: int
    number: int
    field: str | None = None
    is_shared: bool = False


class _MapCells:
    def __init__(self, name: str, declared: Map[Any, Any], memory: Memory, base: int) -> None:
        self.name = name
        self._memory = memory
        self._base = base
        self._bound = declared.bind(memory.access(0), base)
        self._entry_bytes, self._value_offset, self._partition_bytes, self._entries_offset = (
            memory.get(base + offset) for offset in (0, 16, 32, 40)
        )

    def touched(self, addresses: NDArray[np.int64], before: NDArray[np.int64]) -> Iterator[Touched]:
        """The entries that the words belong to; those of a partition that has fewer of them since, too."""
        place = addresses - self._base - map_core.HEADER_BYTES
        group, inside = np.divmod(place, self._partition_bytes)
        is_entry = (place >= 0) & (inside >= self._entries_offset)
        numbers = (inside[is_entry] - self._entries_offset) // self._entry_bytes
        for pair in dict.fromkeys(zip(group[is_entry].tolist(), numbers.tolist(), strict=True)):
            yield Touched(self.name, *pair)
        is_used = (place >= 0) & (inside == _USED)
        first: dict[int, int] = {}
        for one, old in zip(group[is_used].tolist(), before[is_used].tolist(), strict=True):
            first.setdefault(one, old)
        for one, old in first.items():
            for number in range(self._used(one), old):
                yield Touched(self.name, one, number)

    def content_only(self, addresses: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the addresses hold content now: no index, no entry that is not in use."""
        place = addresses - self._base - map_core.HEADER_BYTES
        group, inside = np.divmod(place, self._partition_bytes)
        used = np.array([self._used(number) for number in range(GROUPS)])
        is_inside = (place >= 0) & (group < GROUPS)
        ends = self._entries_offset + used[np.clip(group, 0, GROUPS - 1)] * self._entry_bytes
        is_entry = (inside >= self._entries_offset) & (inside < ends)
        found: NDArray[np.bool_] = is_inside & ((inside < _LIVE_USED_FREE_BYTES) | is_entry)
        return found

    def held(self, touched: Touched) -> Iterator[tuple[CellName, Held]]:
        """What an entry holds: nothing, or a key and its value."""
        partition = self._base + map_core.HEADER_BYTES + touched.group * self._partition_bytes
        entry = partition + self._entries_offset + touched.number * self._entry_bytes
        if touched.number >= self._used(touched.group) or self._memory.get(entry) == 0:
            return
        cursor = touched.group << 32 | touched.number
        key, value = plain(self._bound.key_at(cursor)), plain(self._bound.value_at(cursor))
        yield CellName(self.name, None, key), Held(value, f"{touched.group}:{touched.number}")

    def everything(self, key: int | bytes | None) -> Iterator[Touched]:
        """The entries, those of the key's group alone if there is one."""
        for group in range(GROUPS) if key is None else (self._group_of(key),):
            for number in range(self._used(group)):
                yield Touched(self.name, group, number)

    def _group_of(self, key: int | bytes) -> int:
        part = self._bound.part
        return group_of(key[: max(len(key) - part, 0)] if part and isinstance(key, bytes) else key)

    def _used(self, group: int) -> int:
        return self._memory.get(self._base + map_core.HEADER_BYTES + group * self._partition_bytes + _USED)


class _RowCells:
    def __init__(self, name: str, declared: Array[Any] | Table, memory: Memory, base: int) -> None:
        self.name = name
        self._memory = memory
        self._base = base
        self._row_bytes, self._bits = declared.row_bytes, declared.block_bits
        self._capacity = declared.capacity
        self._size_bytes = declared.size_bytes
        self._group_bytes = rows.group_bytes(declared.capacity, declared.row_bytes, declared.block_bits)
        bound = declared.bind(memory.access(0), base)
        if isinstance(bound, Array):
            self._columns: dict[str | None, Any] = {None: bound}
            self._places: dict[str | None, tuple[int, int]] = {None: (0, stored_bytes(bound.value))}
        else:
            self._columns = {field: getattr(bound, field) for field in bound.fields}
            self._places = {field: _place_of(column) for field, column in self._columns.items()}

    def touched(self, addresses: NDArray[np.int64], before: NDArray[np.int64]) -> Iterator[Touched]:
        """Rows and fields that any byte of the words belongs to."""
        words = dict.fromkeys(((addresses - self._base) & ~7).tolist())
        found: dict[Touched, None] = {}
        for word in words:
            here = list(self._in_word(*divmod(word, self._group_bytes)))
            for group, row, field in here:
                found[Touched(self.name, group, row, field, len(here) > 1)] = None
        yield from found

    def _in_word(self, group: int, place: int) -> Iterator[tuple[int, int, str | None]]:
        for row in range(place // self._row_bytes, (place + 7) // self._row_bytes + 1):
            start = row * self._row_bytes
            for field, (offset, size) in self._places.items():
                if start + offset < place + 8 and place < start + offset + size:
                    yield group, row, field

    def content_only(self, addresses: NDArray[np.int64]) -> NDArray[np.bool_]:
        """All words of rows are content."""
        found: NDArray[np.bool_] = (addresses >= self._base) & (addresses < self._base + self._size_bytes)
        return found

    def held(self, touched: Touched) -> Iterator[tuple[CellName, Held]]:
        """A row's value; none where the row is behind the capacity."""
        above = touched.number >> self._bits << 6
        key = above | (group_of(above) ^ touched.group)  # as `rows.indexes`, for one row
        index = key << self._bits | touched.number & (1 << self._bits) - 1
        if index < self._capacity:
            yield CellName(self.name, touched.field, index), Held(plain(self._columns[touched.field][index]))

    def everything(self, key: int | bytes | None) -> Iterator[Touched]:
        """Every field of a row, or of every row on a page that was written."""
        if isinstance(key, int):
            if 0 <= key < self._capacity:
                block = key >> self._bits
                row = (block >> 6) << self._bits | key & (1 << self._bits) - 1
                yield from (Touched(self.name, group_of(block), row, field) for field in self._places)
            return
        for page, _ in self._memory.region.written_pages(self._base, self._size_bytes):
            group, place = divmod(page * 4096, self._group_bytes)
            for row in range(place // self._row_bytes, -(-(place + 4096) // self._row_bytes)):
                for field in self._places:
                    yield Touched(self.name, group, row, field)


def _place_of(column: Column[Any]) -> tuple[int, int]:
    return column.offset, stored_bytes(column.value)


class Cells:
    """The cells of an engine's state."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._cells: list[_MapCells | _RowCells] = []
        self._bases: list[int] = []
        for (name, container), base in zip(memory.containers.items(), memory.bases, strict=True):
            if isinstance(container, Map):
                self._cells.append(_MapCells(name, container, memory, base))
            elif isinstance(container, Array | Table):
                self._cells.append(_RowCells(name, container, memory, base))
            else:
                continue
            self._bases.append(base)
        self._named = {cells.name: cells for cells in self._cells}

    @property
    def containers(self) -> list[str]:
        """The names of all that hold state."""
        return list(self._named)

    def base_of(self, container: str) -> int:
        """Where a container begins."""
        return self._bases[list(self._named).index(container)]

    def by_container(self, addresses: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Which of the addresses lie in each container that has any."""
        owners = np.searchsorted(np.array(self._bases, np.int64), addresses, "right") - 1
        for number, name in enumerate(self._named):
            inside = owners == number
            if inside.any():
                yield name, inside

    def content_only(self, container: str, addresses: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of a container's addresses hold content, as digests know it, now."""
        return self._named[container].content_only(addresses)

    def touched(self, addresses: NDArray[np.int64], before: NDArray[np.int64]) -> list[Touched]:
        """What noted words belong to; `before` is what they held before. Call with the words as they are afterwards."""
        found: list[Touched] = []
        for name, inside in self.by_container(addresses):
            found += self._named[name].touched(addresses[inside], before[inside])
        return found

    def held(self, touched: Iterable[Touched]) -> Iterator[tuple[Touched, CellName, Held]]:
        """What is there now."""
        for each in touched:
            self._forget_arena()
            for name, held in self._named[each.container].held(each):
                yield each, name, held

    def content(self, container: str, key: int | bytes | None = None) -> Iterator[tuple[CellName, Held]]:
        """All of a container: of a map every key, of rows those that hold anything; or what one key or row holds."""
        cells = self._named[container]
        for _, name, held in self.held(cells.everything(key)):
            is_there = isinstance(cells, _MapCells) or not _is_zero(held.value)
            if (is_there or key is not None) and key in (None, name.key):
                yield name, held

    def _forget_arena(self) -> None:
        """Reading counts in the arena of worker 0, which no command uses now: `begin_command` empties it, too."""
        frame = self._memory.frames[0]
        self._memory.set(frame + ARENA_NEXT, self._memory.get(frame + ARENA_BASE))


def _is_zero(value: Any) -> bool:
    return not any(value) if isinstance(value, bytes) else value == 0


def plain(value: Any) -> Any:
    """A value as plain Python has it."""
    return cast(Any, value.item()) if isinstance(value, np.generic) else value
