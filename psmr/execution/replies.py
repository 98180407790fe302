"""From each worker's replies to the reply of the batch: rows in order, the same bytes whatever number of workers."""

from __future__ import annotations

from typing import Any

import numpy as np

from cdep.compiled import compiled, int64
from proxies.layout import REPLY_IN_BLOB, REPLY_WIDE
from psmr.execution.layout import (
    REPLIES_BLOB,
    REPLIES_BLOB_BYTES,
    REPLIES_COUNT,
    REPLIES_RECORDS,
    REPLIES_ROWS,
)
from psmr.state.words import copy_bytes, load_i64, load_u8, load_u32, store_u32


@compiled
def blob_bytes(headers: Any) -> int:
    """How long the blobs of all workers are together."""
    total = 0
    for header in headers:
        total += load_i64(header + REPLIES_BLOB_BYTES)
    return total


@compiled
def merge(headers: Any, count: int, stride: int, target: int, source_of: Any) -> None:
    """Write `count` reply records and then their blob to `target`. `headers`: where each worker's replies begin.

    `source_of` is scratch, `count` int64: from which blob each row's value comes.
    """
    executed = 0
    for header in headers:
        records = load_i64(header + REPLIES_RECORDS)
        rows = load_i64(header + REPLIES_ROWS)
        blob = load_i64(header + REPLIES_BLOB)
        for place in range(load_i64(header + REPLIES_COUNT)):
            row = int64(load_u32(rows + 4 * place)) if rows != 0 else place
            copy_bytes(target + row * stride, records + place * stride, stride)
            source_of[row] = blob
            executed += 1
    if executed != count:
        raise AssertionError("the workers' replies do not cover the batch")
    used = 0
    blob = target + count * stride
    for row in range(count):
        record = target + row * stride
        if load_u8(record + REPLY_IN_BLOB) != 0:
            length = int64(load_u32(record + REPLY_WIDE + 4))
            copy_bytes(blob + used, source_of[row] + int64(load_u32(record + REPLY_WIDE)), length)
            store_u32(record + REPLY_WIDE, used)
            used += length


def in_batch_order(body: Any, count: int, stride: int, places: Any) -> Any:
    """Reply records and blob, the records moved from the order of execution to that of the batch."""
    ordered = np.array(body, np.uint8)
    rows = ordered[: count * stride].reshape(count, stride)
    rows[places] = np.frombuffer(body, np.uint8, count * stride).reshape(count, stride)
    return ordered.data
