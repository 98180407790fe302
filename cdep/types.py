"""The types of parameters, replies and keys: fixed-width numbers, `bool`, and bytes with a stated length.

The names `u8` to `f64` are NumPy's own scalar types, so one name serves as annotation and as constructor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

import numpy as np

from cdep.errors import DeclarationError

u8 = np.uint8
u16 = np.uint16
u32 = np.uint32
u64 = np.uint64
i8 = np.int8
i16 = np.int16
i32 = np.int32
i64 = np.int64
f64 = np.float64

LIMIT_OF_MAX_BYTES = 65536 * 16
LIMIT_OF_SIZE_BYTES = 4096

Kind = Literal["int", "uint", "float", "bool", "bytes", "fixed"]


@dataclass(frozen=True, slots=True)
class Max:
    """`Annotated[bytes, Max(n)]`: any bytes of length 0 to n. They travel in the batch's blob."""

    length: int

    def __post_init__(self) -> None:
        _check_length("Max", self.length, LIMIT_OF_MAX_BYTES)


@dataclass(frozen=True, slots=True)
class Size:
    """`Annotated[bytes, Size(n)]`: exactly n bytes. They travel inside the record."""

    length: int

    def __post_init__(self) -> None:
        _check_length("Size", self.length, LIMIT_OF_SIZE_BYTES)


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type as it lies in a record.

    `size_bytes` and `dtype` describe the inline part: for `Max(n)` that is `(offset: u32, length: u32)` into the blob.
    `limit` is the n of `Max(n)` and `Size(n)`, 0 for the others. `python` is the type's name in generated clients.
    """

    name: str
    kind: Kind
    size_bytes: int
    limit: int
    dtype: np.dtype[Any]
    python: Literal["int", "float", "bool", "bytes"]

    @property
    def key_kind(self) -> Literal["integer", "bytes"] | None:
        """Which keys values of this type may be compared with; None where they cannot be keys."""
        if self.kind == "float":
            return None
        return "bytes" if self.kind in ("bytes", "fixed") else "integer"


def value_type(annotation: object) -> ValueType:
    """The value type that `annotation` stands for; raises DeclarationError with a cure for any other annotation."""
    if isinstance(annotation, type) and annotation in _SCALARS:
        return _SCALARS[annotation]
    if get_origin(annotation) is Annotated:
        return _bytes_type(annotation)
    name = annotation.__name__ if isinstance(annotation, type) else repr(annotation)
    raise DeclarationError(f"has the type {name}; {_CURES.get(annotation, _ANY_CURE)}")


def _scalar(scalar: type[Any], name: str, kind: Kind, python: Literal["int", "float", "bool"]) -> ValueType:
    dtype = np.dtype(scalar).newbyteorder("<")
    return ValueType(name, kind, dtype.itemsize, 0, dtype, python)


_SCALARS: dict[type[Any], ValueType] = {
    bool: _scalar(bool, "bool", "bool", "bool"),
    f64: _scalar(f64, "f64", "float", "float"),
    **{t: _scalar(t, f"u{np.dtype(t).itemsize * 8}", "uint", "int") for t in (u8, u16, u32, u64)},
    **{t: _scalar(t, f"i{np.dtype(t).itemsize * 8}", "int", "int") for t in (i8, i16, i32, i64)},
}
_BLOB_SLICE = np.dtype([("offset", "<u4"), ("length", "<u4")])
_ANY_CURE = "use u8 to u64, i8 to i64, f64, bool, Annotated[bytes, Max(n)] or Annotated[bytes, Size(n)]"
_CURES: dict[object, str] = {
    int: "give it a width: u8 to u64 or i8 to i64",
    float: "use f64",
    np.bool_: "use bool",
    str: "encode text and use Annotated[bytes, Max(n)]",
    bytes: "give it a length: Annotated[bytes, Max(n)] or Annotated[bytes, Size(n)]",
}


def _bytes_type(annotation: object) -> ValueType:
    base, *marks = get_args(annotation)
    lengths = [mark for mark in marks if isinstance(mark, Max | Size)]
    if base is not bytes or len(lengths) != 1:
        raise DeclarationError(
            f"has the type {annotation!r}; use Annotated[bytes, Max(n)] or Annotated[bytes, Size(n)], one length each"
        )
    length = lengths[0].length
    if isinstance(lengths[0], Max):
        return ValueType(f"Max({length})", "bytes", _BLOB_SLICE.itemsize, length, _BLOB_SLICE, "bytes")
    # Void, not 'S': NumPy drops an 'S' value's trailing zeros, and a key must keep every byte.
    return ValueType(f"Size({length})", "fixed", length, length, np.dtype(f"V{length}"), "bytes")


def _check_length(name: str, length: object, limit: int) -> None:
    if not isinstance(length, int) or isinstance(length, bool) or not 1 <= length <= limit:
        raise DeclarationError(f"{name}({length!r}) is no length; give a whole number of bytes from 1 to {limit}")
