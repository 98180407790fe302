"""What processes sharing memory may say to each other: acquire, release, fences, and sleeping on a word.

The order that is promised: whatever a process stored before `store_release(a, v)` is seen by a process whose
`load_acquire(a)` returned `v`. `fence` orders everything before it against everything after it, on all processors;
the sleep protocol needs it (`psmr.execution.waiting`). Linux only: futex(2) for sleeping.
"""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from cdep.compiled import inlined, types
from psmr.state.words import load_i64

_FUTEX_CALL = {"x86_64": 202, "aarch64": 98}[platform.machine()]
_WRITE_CALL = {"x86_64": 1, "aarch64": 64}[platform.machine()]
_FUTEX_WAIT = 0
_FUTEX_WAKE = 1
_EVERY_WAITER = 2**31 - 1

_clock_gettime = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.int64))
_MONOTONIC = 1
_system_call = types.ExternalFunction("syscall", types.int64(*([types.int64] * 7)))


@intrinsic
def load_acquire(typing_context: Any, address: Any) -> Any:
    """Read the u64 at `address`; nothing after it is read earlier."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.int64), code


@intrinsic
def store_release(typing_context: Any, address: Any, value: Any) -> Any:
    """Write the u64 at `address`; nothing before it is written later."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        builder.store_atomic(arguments[1], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), code


@intrinsic
def add_atomic(typing_context: Any, address: Any, amount: Any) -> Any:
    """Add to the u64 at `address`, whoever else adds at the same time; what it was. Orders as `fence` does."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, arguments[1], "seq_cst")

    return types.int64(types.int64, types.int64), code


@intrinsic
def fence(typing_context: Any) -> Any:
    """A sequentially consistent fence."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), code


@intrinsic
def fence_release(typing_context: Any) -> Any:
    """Nothing before it is written later than what follows it: what a writer needs where a reader uses `fence`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("release")
        return context.get_dummy_value()

    return types.void(), code


@intrinsic
def relax(typing_context: Any) -> Any:
    """Tell the processor that this is a spin loop."""
    if platform.machine() == "x86_64":
        name, operands = "llvm.x86.sse2.pause", []
    else:
        name, operands = "llvm.aarch64.hint", [ir.Constant(ir.IntType(32), 1)]

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [operand.type for operand in operands])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, name), operands)
        return context.get_dummy_value()

    return types.void(), code


@intrinsic
def _timeout_on_stack(typing_context: Any, nanoseconds: Any) -> Any:
    """The address of a `struct timespec` that holds `nanoseconds` (below one second), on the caller's stack."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        with builder.goto_entry_block():
            place = builder.alloca(ir.ArrayType(word, 2))
        first = builder.gep(place, [ir.Constant(word, 0), ir.Constant(word, 0)])
        second = builder.gep(place, [ir.Constant(word, 0), ir.Constant(word, 1)])
        builder.store(ir.Constant(word, 0), first)
        builder.store(arguments[0], second)
        return builder.ptrtoint(place, word)

    return types.int64(types.int64), code


@inlined
def sleep_while(word: int, value: int, timeout_ns: int) -> None:
    """Sleep while the low 32 bits at `word` equal `value`, until `wake`, or for at most `timeout_ns` (below 1 s)."""
    _system_call(_FUTEX_CALL, word, _FUTEX_WAIT, value & 0xFFFFFFFF, _timeout_on_stack(timeout_ns), 0, 0)


@inlined
def wake(word: int) -> None:
    """Wake every process that sleeps on `word`."""
    _system_call(_FUTEX_CALL, word, _FUTEX_WAKE, _EVERY_WAITER, 0, 0, 0)


@inlined
def ring_bell(descriptor: int, one: int) -> None:
    """Add one to the eventfd `descriptor`; `one` is the address of a u64 that holds 1."""
    _system_call(_WRITE_CALL, descriptor, one, 8, 0, 0, 0)


LINE_BYTES = 128
"""Two cache lines: what one process writes and another reads keeps this distance (adjacent lines are prefetched in pairs)."""

WORD = np.dtype("<u8")


@inlined
def monotonic_ns(place: int) -> int:
    """Nanoseconds on a clock that never goes back, the same for all processes; `place`: 16 bytes of the caller's."""
    _clock_gettime(_MONOTONIC, place)
    return load_i64(place) * 1_000_000_000 + load_i64(place + 8)
