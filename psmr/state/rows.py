"""Rows of fixed size, laid out group by group: the common ground of `Array` and `Table`.

    rows | group 0: blocks of keys with group 0, by key >> 6 | group 1 | … | group 63 |
    block of key k | row k × block | row k × block + 1 | … | row k × block + block − 1 |

Within an aligned range of 64 keys each group occurs once (`cdep.hashing`), so the place of a row is arithmetic. A group's
rows begin on a page of their own: no two workers write one cache line. A block is one row unless it is declared longer, and a
power of two of them: which key a row belongs to is then a shift.
"""

from __future__ import annotations

import numpy as np

from cdep.compiled import inlined, int64
from cdep.hashing import GROUPS, group_of_u64, groups_of_u64
from psmr.state.field import round_up
from psmr.state.region import PAGE_BYTES


def block_bits(owner: str, capacity: int, block: int) -> int:
    """The base-2 logarithm of `block`; raises TypeError unless it is a power of two that divides the capacity."""
    if isinstance(block, bool) or not isinstance(block, int) or block < 1 or block & (block - 1):
        raise TypeError(f"{owner}: expected a block of 1, 2, 4, 8, … rows, found {block!r}")
    if capacity % block:
        raise TypeError(
            f"{owner}: expected a capacity of whole blocks of {block} rows, found {capacity}; "
            f"declare {round_up(capacity, block)}"
        )
    return block.bit_length() - 1


def group_bytes(capacity: int, row_bytes: int, bits: int = 0) -> int:
    """Bytes reserved for one group's rows; a key has a block of 2^`bits` of them."""
    keys = capacity >> bits
    return round_up(round_up(keys, GROUPS) // GROUPS * (row_bytes << bits), PAGE_BYTES)


@inlined
def row_address(base: int, index: int, capacity: int, row_bytes: int, bytes_of_group: int, bits: int) -> int:
    """The address of row `index`; raises IndexError outside 0 … capacity − 1."""
    if index < 0 or index >= capacity:
        raise IndexError("row out of range; a row's index is from 0 to capacity - 1")
    key = index >> bits
    row = ((key >> 6) << bits) + (index & ((1 << bits) - 1))
    return base + int64(group_of_u64(np.uint64(key))) * bytes_of_group + row * row_bytes


def indexes(group: int, row: np.ndarray, bits: int) -> np.ndarray:
    """The indexes of a group's rows, given by their places in the group: `row_address` turned round."""
    above = (row >> bits).astype(np.uint64) << np.uint64(6)
    # Of 64 keys one has this group: the one whose lower bits make up for what the upper ones give.
    key = above | (groups_of_u64(above) ^ np.uint8(group)).astype(np.uint64)
    return (key.astype(np.int64) << bits) | (row & ((1 << bits) - 1))
