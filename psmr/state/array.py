"""`Array` and `Table`: dense rows in shared memory, ordered by group."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Generic, Self, TypeVar

import numpy as np

from cdep.compiled import compiled
from cdep.hashing import GROUPS
from cdep.types import Max, Size, ValueType
from psmr.state import rows
from psmr.state.access import FORMATS, Access, as_integer
from psmr.state.field import SECTION_BYTES, Body, Container, Restored, Section, checked_capacity, declared, round_up
from psmr.state.kinds import stored_bytes
from psmr.state.region import PAGE_BYTES, Region
from psmr.state.words import copy_bytes, load_i64

V = TypeVar("V")


NUMBERED_PAGE_BYTES = 8 + PAGE_BYTES
LAST_PAGE = -1
"""In a captured body, what stands where the number of another page would be; no part of the content."""
_PAGES_A_JOB = 1024


@compiled
def _place_pages(base: int, numbered: int, count: int) -> None:
    for page in range(count):
        place = numbered + page * NUMBERED_PAGE_BYTES
        copy_bytes(base + load_i64(place) * PAGE_BYTES, place + 8, PAGE_BYTES)


def _stored(value: ValueType) -> np.dtype[Any]:
    return np.dtype(FORMATS.get(value.name, "?"))


@compiled
def _row_address(base: int, index: int, capacity: int, row_bytes: int, group_bytes: int, bits: int) -> int:
    return rows.row_address(base, index, capacity, row_bytes, group_bytes, bits)


class Column(Generic[V]):
    """One field of every row: `column[index]` reads, `column[index] = value` writes. IndexError outside the capacity."""

    def __init__(self, value: ValueType, offset: int, capacity: int, row_bytes: int, block_bits: int) -> None:
        self.value = value
        self.offset = offset
        self.capacity = capacity
        self.row_bytes = row_bytes
        self.block_bits = block_bits
        self.group_bytes = rows.group_bytes(capacity, row_bytes, block_bits)

    def attach(self, access: Access, base: int) -> None:
        """Bind to the rows at `base`."""
        self._access = access
        self._base = base
        self._read = access.reader(self.value)
        self._write = access.writer(self.value)

    def _address(self, index: Any) -> int:
        row = as_integer(index, "a row's index")
        if not 0 <= row < self.capacity:  # before compiled code: Python's integers may be wider than its own
            raise IndexError("row out of range; a row's index is from 0 to capacity - 1")
        place = _row_address(self._base, row, self.capacity, self.row_bytes, self.group_bytes, self.block_bits)
        return place + self.offset

    def __getitem__(self, index: Any) -> V:
        value: V = self._read(self._address(index))
        return value

    def __setitem__(self, index: Any, value: V | int) -> None:
        self._write(self._address(index), value)

    def __len__(self) -> int:
        return self.capacity

    def values(self) -> list[Any]:
        """Every row's value in order, as plain Python has it; for looking at a state in which nothing executes."""
        if self.value.kind in ("bytes", "fixed"):
            return [self[row] for row in range(self.capacity)]
        values = [np.zeros(1, _stored(self.value)).item()] * self.capacity
        for row, value in self.written().items():
            values[row] = value
        return values

    def written(self) -> dict[int, Any]:
        """The rows of a column of numbers that are not 0, with their values, in no order that means anything.

        Only what was ever written is looked at: a column of a billion rows takes no longer than that.
        """
        stored = _stored(self.value)
        written: dict[int, Any] = {}
        for page, content in self._access.region.written_pages(self._base, GROUPS * self.group_bytes):
            group, place = divmod(page * PAGE_BYTES, self.group_bytes)
            first, end = (-(-(at - self.offset) // self.row_bytes) for at in (place, place + PAGE_BYTES))
            row = np.arange(max(first, 0), min(end, self.group_bytes // self.row_bytes))
            values = np.frombuffer(content, stored)[(row * self.row_bytes + self.offset - place) // stored.itemsize]
            row, values = row[values != 0], values[values != 0]
            written.update(zip(rows.indexes(group, row, self.block_bits).tolist(), values.tolist(), strict=True))
        return written


class _Rows(Container):
    """A container of `capacity` rows, all zero at first, in blocks of as many as belong to one key."""

    capacity: int
    row_bytes: int
    block: int
    block_bits: int

    def _declare_rows(self, capacity: int, block: int) -> None:
        owner = type(self).__name__
        self.capacity = checked_capacity(owner, capacity)
        self.block = block
        self.block_bits = rows.block_bits(owner, capacity, block)

    def _extent(self) -> str:
        """How many rows, as the specification says it."""
        return f"capacity={self.capacity}" if self.block == 1 else f"capacity={self.capacity}, block={self.block}"

    @property
    def size_bytes(self) -> int:
        return GROUPS * rows.group_bytes(self.capacity, self.row_bytes, self.block_bits)

    @property
    def replicated(self) -> bool:
        return True

    def prepare(self, region: Region, address: int) -> None:
        """Nothing to write: the constants are part of the compiled type."""

    def content(self, region: Region, address: int) -> Iterator[bytes | memoryview]:
        for number, page in region.written_pages(address, self.size_bytes):
            yield number.to_bytes(8, "little")
            yield page

    def sections(self, address: int, extents: bytes) -> Iterator[Section]:
        for offset in range(0, self.size_bytes, SECTION_BYTES):
            length = min(SECTION_BYTES, self.size_bytes - offset)
            yield Section(address + offset, length, first_page=offset // PAGE_BYTES)

    def restore(self, region: Region, address: int, body: Body, place: int) -> Restored:
        numbers = body.words[place >> 3 :: NUMBERED_PAGE_BYTES >> 3]
        ends = np.flatnonzero(numbers == LAST_PAGE)
        if not len(ends):
            raise ValueError(f"expected pages and the end of them, found {len(numbers)} pages and no end")
        pages = numbers[: ends[0]]
        if len(pages) and (pages[0] < 0 or pages[-1] >= self.size_bytes // PAGE_BYTES or (np.diff(pages) <= 0).any()):
            raise ValueError(f"expected ascending numbers below {self.size_bytes // PAGE_BYTES} of {len(pages)} pages")
        end = place + len(pages) * NUMBERED_PAGE_BYTES
        jobs = [
            partial(
                _place_pages, address, body.address + start, min(_PAGES_A_JOB, (end - start) // NUMBERED_PAGE_BYTES)
            )
            for start in range(place, end, _PAGES_A_JOB * NUMBERED_PAGE_BYTES)
        ]
        return Restored(jobs, end, end + 8)


class Array(_Rows, Generic[V]):
    """`capacity` values of one type, zero at first, indexed from 0. A command may touch row *i* only if it depends on *i*.

    With `block=R`, a power of two, key *k* has the rows k × R … k × R + R − 1: a command may touch row *i* only if it depends on
    i // R. Rows that are never written take no memory, so a block may be as long as the largest of them needs.
    """

    def __init__(self, value: type[V] | Max | Size, *, capacity: int, block: int = 1) -> None:
        self.value = declared(value, "Array: the value")
        self._declare_rows(capacity, block)
        size = stored_bytes(self.value)
        self.row_bytes = size if size in (1, 2, 4) else round_up(size, 8)
        self._column: Column[V] = Column(self.value, 0, self.capacity, self.row_bytes, self.block_bits)

    def specification(self) -> str:
        return f"Array({self.value.name}, {self._extent()})"

    def bind(self, access: Access, address: int) -> Self:
        bound = type(self).__new__(type(self))
        bound.__dict__.update(self.__dict__)
        bound._column = Column(self.value, 0, self.capacity, self.row_bytes, self.block_bits)
        bound._column.attach(access, address)
        return bound

    def compiled_type(self) -> Any:
        from psmr.state.compiled_containers import ColumnType

        return ColumnType(self._column)

    def __getitem__(self, index: Any) -> V:
        return self._column[index]

    def __setitem__(self, index: Any, value: V | int) -> None:
        self._column[index] = value

    def __len__(self) -> int:
        return self.capacity

    def values(self) -> list[Any]:
        """As `Column.values`."""
        return self._column.values()

    def written(self) -> dict[int, Any]:
        """As `Column.written`."""
        return self._column.written()


class Table(_Rows):
    """`capacity` rows of named fields, zero at first: `table.price[row]`. The fields of a row lie together.

    Declared with keyword arguments, `Table(capacity=1000, price=i64, quantity=u32, owner=Size(16))`, the widest field
    first in memory. A command may touch row *i* only if it depends on *i*; with `block=R`, on i // R (see `Array`).
    """

    def __init__(self, *, capacity: int, block: int = 1, **fields: type | Max | Size) -> None:
        if not fields:
            raise TypeError("Table: expected at least one field, such as price=i64")
        reserved = sorted(set(fields) & set(dir(_Rows)))
        if reserved:
            raise TypeError(f"Table: a field cannot be called {reserved[0]!r}; rename it")
        self._declare_rows(capacity, block)
        self.fields = {name: declared(kind, f"Table: the field '{name}'") for name, kind in fields.items()}
        self._offsets, self.row_bytes = _row_layout(self.fields)

    def specification(self) -> str:
        fields = ", ".join(f"{name}={value.name}" for name, value in self.fields.items())
        return f"Table({self._extent()}, {fields})"

    def column(self, name: str) -> Column[Any]:
        """The declaration of one field's column."""
        return Column(self.fields[name], self._offsets[name], self.capacity, self.row_bytes, self.block_bits)

    def bind(self, access: Access, address: int) -> Self:
        bound = type(self).__new__(type(self))
        bound.__dict__.update(self.__dict__)
        for name in self.fields:
            column = self.column(name)
            column.attach(access, address)
            setattr(bound, name, column)
        return bound

    def compiled_type(self) -> Any:
        from psmr.state.compiled_containers import TableType

        return TableType({name: self.column(name) for name in self.fields})

    def __getattr__(self, name: str) -> Column[Any]:
        # Only a type checker and a misspelt field come here: a bound table holds its columns as attributes.
        raise AttributeError(f"the table has no field {name!r}")

    def __len__(self) -> int:
        return self.capacity


def _row_layout(fields: dict[str, ValueType]) -> tuple[dict[str, int], int]:
    """Offsets of the fields, the widest first, and the bytes of a row (a multiple of 8)."""
    offsets: dict[str, int] = {}
    place = 0
    wide = [name for name, value in fields.items() if stored_bytes(value) >= 8]
    narrow = [name for name in fields if name not in wide]
    for name in wide:
        offsets[name] = place
        place += round_up(stored_bytes(fields[name]), 8)
    for name in sorted(narrow, key=lambda name: -_alignment(stored_bytes(fields[name]))):
        size = stored_bytes(fields[name])
        offsets[name] = place = round_up(place, _alignment(size))
        place += size
    return offsets, round_up(place, 8)


def _alignment(size_bytes: int) -> int:
    return size_bytes if size_bytes in (1, 2, 4) else 1
