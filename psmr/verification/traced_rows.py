"""Traced arrays and tables: rows in a dict, zero where nothing was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdep.groups import group_of
from cdep.types import ValueType
from psmr.state.access import as_integer
from psmr.state.array import Array, Table
from psmr.state.hint import Hint
from psmr.state.kinds import stored_bytes
from psmr.verification.cells import READ, VALUE, WORD, WRITE, Cell, Recorder
from psmr.verification.values import comparable, round_trip, zero_of


class TracedColumn:
    """`Array`, or a field of a `Table`, as an interpreted handler sees it; `rows` holds what was written."""

    def __init__(
        self,
        name: str,
        value: ValueType,
        rows: Array[Any] | Table,
        recorder: Recorder,
        memory: str = "",
        offset: int = 0,
    ) -> None:
        self.name = name
        self.rows: dict[int, Any] = {}
        self._capacity = rows.capacity
        self._row_bytes = rows.row_bytes
        self._block: int = getattr(rows, "block", 1)
        self._offset = offset
        self._memory = memory or name
        self._is_narrow = stored_bytes(value) < 8
        self._recorder = recorder
        self._stored = round_trip(value)
        self._comparable = comparable(value)
        self._zero = self._stored(zero_of(value))
        self._is_hint = isinstance(rows, Hint)

    def __getitem__(self, index: Any) -> Any:
        row = self._row(index)
        self._recorder.touch(Cell(self.name, VALUE, row), READ)
        return self.rows.get(row, self._zero)

    def __setitem__(self, index: Any, data: Any) -> None:
        row = self._row(index)
        value = self._stored(data)
        cell = Cell(self.name, VALUE, row)
        self._recorder.touch(cell, WRITE)
        if self._is_narrow:
            self._recorder.touch(Cell(self._memory, WORD, self._word(row)), WRITE)
        self._recorder.written.append((cell, value))
        self.hold(row, value)

    def hold(self, row: Any, value: Any) -> None:
        """Change a row without a note of who did."""
        before = self.rows.get(row, self._zero)
        self.rows[row] = value
        self._recorder.undo.append(lambda: self.rows.__setitem__(row, before))

    def held(self, row: Any) -> Any:
        """A row in a form that `==` compares as bytes; None for a hint's, which are no state."""
        return None if self._is_hint else self._comparable(self.rows.get(row, self._zero))

    def __len__(self) -> int:
        return self._capacity

    def _row(self, index: Any) -> int:
        row = as_integer(index, "a row's index")
        if not 0 <= row < self._capacity:
            raise IndexError("row out of range; a row's index is from 0 to capacity - 1")
        return row

    def _word(self, row: int) -> int:
        """The number of the eight bytes that hold the row's value (`psmr.state.rows`)."""
        key = row // self._block
        place = (key >> 6) * self._block + row % self._block
        return (group_of(key) << 40) | ((place * self._row_bytes + self._offset) >> 3)

    def content(self) -> dict[Cell, Any]:
        """Every row that is not zero, in a form that `==` compares as bytes; nothing of hints, which are no state."""
        if self._is_hint:
            return {}
        zero = self._comparable(self._zero)
        found = ((row, self._comparable(value)) for row, value in self.rows.items())
        return {Cell(self.name, VALUE, row): value for row, value in found if value != zero}


class TracedTable:
    """`Table` as an interpreted handler sees it: a column for each field."""

    def __init__(self, name: str, declared: Table, recorder: Recorder) -> None:
        self._capacity = declared.capacity
        self._columns = {
            field: TracedColumn(f"{name}.{field}", kind, declared, recorder, name, declared.column(field).offset)
            for field, kind in declared.fields.items()
        }
        vars(self).update(self._columns)

    def __len__(self) -> int:
        return self._capacity

    def columns(self) -> Iterator[TracedColumn]:
        """The fields."""
        yield from self._columns.values()

    def content(self) -> dict[Cell, Any]:
        """Every field of every row that is not zero."""
        return {cell: value for column in self._columns.values() for cell, value in column.content().items()}
