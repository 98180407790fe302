"""The one door to Numba: typed decorators with this project's settings, and reads of raw memory."""

from __future__ import annotations

import gc
import hashlib
import pickle
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
from numba.core import types as numba_types
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache
from numba.core.registry import CPUDispatcher
from numba.core.serialize import dumps
from numba.extending import intrinsic, overload, overload_method

from cdep.code_digest import code_digest
from cdep.merging import MergedCompiler, MergingCompiler

F = TypeVar("F", bound=Callable[..., Any])

types: Any = numba_types
int64: Any = np.int64
"""In compiled code a conversion; to the type checker, which sees interpreted code, whatever is wanted."""


_OPTIONS: dict[str, Any] = {"nopython": True, "error_model": "python", "nogil": True, "no_cfunc_wrapper": True}
# Not to merge is said explicitly, because a function that is compiled on behalf of a merged one inherits what is not: its
# machine code, which is kept, would depend on who called it first.
_RUN = _OPTIONS | {"forceinline": False}
_MERGED = _OPTIONS | {"forceinline": True, "no_cpython_wrapper": True}


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


class _Function(CPUDispatcher):
    """Numba's, which compiles without the garbage collector: it finds next to nothing, and takes a fifth of the time."""

    def compile(self, signature: Any) -> Any:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return super().compile(signature)
        finally:
            if was_enabled:
                gc.enable()

    def keep(self) -> None:
        """Keep the machine code on disk, beside the source or in the user's cache, unless both are read-only."""
        with suppress(RuntimeError):
            self._cache: Any = _CodeCache(self.py_func)


class _Inlined(_Function):
    """To Python a compiled function like any other, made when it is first called; to compiled code what is merged into it."""

    def __init__(self, function: Any) -> None:
        super().__init__(function, targetoptions=_RUN, pipeline_class=MergingCompiler)
        self._merged = merged(function)

    def compile(self, signature: Any) -> Any:
        if isinstance(self._cache, NullCache):
            self.keep()
        return super().compile(signature)

    def get_call_template(self, arguments: Any, keywords: Any) -> Any:
        return self._merged.get_call_template(arguments, keywords)

    def get_overload(self, signature: Any) -> Any:
        return self._merged.get_overload(signature)


def compiled(function: F) -> F:
    """Compile `function` on first call, keep the machine code on disk if possible, and raise where Python would raise."""
    found = _Function(function, targetoptions=_RUN, pipeline_class=MergingCompiler)
    found.keep()
    return cast(F, found)


def inlined(function: F) -> F:
    """As `compiled`, for small leaves: always merged into the compiled function that calls them."""
    return cast(F, _Inlined(function))


def merged(function: Callable[..., Any]) -> Any:
    """As `inlined`, for what Python never calls."""
    return _Function(function, targetoptions=_MERGED, pipeline_class=MergedCompiler)


_OVERLOADED = {"strict": False, "jit_options": _MERGED | {"pipeline_class": MergedCompiler}}
overloaded: Any = partial(overload, **_OVERLOADED)
"""Numba's `overload`, whose implementations are merged into the compiled functions that call them."""
overloaded_method: Any = partial(overload_method, **_OVERLOADED)
"""Likewise for methods of a type."""


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
