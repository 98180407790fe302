"""Rows of fixed size, laid out group by group: the common ground of `Array` and `Table`.

    rows | group 0: rows of keys with group 0, by key >> 6 | group 1 | … | group 63 |

Within an aligned block of 64 keys each group occurs once (`cdep.hashing`), so the place of a row is arithmetic. A group's
rows begin on a page of their own: no two workers write one cache line.
"""

from __future__ import annotations

import numpy as np

from cdep.compiled import inlined, int64
from cdep.hashing import GROUPS, group_of_u64
from psmr.state.field import round_up
from psmr.state.region import PAGE_BYTES


def group_bytes(capacity: int, row_bytes: int) -> int:
    """Bytes reserved for one group's rows."""
    return round_up(round_up(capacity, GROUPS) // GROUPS * row_bytes, PAGE_BYTES)


@inlined
def row_address(base: int, index: int, capacity: int, row_bytes: int, bytes_of_group: int) -> int:
    """The address of row `index`; raises IndexError outside 0 … capacity − 1."""
    if index < 0 or index >= capacity:
        raise IndexError("row out of range; a row's index is from 0 to capacity - 1")
    key = np.uint64(index)
    return base + int64(group_of_u64(key)) * bytes_of_group + (index >> 6) * row_bytes
