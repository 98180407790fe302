"""The hash of which command digests are made: a product of two words, of which both halves count.

As in wyhash (Wang Yi, 2019) after NH (Black, Halevi, Krawczyk, Krovetz, Rogaway, CRYPTO '99): one multiplication takes in two
words, whatever bits of them differ, and products of further words wait for none before them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from cdep.compiled import inlined, types
from psmr.state.words import load_u8, load_u64

_FIRST = np.uint64(0xA0761D6478BD642F)
_SECOND = np.uint64(0xE7037ED1A0B428DB)
_STEP = np.uint64(0x9E3779B97F4A7C16)
"""Between what is added to one pair of words and to the next."""
_8 = np.uint64(8)


@intrinsic
def product(typing_context: Any, left: Any, right: Any) -> Any:
    """The upper half of the product of two uint64, exclusive or the lower."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        whole = builder.mul(*(builder.zext(argument, wide) for argument in arguments))
        upper = builder.trunc(builder.lshr(whole, ir.Constant(wide, 64)), ir.IntType(64))
        return builder.xor(upper, builder.trunc(whole, ir.IntType(64)))

    return types.uint64(types.uint64, types.uint64), code


@inlined
def pair(left: np.uint64, right: np.uint64) -> np.uint64:
    """Of two words."""
    return product(left ^ _FIRST, right ^ _SECOND)


@inlined
def placed(word: np.uint64, place: np.uint64) -> np.uint64:
    """Of a word at a place, less than 2⁶³: for sums, in which their order does not count."""
    return product(word ^ _FIRST, place ^ _SECOND)


@inlined
def _tail(address: int, length: int) -> np.uint64:
    """The last bytes, fewer than 8, as a word: nothing behind them is read."""
    word = np.uint64(0)
    for place in range(length - 1, -1, -1):
        word = (word << _8) | np.uint64(load_u8(address + place))
    return word


@inlined
def content(address: int, length: int) -> np.uint64:
    """Of `length` bytes."""
    total = np.uint64(0)
    step = np.uint64(0)
    end = address + (length & ~15)
    while address < end:
        total += pair(load_u64(address) + step, load_u64(address + 8) + step)
        step += _STEP
        address += 16
    if length & 15:
        last = np.uint64(0)
        if length & 8:
            last = load_u64(address)
            address += 8
        total += pair(last + step, _tail(address, length & 7) if length & 7 else np.uint64(0))
    return pair(total, np.uint64(length))


@inlined
def record_content(address: int, end: int) -> np.uint64:
    """Of the words of a record behind its first two, by pairs; a pair of zeros counts nothing."""
    total = np.uint64(0)
    step = _STEP
    while address < end:
        left = load_u64(address)
        right = load_u64(address + 8) if address + 8 < end else np.uint64(0)
        if left | right:
            total += pair(left + step, right + step)
        step += _STEP
        address += 16
    return total
