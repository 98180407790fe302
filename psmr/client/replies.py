"""What many calls of one command gave: columns to compute with, values to iterate over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from proxies.decoding import ReplyDecoder
from proxies.layout import NONE, VALUE
from psmr.errors import CommandRaised

ValueT = TypeVar("ValueT")
"""One reply: the handler's value, or None where it may return None."""
ColumnT = TypeVar("ColumnT")
"""All values: an array of numbers or bools, a list of bytes, None for a command without replies."""


class Replies(Generic[ValueT, ColumnT]):
    """The replies to calls of one command, in the order of the calls. Everything is decoded when first asked for."""

    __slots__ = ("_blob", "_command", "_decoder", "_raised", "_rows", "_values")

    def __init__(self, command: str, decoder: ReplyDecoder, records: memoryview, blob: memoryview) -> None:
        self._command = command
        self._decoder = decoder
        self._rows = decoder.rows(records)
        self._blob = blob
        self._raised: dict[int, str] | None = None
        self._values: ColumnT | None = None

    @property
    def values(self) -> ColumnT:
        """The values; where there is none (see `present`) 0, False or b""."""
        if self._values is None:
            self._values = self._decoder.values(self._rows, self._blob)
        return cast(ColumnT, self._values)

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which rows have a value: their handler neither returned None for an optional value nor raised."""
        present: NDArray[np.bool_] = self._rows["status"] == VALUE
        return present

    @property
    def raised(self) -> dict[int, str]:
        """The rows whose handler raised, each with `Type: message`."""
        if self._raised is None:
            self._raised = self._decoder.texts(self._rows, self._blob)
        return self._raised

    def check(self) -> Self:
        """These replies, if no handler raised; raises CommandRaised with the first row that did."""
        for row in self.raised:
            raise self._failure(row)
        return self

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> ValueT:
        """The reply of one row from 0; raises CommandRaised if its handler did."""
        if not -len(self) <= row < len(self):
            raise IndexError(f"expected a row below {len(self)}, found {row}")
        row %= len(self)
        if row in self.raised:
            raise self._failure(row)
        return self._python_values()[row]

    def __iter__(self) -> Iterator[ValueT]:
        """The replies as Python values, None where there is none; raises CommandRaised on reaching a row that did."""
        values = self._python_values()
        first = next(iter(self.raised), None)
        if first is None:
            return iter(values)
        return self._up_to(values, first)

    def __repr__(self) -> str:
        return f"Replies({self._command}, {len(self)} rows, {len(self.raised)} raised)"

    def _up_to(self, values: list[ValueT], raised: int) -> Iterator[ValueT]:
        yield from values[:raised]
        raise self._failure(raised)

    def _python_values(self) -> list[ValueT]:
        column: Any = self.values
        if column is None:
            values: list[Any] = [None] * len(self)
        else:
            values = column.tolist() if isinstance(column, np.ndarray) else list(column)
        for row in np.flatnonzero(self._rows["status"] == NONE).tolist():
            values[row] = None
        return values

    def _failure(self, row: int) -> CommandRaised:
        return CommandRaised(f"{self._command}, row {row}: {self.raised[row]}")
