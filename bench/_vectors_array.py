"""Balances with memory touched ahead, and as vectors: the best forms known, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench._vectors_balances import ACCOUNTS, Balances
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
from psmr.execution.dispatch import begin, finish
from psmr.execution.generated import server_module
from psmr.execution.layout import FRAME_BLOB, FRAME_RECORDS, FRAME_ROW, FRAME_STRIDE
from psmr.state.rows import group_bytes, row_address
from psmr.state.words import load_i64, store_i64

_server = server_module(Balances)
_execute = _server._execute
_machine = _server._machine
_REPLY_STRIDE = _server.REPLY_STRIDE
_DEPOSIT = 1
_GROUP_BYTES = group_bytes(ACCOUNTS, 8)


@inlined
def _place(base: int, record: int) -> int:
    """Where the record's account lies, or 0 for one that does not exist."""
    account = int64(key_of(record))
    if account < 0 or account >= ACCOUNTS:
        return 0
    return row_address(base, account, ACCOUNTS, 8, _GROUP_BYTES, 0)


@compiled
def run_ahead(frame: int, bases: Any) -> None:
    """As the generated `run`, call by call, with the accounts of the next rows on their way before the first is executed."""
    machine = _machine(frame, bases)
    base = bases[0]
    rows = np.empty(LONGEST, np.int64)
    while begin(frame):
        records = load_i64(frame + FRAME_RECORDS)
        stride = load_i64(frame + FRAME_STRIDE)
        blob = load_i64(frame + FRAME_BLOB)
        row = following(frame, load_i64(frame + FRAME_ROW))
        while row >= 0:
            length = own_rows(frame, row, rows)
            for place in range(length):
                touch(_place(base, records + stride * rows[place]))
            for place in range(length):
                _execute(machine, frame, records + stride * rows[place], blob, rows[place])
            row = following(frame, rows[length - 1] + 1)
        if row < -1:
            return
        finish(frame)


@compiled
def _take(frame: int, base: int, records: int, stride: int, rows: Any, length: int, places: Any) -> bool:
    """Execute a run of one command; False, and nothing done, if an account of it does not exist."""
    for place in range(length):
        places[place] = _place(base, records + stride * rows[place])
        if places[place] == 0:
            return False
        touch(places[place])
    if op_of(records + stride * rows[0]) == _DEPOSIT:
        for place in range(length):
            after = load_i64(places[place]) + load_i64(records + stride * rows[place] + 16)
            store_i64(places[place], after)
            store_i64(column_reply(frame, rows[place], _REPLY_STRIDE) + 8, after)
    else:
        for place in range(length):
            store_i64(column_reply(frame, rows[place], _REPLY_STRIDE) + 8, load_i64(places[place]))
    return True


@compiled
def run_vectors(frame: int, bases: Any) -> None:
    """As the generated `run`, with runs of one command taken as columns."""
    machine = _machine(frame, bases)
    base = bases[0]
    stamps = scratch()
    rows = np.empty(LONGEST, np.int64)
    places = np.empty(LONGEST, np.int64)
    while begin(frame):
        records = load_i64(frame + FRAME_RECORDS)
        stride = load_i64(frame + FRAME_STRIDE)
        blob = load_i64(frame + FRAME_BLOB)
        row = following(frame, load_i64(frame + FRAME_ROW))
        while row >= 0:
            length = 0
            if own_row(frame, row) == row:
                writes = op_of(records + stride * row) == _DEPOSIT
                length = find_run(frame, records, stride, row, writes, stamps, rows)
            last = row
            if length >= SHORTEST and _take(frame, base, records, stride, rows, length, places):
                last = rows[length - 1]
            else:
                for place in range(max(1, length)):
                    last = rows[place] if length > 0 else row
                    _execute(machine, frame, records + stride * last, blob, last)
            row = following(frame, last + 1)
        if row < -1:
            return
        finish(frame)
