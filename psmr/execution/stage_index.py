"""Who runs which stage of which row of a staged batch, and the words that pass from early stages to main stages.

    owners: two u16 a row | early stages: a list of bits for each worker | main stages: likewise | ended: a byte a row |
    carried: count pairs of words for each worker

The owners of a row are those of its early stage and those of its main stage, a bit a worker; 0: it has none. A row that one
worker decides as a whole has EXACT in place of the latter, and in place of the former the workers whose early stages must not
pass it; the lowest of them decides it.

`carried` and `ended` are written by the worker that owns a row's early stage before it publishes a frontier behind the row, and
read by the one that owns its main stage after that. A worker's words lie together: no line has two writers.
"""

from __future__ import annotations

from cdep.compiled import compiled, inlined
from psmr.execution.row_index import list_bytes
from psmr.state.words import clear_bytes, load_i64, load_u16, lowest_bit, store_i64

EXACT = 0xFFFF
CARRIED_BYTES = 16
"""Of a row: what its early stage has answered, and the fold of what it wrote."""


@inlined
def early_list(owners: int, count: int, worker: int) -> int:
    """Where the list of rows begins whose early stage a worker runs or must not pass."""
    return owners + ((4 * count + 7) & ~7) + worker * list_bytes(count)


@inlined
def main_list(owners: int, count: int, workers: int, worker: int) -> int:
    """Where the list of rows begins whose main stage a worker runs."""
    return early_list(owners, count, workers + worker)


@inlined
def ended_bytes(owners: int, count: int, workers: int) -> int:
    """Where the bytes begin that say whose early stage has ended the command."""
    return early_list(owners, count, 2 * workers)


@inlined
def carried_words(owners: int, count: int, workers: int) -> int:
    """Where the carried pairs begin, those of worker 0 first."""
    return ended_bytes(owners, count, workers) + ((count + 7) & ~7)


def stage_index_bytes(count: int, workers: int) -> int:
    """How much room all of it takes."""
    lists = 2 * workers * (((count + 63) >> 6) << 3)
    return ((4 * count + 7) & ~7) + lists + ((count + 7) & ~7) + CARRIED_BYTES * count * workers


@inlined
def _mark(place: int, row: int) -> None:
    word = place + ((row >> 6) << 3)
    store_i64(word, load_i64(word) | (1 << (row & 63)))


@compiled
def index_stages(owners: int, count: int, workers: int) -> None:
    """Make the lists from the owners of each row; no command has ended yet."""
    lists = early_list(owners, count, 0)
    clear_bytes(lists, carried_words(owners, count, workers) - lists)
    length = list_bytes(count)
    for row in range(count):
        early = load_u16(owners + 4 * row)
        main = load_u16(owners + 4 * row + 2)
        while early != 0:
            _mark(lists + length * lowest_bit(early), row)
            early &= early - 1
        if main != 0 and main != EXACT:
            _mark(lists + length * (workers + lowest_bit(main)), row)


@inlined
def next_in(place: int, row: int, count: int) -> int:
    """The next row from `row` < `count` on in a list; `count` or more if there is none."""
    offset = (row >> 6) << 3
    word = load_i64(place + offset) & (-1 << (row & 63))
    while word == 0:
        offset += 8
        if offset << 3 >= count:
            return count
        word = load_i64(place + offset)
    return (offset << 3) + lowest_bit(word)
