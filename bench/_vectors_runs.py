"""What vector forms share: touching memory ahead of its use, finding runs of calls that commute, taking replies as columns.

A run is consecutive rows of one command that this worker owns alone. If the command writes, no key occurs twice in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from cdep.compiled import compiled, inlined, int64, types
from cdep.hashing import mix
from psmr.execution.dispatch import seek
from psmr.execution.layout import (
    FRAME_COUNT,
    FRAME_HELD,
    FRAME_INDEX,
    FRAME_INDEX_MINE,
    FRAME_OWNERS,
    FRAME_REPLY_COUNT,
    FRAME_REPLY_RECORDS,
    FRAME_REPLY_ROWS,
    FRAME_WORKER,
)
from psmr.execution.row_index import next_row
from psmr.state.words import clear_bytes, load_i64, load_u16, load_u64, store_i64, store_u32

LONGEST = 64
"""Calls taken at once: so many lines on their way fit into the cache nearest to the core."""
SHORTEST = 4
"""Fewer calls are not worth a vector form."""
_STAMPS = 512
_KEY = 8
"""Where a record of the services measured here has its key."""


def _touch(typing_context: Any, address: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer], _fetch_type())
        constants = [ir.Constant(number, value) for value in (0, 3, 1)]
        builder.call(fetch, [builder.inttoptr(arguments[0], pointer), *constants])
        return context.get_dummy_value()

    return types.void(types.int64), code


def _fetch_type() -> Any:
    number = ir.IntType(32)
    return ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), number, number, number])


touch: Any = intrinsic(_touch)
"""`touch(address)` has the processor fetch the line there, whatever it holds, without waiting for it."""


@compiled
def scratch() -> Any:
    """Room for finding runs: two words a key, (run, key), none taken yet; then the run's number."""
    return np.zeros(2 * _STAMPS + 1, np.int64)


@inlined
def _is_new(stamps: Any, key: int) -> bool:
    """Whether the run has not had the key yet; it has from now on."""
    place = int64(mix(np.uint64(key)) & np.uint64(_STAMPS - 1))
    run = stamps[2 * _STAMPS]
    while stamps[2 * place] == run:
        if stamps[2 * place + 1] == key:
            return False
        place = (place + 1) & (_STAMPS - 1)
    stamps[2 * place] = run
    stamps[2 * place + 1] = key
    return True


@inlined
def following(frame: int, row: int) -> int:
    """As `seek`, also where one worker owns everything."""
    if load_i64(frame + FRAME_OWNERS) == 0:
        return row if row < load_i64(frame + FRAME_COUNT) else -1
    return seek(frame, row)


@inlined
def own_row(frame: int, row: int) -> int:
    """The next row from `row` on that the worker executes without meeting anyone, if nothing else comes before it; or −1."""
    count = load_i64(frame + FRAME_COUNT)
    if row >= count:
        return -1
    owners = load_i64(frame + FRAME_OWNERS)
    if owners == 0:
        return row
    if load_i64(frame + FRAME_HELD) != 0:
        return -1
    row = next_row(load_i64(frame + FRAME_INDEX), load_i64(frame + FRAME_INDEX_MINE), row, count)
    if row < count and load_u16(owners + 2 * row) == 1 << load_i64(frame + FRAME_WORKER):
        return row
    return -1


@inlined
def find_run(frame: int, records: int, stride: int, row: int, distinct: bool, stamps: Any, rows: Any) -> int:
    """Put the rows of the run that begins at `row` into `rows`, at most `LONGEST`; how many there are."""
    op = load_u16(records + stride * row)
    stamps[2 * _STAMPS] += 1
    length = 0
    while row >= 0 and length < LONGEST:
        record = records + stride * row
        if load_u16(record) != op or (distinct and not _is_new(stamps, load_i64(record + _KEY))):
            break
        rows[length] = row
        length += 1
        row = own_row(frame, row + 1)
    return length


@inlined
def own_rows(frame: int, row: int, rows: Any) -> int:
    """Put `row`, which the worker executes, and those after it that meet nobody into `rows`; how many there are."""
    rows[0] = row
    length = 1
    after = own_row(frame, row + 1) if own_row(frame, row) == row else -1
    while after >= 0 and length < LONGEST:
        rows[length] = after
        length += 1
        after = own_row(frame, after + 1)
    return length


@inlined
def op_of(record: int) -> int:
    """The command of a record."""
    op: int = int64(load_u16(record))
    return op


@inlined
def key_of(record: int) -> np.uint64:
    """The key of a record."""
    key: np.uint64 = load_u64(record + _KEY)
    return key


@inlined
def column_reply(frame: int, row: int, stride: int) -> int:
    """Take the next reply record for `row`, cleared, without beginning a command."""
    count = load_i64(frame + FRAME_REPLY_COUNT)
    rows = load_i64(frame + FRAME_REPLY_ROWS)
    if rows != 0:
        store_u32(rows + 4 * count, row)
    store_i64(frame + FRAME_REPLY_COUNT, count + 1)
    reply: int = load_i64(frame + FRAME_REPLY_RECORDS) + count * stride
    clear_bytes(reply, stride)
    return reply
