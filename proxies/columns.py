"""Columns of arguments, as a caller gives them, checked and made arrays: by whole columns, and by rows only to say
what is wrong.

| parameter | one call | a column |
|---|---|---|
| integers | `int` | any integer array, or a sequence of `int` |
| `f64` | `float` | any array of numbers, or a sequence of `float` |
| `bool` | `bool` | an array or a sequence of `bool` |
| `Max(n)` | `bytes` | a sequence of `bytes`, or an 'S' array (NumPy drops trailing zeros of its values) |
| `Size(n)` | `bytes` | a sequence of `bytes`, an 'S{n}' or 'V{n}' array, or rows of n uint8 |
"""

from __future__ import annotations

import operator
import reprlib
from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdep import ValueType

IntColumn = NDArray[np.integer[Any]] | Sequence[int]
FloatColumn = NDArray[np.floating[Any]] | NDArray[np.integer[Any]] | Sequence[float]
BoolColumn = NDArray[np.bool_] | Sequence[bool]
BytesColumn = Sequence[bytes] | NDArray[np.bytes_]
FixedColumn = Sequence[bytes] | NDArray[np.bytes_] | NDArray[np.void] | NDArray[np.uint8]
Column = IntColumn | FloatColumn | BoolColumn | BytesColumn | FixedColumn

_A_COLUMN = "a column: an array of one dimension or a sequence"
_CODES = {1: "b", 2: "h", 4: "i", 8: "q"}


class MisfitError(ValueError):
    """A column that does not fit its parameter; `row` is None where the column as a whole is wrong."""

    def __init__(self, expected: str, found: str, row: int | None = None) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.row = row


def expected(type_: ValueType) -> str:
    """What a value of the type is, in words."""
    if type_.kind in ("int", "uint"):
        low, high = bounds(type_)
        return f"an int from {low} to {high} ({type_.name})"
    if type_.kind == "bytes":
        return f"at most {type_.limit} bytes"
    return f"exactly {type_.limit} bytes" if type_.kind == "fixed" else f"a {type_.python}"


def misfit(type_: ValueType, value: object) -> str | None:
    """What is wrong with one value, as "found …"; None if it fits."""
    if type_.python == "bytes":
        if not isinstance(value, bytes):
            return _shown(value)
        fits = len(value) <= type_.limit if type_.kind == "bytes" else len(value) == type_.limit
        return None if fits else f"{len(value)} bytes"
    if type_.kind == "bool":
        return None if isinstance(value, bool | np.bool_) else _shown(value)
    if type_.kind == "float":
        return None if isinstance(value, float | int | np.floating | np.integer) else _shown(value)
    low, high = bounds(type_)
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # a wrong type is what is looked for
    except TypeError:
        return _shown(value)
    return None if low <= number <= high else str(number)


def as_column(values: Any) -> Any:
    """The values as an array or a sequence, whose rows can be counted; raises MisfitError for what is no column."""
    if not is_column(values):
        raise MisfitError(_A_COLUMN, _shown(values))
    if not isinstance(values, np.ndarray | Sequence):
        values = np.asarray(values)
    if isinstance(values, np.ndarray) and values.ndim == 0:
        raise MisfitError(_A_COLUMN, f"a single {values.dtype}")
    return values


def is_column(value: object) -> bool:
    """Whether an argument is meant as a column rather than as one value."""
    if isinstance(value, str | bytes | bytearray | np.generic):
        return False
    return isinstance(value, np.ndarray | Sequence) or hasattr(value, "__array__")


def numbers(type_: ValueType, values: Any) -> NDArray[Any]:
    """A column of integers, floats or bools, castable to the type's dtype without loss of range."""
    if not isinstance(values, np.ndarray):
        return _numbers_of_sequence(type_, values)
    if values.ndim != 1:
        raise MisfitError(_A_COLUMN, f"an array of shape {values.shape}")
    if values.dtype == type_.dtype:
        return values
    if values.dtype.kind in _KINDS[type_.kind]:
        if type_.kind in ("int", "uint"):
            _check_range(type_, values)
        return values
    if values.dtype.kind == "O":
        return _numbers_of_sequence(type_, values.tolist())
    raise MisfitError(f"an array of {type_.python}", f"one of {values.dtype}")


