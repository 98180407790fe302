"""Every store of compiled code, recorded as it is made: where, and how many bytes.

Machine code of the engine and of services reaches memory through the primitives of `psmr.state.words` and
`psmr.state.atomics`. `record_stores` puts recording ones in their place before anything is built from them: it is called
first thing in a process of its own, and what that process compiles is kept apart from what replicas run.

    log | how many entries: a word | pad to 64 bytes | (address, bytes; −2: a 16-bit load) | …

A store is recorded as the source asks for it: the optimiser may leave one out or join two, it invents none. What interpreted
code and the kernel write is not seen; whoever uses the log compares it with what has changed.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import mmap
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cdep.compiled import inlined

ENTRIES_MAX = 1 << 22
LOAD_BYTES = -2
"""In place of a length: 16 bits were read. Only the owners of rows and the numbers of commands are read so."""

_LOG_ADDRESS = 0x2000_0000_0000
"""Fixed, for it is part of machine code that is kept on disk."""
_HEAD_BYTES = 64
_LOG_BYTES = _HEAD_BYTES + 16 * ENTRIES_MAX
_MAP_FIXED_NOREPLACE = 0x100000
_CLOCK_BYTES = 16
_ENGINE = ("psmr.state", "psmr.execution")
_WORD = ir.IntType(64)
_STORED_BYTES = {f"store_{kind}{bits}": bits // 8 for kind in "ui" for bits in (8, 16, 32, 64)} | {"store_f64": 8}

Length = Callable[[Any], Any]
"""From the arguments of a primitive, as LLVM values, to the length of what it writes."""


class Log:
    """What was stored since `clear`. One a process."""

    def __init__(self) -> None:
        mapped = _map_at(_LOG_ADDRESS, _LOG_BYTES)
        self._words = np.ctypeslib.as_array((ctypes.c_int64 * (_LOG_BYTES // 8)).from_address(mapped))

    def clear(self) -> None:
        """Forget everything."""
        self._words[0] = 0

    def entries(self) -> np.ndarray[Any, Any]:
        """Rows of (address, bytes), in the order of the stores. Raises AssertionError for more than `ENTRIES_MAX`."""
        count = int(self._words[0])
        if count > ENTRIES_MAX:
            raise AssertionError(f"lines: expected at most {ENTRIES_MAX:,} stores at once, found {count:,}: batch less")
        first = _HEAD_BYTES // 8
        entries: np.ndarray[Any, Any] = self._words[first : first + 2 * count].reshape(count, 2).copy()
        return entries


def record_stores(folder: Path) -> Log:
    """Record from now on, in all that is compiled; `folder` keeps it. Raises RuntimeError where the engine is loaded already."""
    loaded = [name for name in sys.modules if name.startswith(_ENGINE)]
    if loaded:
        raise RuntimeError(f"expected a process that has not loaded the engine, found {loaded[0]}: start a fresh one")
    os.environ["PSMR_CACHE"] = os.environ["NUMBA_CACHE_DIR"] = str(folder)
    log = Log()
    words = importlib.import_module("psmr.state.words")
    for name, length_bytes in _STORED_BYTES.items():
        _record(words, name, _fixed(length_bytes))
    _record(words, "load_u16", _fixed(LOAD_BYTES))
    _record(words, "copy_bytes", lambda arguments: arguments[2])
    _record(words, "clear_bytes", lambda arguments: arguments[1])
    atomics = importlib.import_module("psmr.state.atomics")
    _record(atomics, "store_release", _fixed(8))
    _record(atomics, "add_atomic", _fixed(8))
    vars(atomics)["monotonic_ns"] = _noting_clock(atomics.monotonic_ns)
    return log


def _fixed(length_bytes: int) -> Length:
    def length(arguments: Any) -> Any:
        return ir.Constant(_WORD, length_bytes)

    return length


def _record(module: Any, name: str, length: Length) -> None:
    """Replace a primitive, whose first argument is an address, by one that notes its use first."""
    define = getattr(module, name)._defn

    @functools.wraps(define)
    def typing_and_code(*context_and_types: Any) -> Any:
        signature, code = define(*context_and_types)

        def recording(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _note(builder, arguments[0], length(arguments))
            return code(context, builder, signature, arguments)

        return signature, recording

    vars(module)[name] = intrinsic(typing_and_code)


def _note(builder: Any, address: Any, length: Any) -> None:
    """The code that appends an entry; beyond the log's end entries overwrite its first ones, and only the count grows."""

    def pointer(place: Any) -> Any:
        return builder.inttoptr(place, _WORD.as_pointer())

    head = pointer(ir.Constant(_WORD, _LOG_ADDRESS))
    count = builder.load(head)
    place = builder.mul(builder.and_(count, ir.Constant(_WORD, ENTRIES_MAX - 1)), ir.Constant(_WORD, 16))
    entry = builder.add(place, ir.Constant(_WORD, _LOG_ADDRESS + _HEAD_BYTES))
    builder.store(address, pointer(entry))
    builder.store(length, pointer(builder.add(entry, ir.Constant(_WORD, 8))))
    builder.store(builder.add(count, ir.Constant(_WORD, 1)), head)


def _write_note(typing_context: Any, address: Any, length: Any) -> Any:
    """Append an entry."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _note(builder, arguments[0], arguments[1])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), code


_note_write = intrinsic(_write_note)


def _noting_clock(monotonic_ns: Any) -> Any:
    @inlined
    def noting(place: int) -> int:
        """As the engine's, whose system call writes to `place`."""
        _note_write(place, _CLOCK_BYTES)
        nanoseconds: int = monotonic_ns(place)
        return nanoseconds

    return noting


def _map_at(address: int, size_bytes: int) -> int:
    """Private memory at an address; it is taken as it is touched. Raises OSError if something is there already."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *([ctypes.c_int] * 3), ctypes.c_long)
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED_NOREPLACE
    found = library.mmap(address, size_bytes, protection, flags, -1, 0)
    if found != address:
        error = ctypes.get_errno()
        raise OSError(error, f"expected free memory at {address:#x} for the log of stores, found: {os.strerror(error)}")
    return address
