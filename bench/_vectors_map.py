"""The integer key-value store's gets and puts with memory touched ahead, and as vectors: the best forms known, by hand.

Both leave the state and the replies that the generated `run` leaves. Calls that raise are not part of what is measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.kv.service import IntegerKV
from bench._vectors_runs import (
    LONGEST,
    SHORTEST,
    column_reply,
    find_run,
    following,
    key_of,
    op_of,
    own_row,
    own_rows,
    scratch,
    touch,
)
from cdep.compiled import compiled, inlined, int64
from proxies.layout import NONE
from psmr.execution.dispatch import begin, finish
from psmr.execution.generated import server_module
from psmr.execution.layout import (
    FRAME_BLOB,
    FRAME_RECORDS,
    FRAME_REPLY_COUNT,
    FRAME_ROW,
    FRAME_STRIDE,
)
from psmr.state import map_core
from psmr.state.frame import begin_command
from psmr.state.words import load_i64, load_u64, store_i64, store_u8, store_u16

_server = server_module(IntegerKV)
_execute = _server._execute
_machine = _server._machine
_REPLY_STRIDE = _server.REPLY_STRIDE
_GET, _PUT, _LAST_WITH_KEY = 0, 1, 3
_PROBES = 4
_LEVEL = 24
_LARGE_LEVEL = 9
"""From 8,192 slots on in each of the 64 partitions' indexes, a map is not expected to fit into a core's own cache."""
_32 = np.uint64(32)
_NUMBER = np.uint64(0xFFFFFFFF)


@inlined
def _home_slot(base: int, key: np.uint64) -> int:
    """Where the index is searched first for the key."""
    partition = map_core.partition_of_u64(base, key)
    home = map_core._home(map_core.hash_of_u64(key), map_core._last_slot(partition))
    return map_core._index(partition) + 8 * home


@inlined
def _likely_entry(base: int, key: np.uint64) -> int:
    """The address of the entry that the index seems to have for the key, or 0; its key is not looked at."""
    partition = map_core.partition_of_u64(base, key)
    hashed = map_core.hash_of_u64(key)
    last = map_core._last_slot(partition)
    index = map_core._index(partition)
    place = map_core._home(hashed, last)
    for _ in range(_PROBES):
        word = load_u64(index + 8 * place)
        if word == 0:
            return 0
        if word >> _32 == hashed >> _32:
            return map_core._entry(base, partition, int64(word & _NUMBER) - 1)
        place = (place + 1) & last
    return 0


@inlined
def _is_large(base: int) -> bool:
    """Whether the map is too large for the core's own caches, as far as its first partition says."""
    level: int = load_i64(base + map_core.HEADER_BYTES + _LEVEL)
    return level >= _LARGE_LEVEL


@compiled
def _fetch(base: int, records: int, stride: int, rows: Any, length: int, entries: Any) -> None:
    """Find what are likely the rows' entries, 0 for none, and touch them: all slots are on their way before one is read."""
    for place in range(length):
        record = records + stride * rows[place]
        if op_of(record) <= _LAST_WITH_KEY:
            touch(_home_slot(base, key_of(record)))
    for place in range(length):
        record = records + stride * rows[place]
        entries[place] = _likely_entry(base, key_of(record)) if op_of(record) <= _LAST_WITH_KEY else 0
        touch(entries[place])


@inlined
def _likely_entries(base: int, records: int, stride: int, rows: Any, length: int, entries: Any) -> None:
    """As `_fetch`, and nothing for a map that fits into the cache: there a key is found in the same time later."""
    if _is_large(base):
        _fetch(base, records, stride, rows, length, entries)
    else:
        for place in range(length):
            entries[place] = 0