_KINDS = {"int": "iub", "uint": "iub", "float": "fiub", "bool": "b"}


def byte_strings(type_: ValueType, values: Any) -> tuple[bytes, NDArray[np.int64]]:
    """The values of a column one after another, and the length of each."""
    if isinstance(values, np.ndarray):
        values = values.tolist()
    try:
        content = b"".join(values)
        lengths = np.fromiter(map(len, values), np.int64, len(values))
    except TypeError as error:
        raise _first_misfit(type_, values, error) from None
    wrong = lengths.max() > type_.limit if type_.kind == "bytes" else bool(np.any(lengths != type_.limit))
    # A sequence of buffers that are no bytes may have items of more than one byte.
    if wrong or int(lengths.sum()) != len(content):
        raise _first_misfit(type_, values, None)
    return content, lengths


def fixed(type_: ValueType, values: Any) -> NDArray[np.void]:
    """A column of `Size(n)` values, as 'V{n}'."""
    size = type_.limit
    if isinstance(values, np.ndarray):
        if values.ndim == 1 and values.dtype.kind in "SV" and values.dtype.itemsize == size:
            return np.ascontiguousarray(values).view(type_.dtype)
        if values.dtype == np.uint8 and values.shape[1:] == (size,):
            return np.ascontiguousarray(values).view(type_.dtype).reshape(-1)
        if values.ndim != 1 or values.dtype.kind not in "SO":
            raise MisfitError(
                f"an array of S{size}, V{size} or {size} uint8 a row", f"{values.dtype} of shape {values.shape}"
            )
    return np.frombuffer(byte_strings(type_, values)[0], type_.dtype)


@lru_cache(maxsize=64)
def bounds(type_: ValueType) -> tuple[int, int]:
    """The least and the greatest value of an integer type."""
    limits = np.iinfo(type_.dtype)
    return int(limits.min), int(limits.max)


def _numbers_of_sequence(type_: ValueType, values: Any) -> NDArray[Any]:
    if type_.kind == "bool":
        column = np.asarray(values)
        if column.dtype.kind == "b" and column.ndim == 1:
            return column
        raise _first_misfit(type_, values, None)
    try:
        # `array`, not NumPy: it refuses a float among integers and keeps integers above 2^63 exact.
        return np.frombuffer(array(_code(type_), values), type_.dtype)
    except (TypeError, OverflowError) as error:
        raise _first_misfit(type_, values, error) from None


def _code(type_: ValueType) -> str:
    if type_.kind == "float":
        return "d"
    code = _CODES[type_.size_bytes]
    return code.upper() if type_.kind == "uint" else code


def _check_range(type_: ValueType, column: NDArray[Any]) -> None:
    low, high = bounds(type_)
    check_low, check_high = _checks(type_, column.dtype)
    if (check_low and int(column.min()) < low) or (check_high and int(column.max()) > high):
        row = int(np.argmax((column < low) | (column > high)))
        raise MisfitError(expected(type_), str(column[row]), row)


@lru_cache(maxsize=256)
def _checks(type_: ValueType, dtype: np.dtype[Any]) -> tuple[bool, bool]:
    """Whether a column of `dtype` may go below the type's range, and above it."""
    if dtype.kind == "b":
        return False, False
    low, high = bounds(type_)
    limits = np.iinfo(dtype)
    return int(limits.min) < low, int(limits.max) > high


def _first_misfit(type_: ValueType, values: Iterable[object], cause: Exception | None) -> MisfitError:
    for row, value in enumerate(values):
        found = misfit(type_, value)
        if found is not None:
            return MisfitError(expected(type_), found, row)
    return MisfitError(f"a column of {type_.python}", str(cause or _shown(values)))


def _shown(value: object) -> str:
    if isinstance(value, np.generic):
        return f"{type(value).__name__} {value}"
    return "None" if value is None else f"{type(value).__name__} {reprlib.repr(value)}"
