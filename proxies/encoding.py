"""From calls to records: one call, or columns of calls, as they lie in a batch.

A value that does not fit its parameter is a CallError of one line: command, parameter, row, expected, found.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cdep
from cdep import CallError, Service, ValueType
from proxies.columns import MisfitError, as_column, byte_strings, expected, fixed, misfit, numbers
from proxies.layout import CommandLayout, Field, layout_of

_SLICE = struct.Struct("<II")
BLOB_BYTES_MAX = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Encoded:
    """Calls as part of a batch: `count` records of one stride, and the blob that they point into.

    Columns have their command's stride. Single calls have the service's, so that calls of different commands share a batch.
    """

    records: bytes
    count: int
    blob: bytes

    @property
    def stride(self) -> int:
        """Bytes of a record; 0 of none."""
        return len(self.records) // self.count if self.count else 0


class CommandEncoder:
    """Encodes calls of one command."""

    __slots__ = ("_dtype", "_fields", "_head", "_layout", "_packed", "_slices", "_struct", "command", "pack", "service")

    pack: Callable[..., bytes] | None
    """The record of one call in a single step, for a command of integers only; raises struct.error for what `one` refuses."""

    def __init__(self, service: Service, layout: CommandLayout) -> None:
        self.service = service
        self.command = layout.command
        self._fields = layout.fields
        self._layout = layout
        self._dtype = layout.dtype(layout.stride)
        self._struct = _packing(layout, layout_of(service).stride)
        # In the order of their offsets, as `struct` wants them: (place among the arguments, field).
        self._packed = tuple(sorted(enumerate(layout.fields), key=lambda placed: placed[1].offset))
        self._slices = tuple(field.offset for field in layout.fields if field.type.kind == "bytes")
        self._head = layout.command.op
        in_order = all(place == other for other, (place, _) in enumerate(self._packed))
        is_plain = in_order and all(field.type.kind in ("int", "uint") for field in layout.fields)
        self.pack = partial(self._struct.pack, self._head) if is_plain else None

    def one(self, arguments: Sequence[object]) -> Encoded:
        """One call; its blob offsets count from 0."""
        if self.pack is not None:
            try:
                return Encoded(self.pack(*arguments), 1, b"")
            except (struct.error, OverflowError):
                pass  # what it is that does not fit is found below
        if len(arguments) != len(self._fields):
            names = ", ".join(field.name for field in self._fields)
            raise CallError(
                f"{self._name}: expected {len(self._fields)} arguments, found {len(arguments)}: give ({names})"
            )
        values: list[Any] = [self._head]
        blob = b""
        for place, field in self._packed:
            value: Any = arguments[place]
            kind = field.type.kind
            if kind != "int" and kind != "uint" and misfit(field.type, value) is not None:
                raise self._refusal(arguments)
            if kind == "bytes":
                values += (len(blob), len(value))
                blob += value
            else:
                values.append(value)
        try:
            return Encoded(self._struct.pack(*values), 1, blob)
        except (struct.error, OverflowError):
            raise self._refusal(arguments) from None

    def rebase(self, record: bytes, base: int) -> bytes:
        """A record made by `one`, for a batch in which its blob begins at `base`."""
        if base == 0 or not self._slices:
            return record
        moved = bytearray(record)
        for offset in self._slices:
            start, length = _SLICE.unpack_from(record, offset)
            _SLICE.pack_into(moved, offset, base + start, length)
        return bytes(moved)

    def columns(self, columns: Sequence[object], base: int = 0) -> Encoded:
        """Many calls: a column for each parameter, all of one length; their blob begins at `base`."""
        given = [self._as_column(field, values) for field, values in zip(self._fields, columns, strict=True)]
        count = self._common_length(given)
        if count == 0:
            return Encoded(b"", 0, b"")
        records = self._blank(count)
        blob: list[bytes] = []
        for field, values in zip(self._fields, given, strict=True):
            try:
                base = _write(records, field, values, blob, base)
            except MisfitError as error:
                raise self._misplaced(field, error) from None
        if base > BLOB_BYTES_MAX:
            raise CallError(f"{self._name}: expected a blob of at most {BLOB_BYTES_MAX} bytes, found {base} bytes")
        return Encoded(records.tobytes(), count, b"".join(blob))

    def repeat(self, count: int) -> Encoded:
        """`count` calls of a command without parameters."""
        if not isinstance(count, int) or count < 0:
            raise CallError(f"{self._name}: expected how many calls, an int from 0 on, found {count!r}")
        return Encoded(self._blank(count).tobytes(), count, b"")

    def masks(self, encoded: Encoded, first_position: int = 0) -> NDArray[np.uint64]:
        """C-G of encoded calls that stand one after another from a position on: 64 bits of groups a row."""
        rows = np.frombuffer(encoded.records, self._layout.dtype(encoded.stride or self._layout.stride))
        blob = np.frombuffer(encoded.blob, np.uint8)
        columns: Mapping[str, cdep.Column] = {f.name: key_column(f.type, rows[f.name], blob) for f in self._fields}
        positions = np.arange(first_position, first_position + encoded.count)
        return cdep.masks(self.service, self.command, columns, positions)

    @property
    def _name(self) -> str:
        return f"{self.service.name}.{self.command.name}"

    def _blank(self, count: int) -> NDArray[np.void]:
        records: NDArray[np.void] = np.zeros(count, self._dtype)
        records["op"] = self._head
        return records

    def _as_column(self, field: Field, values: object) -> Any:
        try:
            return as_column(values)
        except MisfitError as error:
            raise self._misplaced(field, error) from None

    def _common_length(self, columns: Sequence[Any]) -> int:
        lengths = [len(values) for values in columns]
        if min(lengths) != max(lengths):
            found = ", ".join(f"{field.name}: {length}" for field, length in zip(self._fields, lengths, strict=True))
            raise CallError(f"{self._name}: expected columns of one length, found {found}")
        return lengths[0]

    def _misplaced(self, field: Field, error: MisfitError) -> CallError:
        row = "" if error.row is None else f", row {error.row}"
        return CallError(f"{self._name}: parameter {field.name!r}{row}: {error}")

    def _refusal(self, arguments: Sequence[object]) -> CallError:
        for field, value in zip(self._fields, arguments, strict=True):
            found = misfit(field.type, value)
            if found is not None:
                return self._misplaced(field, MisfitError(expected(field.type), found))
        return CallError(f"{self._name}: expected numbers that fit 64 bits, found {arguments!r}")


def joined(parts: Sequence[Encoded]) -> Encoded:
    """Calls one after another, with the widest stride of them; the blob offsets of each must count from where its blob goes."""
    stride = max((part.stride for part in parts), default=0)
    records = b"".join(widened(part.records, part.count, stride) for part in parts if part.count)
    return Encoded(records, sum(part.count for part in parts), b"".join(part.blob for part in parts))


def widened(records: bytes, count: int, stride: int) -> bytes:
    """The same records with a wider stride."""
    narrow = len(records) // count
    if narrow == stride:
        return records
    wide = np.zeros((count, stride), np.uint8)
    wide[:, :narrow] = np.frombuffer(records, np.uint8).reshape(count, narrow)
    return wide.tobytes()


def _write(records: NDArray[np.void], field: Field, values: Any, blob: list[bytes], base: int) -> int:
    """Write one column into its field; returns where the next column's bytes begin in the blob."""
    if field.type.kind == "bytes":
        content, lengths = byte_strings(field.type, values)
        slices = records[field.name]
        slices["offset"] = np.cumsum(lengths) - lengths + base
        slices["length"] = lengths
        blob.append(content)
        return base + len(content)
    records[field.name] = fixed(field.type, values) if field.type.kind == "fixed" else numbers(field.type, values)
    return base


def key_column(type_: ValueType, rows: NDArray[Any], blob: NDArray[np.uint8]) -> cdep.Column:
    """One field of many records as `cdep.masks` takes it."""
    return cdep.BytesColumn(blob, rows["offset"], rows["length"]) if type_.kind == "bytes" else rows


def _packing(layout: CommandLayout, stride: int) -> struct.Struct:
    """The record as `struct` packs it: op, then the fields by offset, with padding between them."""
    parts, place = ["<H"], 2
    for field in sorted(layout.fields, key=lambda field: field.offset):
        kind = field.type.kind
        code = "II" if kind == "bytes" else f"{field.type.limit}s" if kind == "fixed" else field.type.dtype.char
        parts += [f"{field.offset - place}x", _STANDARD.get((code, field.type.size_bytes), code)]
        place = field.offset + field.type.size_bytes
    return struct.Struct("".join([*parts, f"{stride - place}x"]))


# NumPy's 64-bit integers are 'l', which `struct` takes for 32 bits.
_STANDARD = {("l", 8): "q", ("L", 8): "Q"}
