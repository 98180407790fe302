"""The one door to Numba: typed decorators with this project's settings, and reads of raw memory."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import types as numba_types
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.serialize import dumps
from numba.extending import intrinsic

from cdep.code_digest import code_digest

F = TypeVar("F", bound=Callable[..., Any])

types: Any = numba_types
int64: Any = np.int64
"""In compiled code a conversion; to the type checker, which sees interpreted code, whatever is wanted."""


class _Checked(CompileResultCacheImpl):
    """Machine code with a checksum: a damaged file would be executed."""

    def reduce(self, result: Any) -> Any:
        content = dumps(super().reduce(result))
        return hashlib.blake2b(content).digest(), content

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        checksum, content = payload
        if hashlib.blake2b(content).digest() != checksum:
            raise ValueError("machine code on disk: expected its checksum, found another; it is compiled again")
        return super().rebuild(target_context, pickle.loads(content))


class _CodeCache(FunctionCache):
    """Numba's cache on disk, by all that a function is made of. It is a help, and never what stops a process."""

    _impl_class = _Checked

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(signature, target_context)
        except Exception:  # noqa: BLE001 - unpickling a damaged file raises anything
            self._start_anew()
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        try:
            super().save_overload(signature, result)
        except OSError:
            return  # the disk is full or the folder is gone: other processes compile for themselves

    def _start_anew(self) -> None:
        try:
            self.flush()
        except OSError:
            self.disable()

    def _index_key(self, signature: Any, code_generator: Any) -> Any:
        return *super()._index_key(signature, code_generator), np.__version__, code_digest(self._py_func)


def compiled(function: F) -> F:
    """Compile `function` on first call, keep the machine code on disk if possible, and raise where Python would raise."""
    # Said explicitly, because a function that is compiled on behalf of an inlined one inherits this: its machine code, which is
    # kept, would depend on who called it first.
    dispatcher = numba.njit(error_model="python", nogil=True, forceinline=False)(function)
    with suppress(RuntimeError):
        # Numba keeps it beside the source or in the user's cache; where both are read-only, every process compiles anew.
        dispatcher._cache = _CodeCache(function)
    return cast(F, dispatcher)


def inlined(function: F) -> F:
    """As `compiled`, for small leaves: always merged into the compiled function that calls them."""
    # What only C would call is left out: it takes a tenth of the time that compiling a leaf takes.
    return cast(F, numba.njit(error_model="python", nogil=True, forceinline=True, no_cfunc_wrapper=True)(function))


def _load(name: str, numba_type: Any) -> Any:
    """An intrinsic `load(address) -> value` of one type; unaligned addresses are fine."""

    def typing_and_code(typing_context: Any, address: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_data_type(numba_type)
            pointer = builder.inttoptr(arguments[0], kind.as_pointer())
            return builder.load(pointer, align=1)

        return numba_type(types.int64), code

    typing_and_code.__name__ = name
    return intrinsic(typing_and_code)


load_u8 = _load("load_u8", types.uint8)
load_u64 = _load("load_u64", types.uint64)
