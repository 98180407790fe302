"""How each declared type lies in state, and what a handler sees of it.

Integers below 64 bits are seen as int64, `u64` as uint64, in interpreted and compiled code alike, so that arithmetic
wraps the same way in both. A stored integer keeps its declared width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from cdep.compiled import inlined, types
from cdep.types import ValueType
from psmr.state import words
from psmr.state.byte_values import address_of, byte_value, byte_value_at, length_of
from psmr.state.frame import arena_copy, note_word, write_bytes, write_word
from psmr.state.words import load_i64


@dataclass(frozen=True, slots=True)
class Kind:
    """Compiled access to one type of value: `read(frame, address)`, `write(frame, address, value)`."""

    name: str
    seen: Any
    read: Callable[..., Any]
    write: Callable[..., Any]


def _number(name: str, seen: Any, load: Any, store: Any) -> Kind:
    @inlined
    def read(frame: int, address: int) -> Any:
        return seen(load(address))

    @inlined
    def write(frame: int, address: int, value: Any) -> None:
        note_word(frame, address & ~7)
        store(address, value)

    return Kind(name, seen, read, write)


def _boolean() -> Kind:
    @inlined
    def read(frame: int, address: int) -> Any:
        return words.load_u8(address) != 0

    @inlined
    def write(frame: int, address: int, value: Any) -> None:
        note_word(frame, address & ~7)
        words.store_u8(address, 1 if value else 0)

    return Kind("bool", types.boolean, read, write)


@inlined
def _read_variable(frame: int, address: int) -> Any:
    length = load_i64(address)
    return byte_value_at(arena_copy(frame, address + 8, length), length)


@inlined
def _write_variable(frame: int, address: int, value: Any) -> None:
    write_word(frame, address, length_of(value))
    write_bytes(frame, address + 8, address_of(value), length_of(value))


def _variable(name: str, limit: int) -> Kind:
    message = f"a byte value is longer than the {limit} bytes declared for it"

    @inlined
    def write(frame: int, address: int, value: Any) -> None:
        if length_of(value) > limit:
            raise ValueError(message)
        _write_variable(frame, address, value)

    return Kind(name, byte_value, _read_variable, write)


def _fixed(name: str, size_bytes: int) -> Kind:
    message = f"a byte value has not the {size_bytes} bytes declared for it"

    @inlined
    def read(frame: int, address: int) -> Any:
        return byte_value_at(arena_copy(frame, address, size_bytes), size_bytes)

    @inlined
    def write(frame: int, address: int, value: Any) -> None:
        if length_of(value) != size_bytes:
            raise ValueError(message)
        write_bytes(frame, address, address_of(value), size_bytes)

    return Kind(name, byte_value, read, write)


_NUMBERS = {
    "u8": (numba.int64, words.load_u8, words.store_u8),
    "u16": (numba.int64, words.load_u16, words.store_u16),
    "u32": (numba.int64, words.load_u32, words.store_u32),
    "u64": (numba.uint64, words.load_u64, words.store_u64),
    "i8": (numba.int64, words.load_i8, words.store_i8),
    "i16": (numba.int64, words.load_i16, words.store_i16),
    "i32": (numba.int64, words.load_i32, words.store_i32),
    "i64": (numba.int64, words.load_i64, words.store_i64),
    "f64": (numba.float64, words.load_f64, words.store_number),
}
_known: dict[str, Kind] = {}


def kind_of(value: ValueType) -> Kind:
    """The access to values of a declared type; one object a type in a process."""
    if value.name not in _known:
        _known[value.name] = _make(value)
    return _known[value.name]


def _make(value: ValueType) -> Kind:
    if value.name in _NUMBERS:
        return _number(value.name, *_NUMBERS[value.name])
    if value.kind == "bool":
        return _boolean()
    if value.kind == "bytes":
        return _variable(value.name, value.limit)
    return _fixed(value.name, value.limit)


def stored_bytes(value: ValueType) -> int:
    """Bytes that a value takes in an entry or a row, its length word included, before rounding up."""
    return 8 + value.limit if value.kind == "bytes" else np.dtype(value.dtype).itemsize
