"""What an interpreted handler's containers work with: a region, a worker's frame, and values as NumPy scalars or bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from cdep.compiled import compiled
from cdep.types import ValueType
from psmr.state import frame as frames
from psmr.state.region import Region
from psmr.state.words import NAN_BITS

STAGING_BYTES = 2 << 20
_SIGNED = {"i8": "<b", "i16": "<h", "i32": "<i", "i64": "<q"}
_UNSIGNED = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q"}
FORMATS = {**_SIGNED, **_UNSIGNED, "f64": "<d"}
"""How `struct` reads each number where it is stored. (NumPy's own type codes are the machine's: its `l` has 8 bytes, not 4.)"""
_MASK = (1 << 64) - 1
_WORD = struct.Struct("<q")
_NAN = NAN_BITS.tobytes()


@compiled
def write_staged(frame: int, address: int, source: int, length: int) -> None:
    """`frame.write_bytes`, callable from interpreted code."""
    frames.write_bytes(frame, address, source, length)


@compiled
def write_staged_variable(frame: int, address: int, source: int, length: int) -> None:
    """Change a variable-length value (length word, then bytes), callable from interpreted code."""
    frames.write_word(frame, address, length)
    frames.write_bytes(frame, address + 8, source, length)


class Access:
    """Interpreted reads and writes of one worker; `staging` is private memory where values are put for compiled code."""

    def __init__(self, region: Region, frame: int, staging: int) -> None:
        self.region = region
        self.frame = frame
        self.staging = staging
        self._memory = region.memory
        self._origin = region.address
        self._staging_place = staging - region.address
        self._arena_next = frame + frames.ARENA_NEXT - region.address
        self._arena_end = region.word(frame + frames.ARENA_END)

    def stage(self, data: bytes) -> int:
        """Put `data` where compiled code can read it until the next call; its address."""
        if len(data) > STAGING_BYTES:
            raise ValueError(f"a byte value of {len(data)} bytes; at most {STAGING_BYTES}")
        self._memory[self._staging_place : self._staging_place + len(data)] = data
        return self.staging

    def take(self, length: int) -> None:
        """Count `length` bytes as read by the command: what compiled code copies into the arena. Raises CommandTooLarge."""
        memory, place = self._memory, self._arena_next
        start = _WORD.unpack_from(memory, place)[0]
        if start + length > self._arena_end:
            raise frames.CommandTooLarge("a command may read at most 32 MiB of byte values; split it")
        _WORD.pack_into(memory, place, (start + length + 7) & ~7)

    def reader(self, value: ValueType) -> Callable[[int], Any]:
        """A function from an address to the value there, as a handler sees it."""
        memory, origin, take = self._memory, self._origin, self.take
        if value.kind == "bytes":
            length_at = _WORD.unpack_from

            def read_variable(address: int) -> bytes:
                place = address - origin
                length = length_at(memory, place)[0]
                take(length)
                return bytes(memory[place + 8 : place + 8 + length])

            return read_variable
        if value.kind == "fixed":
            size = value.limit

            def read_fixed(address: int) -> bytes:
                take(size)
                return bytes(memory[address - origin : address - origin + size])

            return read_fixed
        if value.kind == "bool":
            return lambda address: memory[address - origin] != 0
        if value.kind == "float":
            float_at = struct.Struct("<d").unpack_from
            return lambda address: np.float64(float_at(memory, address - origin)[0])
        seen = np.uint64 if value.name == "u64" else np.int64
        integer_at = struct.Struct(FORMATS[value.name]).unpack_from
        return lambda address: seen(integer_at(memory, address - origin)[0])

    def writer(self, value: ValueType) -> Callable[[int, Any], None]:
        """A function that changes the value at an address, so that it can be undone; wraps as compiled code does."""
        frame = self.frame
        encode = encoder(value)
        if value.kind == "bytes":

            def write_variable(address: int, data: Any) -> None:
                content = encode(data)
                write_staged_variable(frame, address, self.stage(content), len(content))

            return write_variable

        def write(address: int, data: Any) -> None:
            content = encode(data)
            write_staged(frame, address, self.stage(content), len(content))

        return write


def encoder(value: ValueType) -> Callable[[Any], bytes]:
    """A function from a handler's value to its stored bytes; raises TypeError or ValueError for one that does not fit."""
    if value.kind == "bytes":
        return lambda data: _limited(data, value)
    if value.kind == "fixed":
        return lambda data: _exact(data, value)
    if value.kind == "bool":
        return lambda data: b"\1" if data else b"\0"
    if value.kind == "float":
        return _packed_float
    pack = struct.Struct(FORMATS[value.name].upper()).pack
    mask = (1 << (8 * value.size_bytes)) - 1
    return lambda data: pack(as_integer(data, value.name) & mask)


def seen_as(value: ValueType) -> Callable[[Any], Any]:
    """A function from a value that a handler gives to what it would see had the value been stored."""
    if value.kind in ("bytes", "fixed"):
        return lambda data: data
    if value.kind == "bool":
        return bool
    if value.kind == "float":
        return lambda data: np.float64(data)
    if value.name == "u64":
        return lambda data: np.uint64(as_integer(data, value.name) & _MASK)
    return lambda data: np.int64(as_integer(data, value.name))


def key_bits(key: Any) -> np.uint64:
    """An integer key as the 64 bits that are hashed."""
    return np.uint64(as_integer(key, "an integer key") & _MASK)


def as_integer(data: Any, wanted: str) -> int:
    """`data` as a Python integer; what is none is refused, floats and text too, as compiled code refuses them."""
    if isinstance(data, int | np.integer | np.bool):
        return int(data)
    if isinstance(data, float | np.floating):
        raise TypeError(
            f"expected {wanted}, found a float ({data}); u64 with a signed value gives a float: write u64(1)"
        )
    raise _misfit(wanted, data)


def _misfit(wanted: str, data: Any) -> TypeError:
    return TypeError(f"expected {wanted}, found {type(data).__name__} ({data!r})")


def _packed_float(data: Any) -> bytes:
    if isinstance(data, str | bytes):
        raise _misfit("f64", data)
    number = float(data)
    return struct.pack("<d", number) if number == number else _NAN


def _limited(data: Any, value: ValueType) -> bytes:
    _check_bytes(data, value)
    if len(data) > value.limit:
        raise ValueError(f"a byte value is longer than the {value.limit} bytes declared for it")
    return cast(bytes, data)


def _exact(data: Any, value: ValueType) -> bytes:
    _check_bytes(data, value)
    if len(data) != value.limit:
        raise ValueError(f"a byte value has not the {value.limit} bytes declared for it")
    return cast(bytes, data)


def _check_bytes(data: Any, value: ValueType) -> None:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise _misfit(value.name, data)
