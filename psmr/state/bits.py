"""Places of bits in a word, for handlers: what a structure of bitmaps is searched by."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from cdep.compiled import overloaded, types
from psmr.state import words
from psmr.state.access import as_integer

_MASK = (1 << 64) - 1


def lowest_bit(word: Any) -> int:
    """The place, 0 to 63, of the lowest bit that is set in a u64 other than 0; of 0 it is 64."""
    bits = as_integer(word, "u64") & _MASK
    return np.int64((bits & -bits).bit_length() - 1 if bits else 64)  # type: ignore[return-value]


def highest_bit(word: Any) -> int:
    """The place, 0 to 63, of the highest bit that is set in a u64 other than 0; of 0 it is −1."""
    return np.int64((as_integer(word, "u64") & _MASK).bit_length() - 1)  # type: ignore[return-value]


@intrinsic
def _leading_zeros(typing_context: Any, word: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), code


@overloaded(lowest_bit)
def _lowest_bit(word: Any) -> Any:
    if not isinstance(word, types.Integer):
        return None

    def place(word: Any) -> int:
        bits = np.uint64(word)
        return 64 if bits == 0 else words.lowest_bit(bits)

    return place


@overloaded(highest_bit)
def _highest_bit(word: Any) -> Any:
    if not isinstance(word, types.Integer):
        return None
    return lambda word: 63 - _leading_zeros(np.uint64(word))
