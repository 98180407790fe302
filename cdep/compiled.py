"""The one door to Numba: typed decorators with this project's settings, and reads of raw memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import types as numba_types
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

types: Any = numba_types
int64: Any = np.int64
"""In compiled code a conversion; to the type checker, which sees interpreted code, whatever is wanted."""


def compiled(function: F) -> F:
    """Compile `function` on first call, keep the machine code on disk if possible, and raise where Python would raise."""
    dispatcher = numba.njit(error_model="python", nogil=True)(function)
    with suppress(RuntimeError):
        # Numba keeps it beside the source or in the user's cache; where both are read-only, every process compiles anew.
        dispatcher.enable_caching()
    return cast(F, dispatcher)


def inlined(function: F) -> F:
    """As `compiled`, for small leaves: always merged into the compiled function that calls them."""
    return cast(F, numba.njit(error_model="python", nogil=True, forceinline=True)(function))


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
