"""The compiled server proxy against C-G in plain Python.

It routes every call to the groups that C-G names, and lets in no record that points outside its batch.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from types import ModuleType
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdep import (
    GROUPS,
    Call,
    Command,
    Max,
    Size,
    StateMachine,
    ValueType,
    dependent,
    f64,
    i8,
    i16,
    i64,
    independent,
    mask,
    partially_dependent,
    service_of,
    u16,
    u64,
)
from proxies.encoding import CommandEncoder
from proxies.layout import layout_of
from psmr.execution.generated import server_module

EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)
BITS = 16
"""Bits of an owner's set: a table tells so many groups apart at a time."""
ROWS = GROUPS + 5
"""So many that positions pass through all groups and begin again."""


class Keyed(StateMachine, spread_reads=("topic",)):
    """Keys of every kind, alone and together, and commands of every class."""

    @partially_dependent("key")
    def wide(self, key: u64, amount: f64) -> None: ...

    @partially_dependent("key", access="read")
    def signed(self, key: i64, flag: bool) -> None: ...

    @partially_dependent("source", "target", domain="account")
    def narrow(self, source: i8, target: i16) -> None: ...

    @partially_dependent("flag", domain="switch")
    def switch(self, flag: bool, other: u16) -> None: ...

    @partially_dependent("name")
    def named(self, note: Annotated[bytes, Max(8)], name: Annotated[bytes, Max(20)]) -> None: ...

    @partially_dependent("code", "name", domain={"code": "code", "name": "name"})
    def coded(self, code: Annotated[bytes, Size(11)], name: Annotated[bytes, Max(20)]) -> None: ...

    @partially_dependent("topic", access="read")
    def look(self, topic: u64) -> None: ...

    @partially_dependent("topic", "key", access={"topic": "read", "key": "write"})
    def copy(self, topic: u16, key: u64) -> None: ...

    @partially_dependent("topic")
    def post(self, topic: u64) -> None: ...

    @independent
    def ping(self, code: u64) -> None: ...

    @dependent
    def close(self) -> None: ...

    @dependent(access="read")
    def total(self, flag: bool) -> None: ...


SERVICE = service_of(Keyed)
LAYOUT = layout_of(SERVICE)
ENCODERS = {layout.command.name: CommandEncoder(SERVICE, layout) for layout in LAYOUT.commands}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PSMR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield server_module(Keyed)


def values(type_: ValueType) -> st.SearchStrategy[Any]:
    """Values of a type, its limits among them."""
    if type_.kind == "bool":
        return st.booleans()
    if type_.kind == "float":
        return st.floats(width=64)
    if type_.kind == "fixed":
        return st.binary(min_size=type_.limit, max_size=type_.limit)
    if type_.kind == "bytes":
        return st.binary(max_size=type_.limit) | st.just(bytes(type_.limit))
    limits = np.iinfo(type_.dtype)
    return st.sampled_from([int(limits.min), 0, 1, 64, int(limits.max)]) | st.integers(int(limits.min), int(limits.max))


def calls_of(command: Command) -> st.SearchStrategy[Call]:
    arguments = st.fixed_dictionaries({p.name: values(p.type) for p in command.parameters})
    return arguments.map(lambda given: Call(command.name, given))


any_call = st.sampled_from(SERVICE.commands).flatmap(calls_of)


def encoded(calls: list[Call]) -> tuple[bytes, bytes]:
    """The records and the blob of a batch of calls."""
    records, blob = b"", b""
    for call in calls:
        encoder = ENCODERS[call.command]
        one = encoder.one([call.arguments[p.name] for p in encoder.command.parameters])
        records += encoder.rebase(one.records, len(blob))
        blob += one.blob
    return records, blob


def admit(proxy: ModuleType, records: bytes, blob: bytes, table: list[int] | None) -> tuple[int, list[int], list[int]]:
    """(first row refused or -1, owners of each row, totals)."""
    return admit_records(proxy, records, LAYOUT.stride, blob, table)


def admit_records(
    proxy: ModuleType, records: bytes, stride: int, blob: bytes, table: list[int] | None
) -> tuple[int, list[int], list[int]]:
    """As `admit`, for records of any stride."""
    count = len(records) // stride
    # One byte more, so that an empty blob has an address too.
    memory, content = np.frombuffer(records, np.uint8), np.frombuffer(blob + b"\0", np.uint8)
    owners, totals = np.zeros(count, np.uint16), np.zeros(2, np.int64)
    routes = np.array(table or [0], np.uint16)
    address = routes.ctypes.data if table is not None else 0
    row = proxy.admit(
        memory.ctypes.data,
        stride,
        count,
        content.ctypes.data,
        len(blob),
        address,
        owners.ctypes.data,
        totals.ctypes.data,
    )
    return int(row), owners.tolist(), totals.tolist()


def table_of(first: int) -> list[int]:
    """A table in which 16 groups from `first` on have a bit each, and the others none; last, all of them."""
    return [1 << (group - first) if first <= group < first + BITS else 0 for group in range(GROUPS)] + [0xFFFF]


