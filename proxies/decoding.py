"""From reply records to values: what a handler returned, that it returned None, or what it raised."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxies.layout import NONE, RAISED, REPLY_WIDE, VALUE, CommandLayout

Buffer = bytes | memoryview

_STATUS = struct.Struct("<H")
_SLICE = struct.Struct("<II")


class ReplyDecoder:
    """Decodes replies to one command. Rows without a value read 0, False or b"" in a column."""

    __slots__ = ("_dtype", "_fixed", "_offset", "_type", "_unpack")

    def __init__(self, layout: CommandLayout, stride: int) -> None:
        self._type = layout.command.reply
        self._dtype = layout.reply_dtype(stride)
        self._offset = layout.reply_offset
        self._fixed = self._type.limit if self._type is not None and self._type.kind == "fixed" else 0
        simple = self._type is not None and self._type.python != "bytes"
        self._unpack = struct.Struct("<" + _code(self._type.dtype)).unpack_from if simple and self._type else None

    def one(self, record: Buffer, blob: Buffer) -> tuple[int, Any]:
        """(status, value) of one reply record; the value of a raised command is its text."""
        status = _STATUS.unpack_from(record)[0]
        if status == RAISED:
            return RAISED, _text(record, blob)
        if status == NONE or self._type is None:
            return status, None
        if self._unpack is not None:
            return VALUE, self._unpack(record, self._offset)[0]
        if self._fixed:
            return VALUE, bytes(record[REPLY_WIDE : REPLY_WIDE + self._fixed])
        start, length = _SLICE.unpack_from(record, REPLY_WIDE)
        return VALUE, bytes(blob[start : start + length])

    def rows(self, records: Buffer) -> NDArray[np.void]:
        """Reply records as an array: `status`, `value`, and where a raised command's text lies."""
        return np.frombuffer(records, self._dtype)

    def values(self, rows: NDArray[np.void], blob: Buffer) -> Any:
        """The values of many replies: an array of numbers or bools, a list of bytes, None if it returns none."""
        if self._type is None:
            return None
        present = rows["status"] == VALUE
        values = rows["value"]
        if self._type.kind == "bytes":
            # Where a raised command keeps its text, no value lies.
            starts, lengths = values["offset"].tolist(), np.where(present, values["length"], 0).tolist()
            content = bytes(blob)
            return [content[start : start + length] for start, length in zip(starts, lengths, strict=True)]
        if self._fixed:
            return [
                row if there else b"" for row, there in zip(_cut(values, self._fixed), present.tolist(), strict=True)
            ]
        return np.ascontiguousarray(values) if present.all() else np.where(present, values, values.dtype.type(0))

    def texts(self, rows: NDArray[np.void], blob: Buffer) -> dict[int, str]:
        """What the rows raised that did, by row."""
        raised = np.flatnonzero(rows["status"] == RAISED)
        starts, lengths = rows["text_offset"][raised].tolist(), rows["text_length"][raised].tolist()
        found = zip(raised.tolist(), starts, lengths, strict=True)
        return {row: bytes(blob[start : start + length]).decode("utf-8", "replace") for row, start, length in found}


def _text(record: Buffer, blob: Buffer) -> str:
    start, length = _SLICE.unpack_from(record, REPLY_WIDE)
    return bytes(blob[start : start + length]).decode("utf-8", "replace")


def _cut(values: NDArray[np.void], size: int) -> list[bytes]:
    content = values.tobytes()
    return [content[place : place + size] for place in range(0, len(content), size)]


def _code(dtype: np.dtype[Any]) -> str:
    return {"l": "q", "L": "Q"}.get(dtype.char, dtype.char) if dtype.itemsize == 8 else dtype.char
