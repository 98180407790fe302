"""Value types: what an annotation stands for in a record."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pytest

from cdep import DeclarationError, Max, Size, f64, i8, i16, i32, i64, u8, u16, u32, u64, value_type


@pytest.mark.parametrize(
    ("annotation", "name", "kind", "size_bytes", "python", "dtype"),
    [
        (u8, "u8", "uint", 1, "int", "u1"),
        (u16, "u16", "uint", 2, "int", "<u2"),
        (u32, "u32", "uint", 4, "int", "<u4"),
        (u64, "u64", "uint", 8, "int", "<u8"),
        (i8, "i8", "int", 1, "int", "i1"),
        (i16, "i16", "int", 2, "int", "<i2"),
        (i32, "i32", "int", 4, "int", "<i4"),
        (i64, "i64", "int", 8, "int", "<i8"),
        (f64, "f64", "float", 8, "float", "<f8"),
        (bool, "bool", "bool", 1, "bool", "?"),
        (Annotated[bytes, Size(16)], "Size(16)", "fixed", 16, "bytes", "V16"),
        (Annotated[bytes, Max(32)], "Max(32)", "bytes", 8, "bytes", [("offset", "<u4"), ("length", "<u4")]),
    ],
)
def test_value_types(
    annotation: object, name: str, kind: str, size_bytes: int, python: str, dtype: np.typing.DTypeLike
) -> None:
    found = value_type(annotation)
    assert (found.name, found.kind, found.size_bytes, found.python) == (name, kind, size_bytes, python)
    assert found.dtype == np.dtype(dtype)
    assert found.dtype.itemsize == size_bytes


def test_only_bytes_have_a_limit() -> None:
    assert value_type(Annotated[bytes, Max(32)]).limit == 32
    assert value_type(Annotated[bytes, Size(4)]).limit == 4
    assert value_type(u64).limit == 0


def test_types_are_constructors_too() -> None:
    assert u8(255) + u8(0) == 255
    assert i64(-1) == -1


@pytest.mark.parametrize(
    ("annotation", "cure"),
    [
        (int, "give it a width"),
        (float, "use f64"),
        (str, "Annotated[bytes, Max(n)]"),
        (bytes, "give it a length"),
        (np.bool_, "use bool"),
        (list[int], "use u8 to u64"),
        (None, "use u8 to u64"),
        (Annotated[bytes, "thirty"], "one length each"),
        (Annotated[bytes, Max(3), Size(3)], "one length each"),
        (Annotated[str, Max(3)], "Annotated[bytes, Max(n)]"),
    ],
)
def test_other_annotations_are_refused_with_a_cure(annotation: object, cure: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        value_type(annotation)
    assert cure in str(caught.value)


def test_lengths_at_their_limits() -> None:
    assert Max(1).length == 1
    assert Max(65536 * 16).length == 65536 * 16
    assert Size(4096).length == 4096


@pytest.mark.parametrize("length", [0, -1, 65536 * 16 + 1, True, 1.0, "8"])
def test_max_refuses_other_lengths(length: int) -> None:
    with pytest.raises(DeclarationError, match=r"Max\(.*from 1 to 1048576"):
        Max(length)


@pytest.mark.parametrize("length", [0, 4097])
def test_size_refuses_other_lengths(length: int) -> None:
    with pytest.raises(DeclarationError, match=r"Size\(.*from 1 to 4096"):
        Size(length)
