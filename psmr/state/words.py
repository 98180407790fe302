"""Reads and writes of raw memory, for compiled code: an address is an int64, a value has its declared type.

State, records and replies lie in memory shared by a replica's processes at one address in all of them, so an address
is all a container has to know.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from cdep.compiled import inlined, types


def _loader(name: str, numba_type: Any) -> Any:
    def typing_and_code(typing_context: Any, address: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], context.get_data_type(numba_type).as_pointer())
            return builder.load(pointer, align=1)

        return numba_type(types.int64), code

    typing_and_code.__name__ = name
    return intrinsic(typing_and_code)


def _storer(name: str, numba_type: Any) -> Any:
    def typing_and_code(typing_context: Any, address: Any, value: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], context.get_data_type(numba_type).as_pointer())
            builder.store(arguments[1], pointer, align=1)
            return context.get_dummy_value()

        return types.void(types.int64, numba_type), code

    typing_and_code.__name__ = name
    return intrinsic(typing_and_code)


load_u8 = _loader("load_u8", types.uint8)
load_u16 = _loader("load_u16", types.uint16)
load_u32 = _loader("load_u32", types.uint32)
load_u64 = _loader("load_u64", types.uint64)
load_i8 = _loader("load_i8", types.int8)
load_i16 = _loader("load_i16", types.int16)
load_i32 = _loader("load_i32", types.int32)
load_i64 = _loader("load_i64", types.int64)
load_f64 = _loader("load_f64", types.float64)

store_u8 = _storer("store_u8", types.uint8)
store_u16 = _storer("store_u16", types.uint16)
store_u32 = _storer("store_u32", types.uint32)
store_u64 = _storer("store_u64", types.uint64)
store_i8 = _storer("store_i8", types.int8)
store_i16 = _storer("store_i16", types.int16)
store_i32 = _storer("store_i32", types.int32)
store_i64 = _storer("store_i64", types.int64)
store_f64 = _storer("store_f64", types.float64)


NAN_BITS = np.uint64(0x7FF8000000000000)
"""The one NaN in state and replies. Which one an operation gives (sign, payload) differs between processors and compilers."""


@inlined
def store_number(address: int, value: float) -> None:
    """`store_f64`, with every NaN as the same bytes."""
    store_f64(address, value)
    if value != value:
        store_u64(address, NAN_BITS)


@intrinsic
def copy_bytes(typing_context: Any, target: Any, source: Any, length: Any) -> Any:
    """`memcpy(target, source, length)`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        target_pointer = builder.inttoptr(arguments[0], byte)
        source_pointer = builder.inttoptr(arguments[1], byte)
        cgutils.raw_memcpy(builder, target_pointer, source_pointer, arguments[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), code


@intrinsic
def clear_bytes(typing_context: Any, target: Any, length: Any) -> Any:
    """`memset(target, 0, length)`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        cgutils.memset(builder, pointer, arguments[1], 0)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), code


@intrinsic
def lowest_bit(typing_context: Any, word: Any) -> Any:
    """The place, 0 to 63, of the lowest bit that is set in a word other than 0."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), code
