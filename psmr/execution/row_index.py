"""Which rows of a batch are whose: made once as the batch is put in place, so that a worker reads only what is its own.

    owners: a u16 a row | several: a bit a row that has several owners | worker 0: a bit a row of its own | worker 1 | …

Each list of bits is whole words. A worker looks for the next bit in its own list or the first, a word (64 rows) at a time.
"""

from __future__ import annotations

from cdep.compiled import compiled, inlined
from psmr.state.words import clear_bytes, load_i64, load_u16, lowest_bit, store_i64


@inlined
def index_place(owners: int, count: int) -> int:
    """Where the lists of a batch of `count` rows begin, behind the owners of its rows."""
    return owners + ((2 * count + 7) & ~7)


@inlined
def list_bytes(count: int) -> int:
    """The length of one list."""
    return ((count + 63) >> 6) << 3


def index_bytes(count: int, workers: int) -> int:
    """How much room owners and lists take together."""
    return ((2 * count + 7) & ~7) + (workers + 1) * (((count + 63) >> 6) << 3)


@compiled
def index_rows(owners: int, count: int, workers: int) -> None:
    """Make the lists from the owners of each row."""
    lists = index_place(owners, count)
    length = list_bytes(count)
    clear_bytes(lists, (workers + 1) * length)
    for row in range(count):
        owner = load_u16(owners + 2 * row)
        several = owner & (owner - 1)
        word = lists + (0 if several else length * (1 + lowest_bit(owner))) + ((row >> 6) << 3)
        store_i64(word, load_i64(word) | (1 << (row & 63)))


@inlined
def next_row(several: int, mine: int, row: int, count: int) -> int:
    """The next row from `row` < `count` on that is in either list; `count` or more if there is none."""
    place = (row >> 6) << 3
    word = (load_i64(several + place) | load_i64(mine + place)) & (-1 << (row & 63))
    while word == 0:
        place += 8
        if place << 3 >= count:
            return count
        word = load_i64(several + place) | load_i64(mine + place)
    return (place << 3) + lowest_bit(word)