@compiled
def run_ahead(frame: int, bases: Any) -> None:
    """As the generated `run`, call by call, with what the next rows need of a large map on its way before the first is executed."""
    machine = _machine(frame, bases)
    base = bases[0]
    rows = np.empty(LONGEST, np.int64)
    entries = np.empty(LONGEST, np.int64)
    while begin(frame):
        records = load_i64(frame + FRAME_RECORDS)
        stride = load_i64(frame + FRAME_STRIDE)
        blob = load_i64(frame + FRAME_BLOB)
        is_large = _is_large(base)
        row = following(frame, load_i64(frame + FRAME_ROW))
        while row >= 0:
            length = 1
            rows[0] = row
            if is_large:
                length = own_rows(frame, row, rows)
                _fetch(base, records, stride, rows, length, entries)
            for place in range(length):
                _execute(machine, frame, records + stride * rows[place], blob, rows[place])
            row = following(frame, rows[length - 1] + 1)
        if row < -1:
            return
        finish(frame)


@inlined
def _entry_of(base: int, key: np.uint64, entry: int) -> int:
    """The key's entry or 0, given the one that it seemed to have."""
    if entry != 0 and load_u64(entry + 8) == key:
        return entry
    return map_core.find_u64(base, key)


@compiled
def _gets(frame: int, base: int, records: int, stride: int, rows: Any, length: int, entries: Any) -> None:
    _likely_entries(base, records, stride, rows, length, entries)
    for place in range(length):
        entry = _entry_of(base, key_of(records + stride * rows[place]), entries[place])
        reply = column_reply(frame, rows[place], _REPLY_STRIDE)
        if entry == 0:
            store_u16(reply, NONE)
        else:
            store_i64(reply + 8, load_i64(map_core.value_address(base, entry)))


@compiled
def _puts(frame: int, base: int, records: int, stride: int, rows: Any, length: int, entries: Any) -> None:
    """What cannot fail notes nothing to undo; a key that is new can, for want of room, and is put as a command of its own."""
    _likely_entries(base, records, stride, rows, length, entries)
    for place in range(length):
        record = records + stride * rows[place]
        key = key_of(record)
        reply = column_reply(frame, rows[place], _REPLY_STRIDE)
        entry = _entry_of(base, key, entries[place])
        if entry == 0:
            store_i64(frame + FRAME_ROW, rows[place])
            store_i64(frame + FRAME_REPLY_COUNT, load_i64(frame + FRAME_REPLY_COUNT) - 1)
            begin_command(frame)
            entry = map_core.insert_u64(base, frame, key)
            store_i64(frame + FRAME_REPLY_COUNT, load_i64(frame + FRAME_REPLY_COUNT) + 1)
            store_u8(reply + 4, 1)
        store_i64(map_core.value_address(base, entry), load_i64(record + 16))


@compiled
def run_vectors(frame: int, bases: Any) -> None:
    """As the generated `run`, with runs of gets and of puts taken as columns."""
    machine = _machine(frame, bases)
    base = bases[0]
    stamps = scratch()
    rows = np.empty(LONGEST, np.int64)
    entries = np.empty(LONGEST, np.int64)
    while begin(frame):
        records = load_i64(frame + FRAME_RECORDS)
        stride = load_i64(frame + FRAME_STRIDE)
        blob = load_i64(frame + FRAME_BLOB)
        row = following(frame, load_i64(frame + FRAME_ROW))
        while row >= 0:
            op = op_of(records + stride * row)
            length = 0
            if op <= _PUT and own_row(frame, row) == row:
                length = find_run(frame, records, stride, row, op == _PUT, stamps, rows)
            if length < SHORTEST:
                last = row
                for place in range(max(1, length)):
                    last = rows[place] if length > 0 else row
                    _execute(machine, frame, records + stride * last, blob, last)
                row = following(frame, last + 1)
                continue
            if op == _GET:
                _gets(frame, base, records, stride, rows, length, entries)
            else:
                _puts(frame, base, records, stride, rows, length, entries)
            row = following(frame, rows[length - 1] + 1)
        if row < -1:
            return
        finish(frame)
