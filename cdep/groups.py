"""C-G: from a command and its arguments to the groups that must deliver it, as a 64-bit mask.

The one rule: if two commands conflict, their masks have a bit in common. `mask` says it in plain Python, one call at a
time, for reading and for checking; `masks` says the same of whole columns at compiled speed.

    independent     one group, by position: any will do, so spread them
    dependent       all groups
    partial         the group of each key; in a domain with spread reads: a read goes to one group by position and a
                    write to all, so that reads of one hot key need not queue behind each other
    exact           all groups: it waits for whatever comes before it
    early stage     the group of each of its keys, besides those of the command's main stage
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdep.command import Command, Dependency
from cdep.errors import CallError
from cdep.hashing import GROUPS, groups_of_bytes, groups_of_u64
from cdep.relation import Call, argument
from cdep.service import STRICT, Service
from cdep.types import ValueType

ALL_GROUPS = (1 << GROUPS) - 1

_U64 = (1 << 64) - 1
_PRIME = 0x9E3779B97F4A7C15
_ONE = np.uint64(1)


@dataclass(frozen=True, slots=True, eq=False)
class BytesColumn:
    """A column of `Max(n)` values: row r is `blob[offsets[r] : offsets[r] + lengths[r]]`.

    `blob` is contiguous uint8; `offsets` and `lengths` are integers, one a row. A row outside the blob raises
    CallError: compiled code reads this memory without looking, and the numbers may come from the network.
    """

    blob: NDArray[np.uint8]
    offsets: NDArray[Any]
    lengths: NDArray[Any]

    def __post_init__(self) -> None:
        if self.blob.dtype != np.uint8 or self.blob.ndim != 1 or not self.blob.flags.c_contiguous:
            raise CallError("the blob of a BytesColumn is no contiguous one-dimensional uint8 array; copy it into one")
        if self.offsets.ndim != 1 or self.offsets.shape != self.lengths.shape:
            raise CallError(f"{self.offsets.shape} offsets for {self.lengths.shape} lengths; give one of each a row")
        starts, lengths = self.offsets.astype(np.int64), self.lengths.astype(np.int64)
        size = self.blob.size
        # Lengths first: only then can `size - lengths` not overflow.
        if np.any((lengths < 0) | (lengths > size)) or np.any((starts < 0) | (starts > size - lengths)):
            raise CallError(f"a row of a BytesColumn lies outside its blob of {size} bytes; correct offset and length")


Column = NDArray[Any] | BytesColumn


def group_of(value: int | bytes) -> int:
    """The group, 0 to 63, of a key: the plain twin of `cdep.hashing`."""
    if isinstance(value, int):
        key = value & _U64
        return (key ^ (_mix(key >> 6) >> 58)) & 63
    return _hash_bytes(value) >> 58


def mask(service: Service, call: Call, position: int) -> int:
    """The groups of one call that stands at `position`; raises CallError for a call that the service does not have."""
    command = service.command(call.command)
    if command.kind == "dependent" or command.stage == "exact":
        return ALL_GROUPS
    by_position = 1 << (position % GROUPS)
    result = by_position if command.kind == "independent" else 0
    for key in command.touched:
        if key.domain not in service.spread_reads:
            result |= 1 << group_of(argument(command, call, key.parameter))
        else:
            result |= by_position if key.access == "read" else ALL_GROUPS
    return result


def execution_order(service: Service, calls: Sequence[Call]) -> list[int]:
    """The rows of a batch in the order in which they are executed: as they stand, or, in a service with commutative order,
    those that go to one group first and those that go to several after them, each kind as it stands.

    Parallel execution then meets once a batch, not once a command that goes to several groups.
    """
    rows = range(len(calls))
    if service.order == STRICT:
        return list(rows)
    several = [mask(service, call, row).bit_count() > 1 for row, call in enumerate(calls)]
    return sorted(rows, key=several.__getitem__)


def masks(
    service: Service, command: Command | str, columns: Mapping[str, Column], positions: NDArray[Any]
) -> NDArray[np.uint64]:
    """The groups of many calls of one command: row r has the arguments `columns[name][r]` and stands at `positions[r]`.

    Integer and bool parameters are columns of any integer type, or bool; `Size(n)` ones are 'S{n}', 'V{n}' or n columns
    of uint8; `Max(n)` ones a `BytesColumn`. Only key parameters are looked at. Raises CallError for a column that is
    missing, or of the wrong type or length.
    """
    command = service.command(command) if isinstance(command, str) else command
    count = positions.size
    if command.kind == "dependent" or command.stage == "exact":
        return np.full(count, ALL_GROUPS, np.uint64)
    result = _by_position(positions) if command.kind == "independent" else np.zeros(count, np.uint64)
    for key in command.touched:
        result |= _dependency_masks(service, command, key, columns, positions)
    return result


def _dependency_masks(
    service: Service, command: Command, key: Dependency, columns: Mapping[str, Column], positions: NDArray[Any]
) -> NDArray[np.uint64]:
    if key.domain in service.spread_reads:
        return _by_position(positions) if key.access == "read" else np.full(positions.size, ALL_GROUPS, np.uint64)
    if key.parameter not in columns:
        raise CallError(f"{command.name} has no column {key.parameter!r}; give one for each key")
    groups = key_groups(command.name, key.parameter, command.parameter(key.parameter).type, columns[key.parameter])
    if groups.size != positions.size:
        found = f"{groups.size} rows for {positions.size} positions"
        raise CallError(f"{command.name}: column {key.parameter!r} has {found}; give as many")
    return np.left_shift(_ONE, groups, dtype=np.uint64)


def _by_position(positions: NDArray[Any]) -> NDArray[np.uint64]:
    return np.left_shift(_ONE, (positions % GROUPS).astype(np.uint64), dtype=np.uint64)


def key_groups(command: str, parameter: str, type_: ValueType, column: Column) -> NDArray[np.uint8]:
    """The group of each key in a column, 0 to 63; raises CallError for a column that is not of the type."""
    if isinstance(column, BytesColumn):
        if type_.kind == "bytes":
            return _groups_of_slices(column)
    elif type_.key_kind == "integer":
        if column.ndim == 1 and column.dtype.kind in "iub":
            return _groups_of_integers(column)
    elif type_.kind == "fixed":
        rows = _fixed_rows(column)
        if rows is not None and rows.shape[1] == type_.limit:
            starts = np.arange(len(rows), dtype=np.int64) * type_.limit
            return _groups_of_slices(BytesColumn(rows.reshape(-1), starts, np.full(len(rows), type_.limit, np.int64)))
    found = f"{column.dtype} of shape {column.shape}" if isinstance(column, np.ndarray) else type(column).__name__
    raise CallError(f"{command}: column {parameter!r} of {type_.name} is {found}; give a column of that type")


def _groups_of_integers(column: NDArray[Any]) -> NDArray[np.uint8]:
    wide = column.astype(np.int64).view(np.uint64) if column.dtype.kind == "i" else column.astype(np.uint64)
    groups: NDArray[np.uint8] = groups_of_u64(np.ascontiguousarray(wide))
    return groups


def _groups_of_slices(column: BytesColumn) -> NDArray[np.uint8]:
    offsets = np.ascontiguousarray(column.offsets.astype(np.int64))
    lengths = np.ascontiguousarray(column.lengths.astype(np.int64))
    groups: NDArray[np.uint8] = groups_of_bytes(column.blob.ctypes.data, offsets, lengths)
    return groups


def _fixed_rows(column: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Fixed-size values as rows of bytes; None if the column is nothing of the kind."""
    if column.ndim == 1 and column.dtype.kind in "SV":
        whole = np.ascontiguousarray(column)
        return whole.view(np.uint8).reshape(whole.size, column.dtype.itemsize)
    if column.ndim == 2 and column.dtype == np.uint8:
        return np.ascontiguousarray(column)
    return None


def _mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _U64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _U64
    return value ^ (value >> 31)


def _hash_bytes(content: bytes) -> int:
    value = (len(content) * _PRIME) & _U64
    for start in range(0, len(content), 8):
        word = int.from_bytes(content[start : start + 8], "little")
        value = ((value ^ word) * _PRIME) & _U64
        value ^= value >> 32
    return _mix(value)