@EXAMPLES
@given(st.lists(any_call, min_size=1, max_size=20))
def test_owners_are_the_groups_of_c_g(proxy: ModuleType, drawn: list[Call]) -> None:
    calls = (drawn * ROWS)[:ROWS]
    records, blob = encoded(calls)
    masks = [0] * len(calls)
    for first in range(0, GROUPS, BITS):
        refused, owners, _ = admit(proxy, records, blob, table_of(first))
        assert refused == -1
        masks = [found | owner << first for found, owner in zip(masks, owners, strict=True)]
    assert masks == [mask(SERVICE, call, row) for row, call in enumerate(calls)]


@EXAMPLES
@given(st.lists(any_call, min_size=1, max_size=30), st.integers(2, BITS))
def test_several_owners_are_counted(proxy: ModuleType, calls: list[Call], workers: int) -> None:
    table = [1 << (group % workers) for group in range(GROUPS)] + [(1 << workers) - 1]
    records, blob = encoded(calls)
    refused, owners, (_, synchronous) = admit(proxy, records, blob, table)
    assert refused == -1
    assert synchronous == sum(owner.bit_count() > 1 for owner in owners)
    for row, (call, owner) in enumerate(zip(calls, owners, strict=True)):
        groups = mask(SERVICE, call, row)
        assert owner == sum({1 << (group % workers) for group in range(GROUPS) if groups >> group & 1})


def damaged(record: bytes, offset: int, format_: str, *found: int) -> bytes:
    changed = bytearray(record)
    struct.pack_into(format_, changed, offset, *found)
    return bytes(changed)


def offset_of(command: str, field: str) -> int:
    return next(f.offset for f in LAYOUT.command(command).fields if f.name == field)


NAME = offset_of("named", "name")
NAMED = ENCODERS["named"].one((b"", b"")).records
BLOB = 30
"""Bytes of blob in the batches below."""

MALFORMED = {
    "unknown op": damaged(NAMED, 0, "<H", len(LAYOUT.commands)),
    "greatest op": damaged(NAMED, 0, "<H", 0xFFFF),
    "bool of 2": damaged(ENCODERS["switch"].one((True, 0)).records, offset_of("switch", "flag"), "<B", 2),
    "bool of 255, no key": damaged(ENCODERS["total"].one((True,)).records, offset_of("total", "flag"), "<B", 255),
    "one byte past the blob": damaged(NAMED, NAME, "<II", BLOB - 4, 5),
    "begins past the blob": damaged(NAMED, NAME, "<II", BLOB + 1, 0),
    "far past the blob": damaged(NAMED, NAME, "<II", 0xFFFFFFFF, 1),
    "offset and length that overflow 32 bits": damaged(NAMED, NAME, "<II", 0xFFFFFFF0, 16),
    "longer than declared": damaged(NAMED, NAME, "<II", 0, 21),
    "as long as can be": damaged(NAMED, NAME, "<II", 0, 0xFFFFFFFF),
    "longer than declared, no key": damaged(NAMED, offset_of("named", "note"), "<II", 0, 9),
}

IN_RANGE = {
    "to the blob's last byte": damaged(NAMED, NAME, "<II", BLOB - 5, 5),
    "nothing at the blob's end": damaged(NAMED, NAME, "<II", BLOB, 0),
    "as long as declared": damaged(NAMED, NAME, "<II", 10, 20),
}


@pytest.mark.parametrize("routed", [True, False])
@pytest.mark.parametrize("row", [0, 2, 4])
@pytest.mark.parametrize("name", MALFORMED)
def test_the_first_malformed_row_is_named(proxy: ModuleType, name: str, row: int, routed: bool) -> None:
    good = encoded([Call("wide", {"key": 1, "amount": 0.5}), Call("close", {})])[0]
    records = [good[: LAYOUT.stride], good[LAYOUT.stride :]] * 3
    records[row] = MALFORMED[name]
    records[5] = MALFORMED["unknown op"]
    assert admit(proxy, b"".join(records), bytes(BLOB), table_of(0) if routed else None)[0] == row


@pytest.mark.parametrize("name", IN_RANGE)
def test_what_just_fits_is_let_in(proxy: ModuleType, name: str) -> None:
    assert admit(proxy, IN_RANGE[name], bytes(BLOB), table_of(0))[0] == -1


def test_a_record_narrower_than_its_command_is_malformed(proxy: ModuleType) -> None:
    wide = LAYOUT.command("wide")
    close = encoded([Call("close", {})])[0][:8]
    record = encoded([Call("wide", {"key": 1, "amount": 0.5})])[0]
    assert admit_records(proxy, close * 3, 8, b"", table_of(0))[0] == -1
    assert (
        admit_records(proxy, close.ljust(wide.stride, b"\0") + record[: wide.stride], wide.stride, b"", None)[0] == -1
    )
    narrow = close.ljust(wide.stride - 8, b"\0") + record[: wide.stride - 8]
    assert admit_records(proxy, narrow, wide.stride - 8, b"", None)[0] == 1
