"""What the growing services mean, in NumPy: the replies that a round of commands must get.

Nothing here is taken from the engine but the layout of records and replies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench._growth_services import KEYS_MAX, GrowingMap
from cdep import service_of
from proxies.layout import layout_of

Records = NDArray[np.void]
Numbers = NDArray[np.uint64]
_SERVICE = service_of(GrowingMap)
LAYOUT = layout_of(_SERVICE)
GET, PUT, ADD = (_SERVICE.command(name).op for name in ("get", "put", "add"))


def commands(op: int | NDArray[Any], keys: NDArray[Any], values: NDArray[Any] | int) -> Records:
    """Records of one command each: `op` on `keys`; a get's value is 0."""
    records: Records = np.zeros(len(keys), LAYOUT.command("put").dtype(LAYOUT.stride))
    records["op"] = op
    records["key"] = keys
    records["value"] = np.where(records["op"] == GET, np.uint64(0), values)
    return records


def mixed(random: np.random.Generator, keys: NDArray[Any]) -> Records:
    """A get or a put, as likely as each other, on each of `keys`."""
    ops = np.where(random.random(len(keys)) < 0.5, PUT, GET)
    return commands(ops, keys, random.integers(1, 1 << 60, len(keys), dtype=np.uint64))


def reply_bytes(values: Numbers) -> bytes:
    """Reply records that hold `values`, without the batch's header."""
    replies = np.zeros(len(values), LAYOUT.command("get").reply_dtype(LAYOUT.reply_stride))
    replies["value"] = values
    return replies.tobytes()


class Cells:
    """A number a key, 0 at first; memory comes with the keys that are put."""

    def __init__(self) -> None:
        self._values: Numbers = np.zeros(KEYS_MAX, np.uint64)

    def replies(self, records: Records) -> bytes:
        """Execute gets and puts in order: what they reply, one record after the other."""
        values = np.zeros(len(records), np.uint64)
        gets = records["op"] == GET
        if gets.any():
            values[gets] = self._read(records)[gets]
        puts = records[~gets]
        self._values[puts["key"]] = puts["value"]  # of several to one key the last stays
        return reply_bytes(values)

    def _read(self, records: Records) -> Numbers:
        """What a get in each command's place finds: the latest put to its key before it, or what was there."""
        order = np.argsort(records["key"], kind="stable")
        keys, puts = records["key"][order], records["op"][order] == PUT
        places = np.arange(len(order))
        latest = np.maximum.accumulate(np.where(puts, places, -1))
        begins = np.maximum.accumulate(np.where(np.diff(keys, prepend=-1) != 0, places, 0))
        found = np.where(latest >= begins, records["value"][order][latest], self._values[keys])
        read = np.empty(len(order), np.uint64)
        read[order] = found
        return read


def sums(records: Records) -> tuple[Numbers, Numbers]:
    """Of adds and gets that start at 0: what each replies, and by how much more each time they are executed again."""
    cells: dict[int, int] = {}
    replies = []
    for op, key, amount in records[["op", "key", "value"]].tolist():
        cells[key] = (cells.get(key, 0) + (amount if op == ADD else 0)) % (1 << 64)
        replies.append(cells[key])
    growth = [cells[key] for key in records["key"].tolist()]
    return np.array(replies, np.uint64), np.array(growth, np.uint64)
