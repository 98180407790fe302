"""C-G: masks by rule, columns of every shape, and bad columns refused before compiled code reads them."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pytest
from numpy.typing import NDArray

from cdep import (
    ALL_GROUPS,
    BytesColumn,
    Call,
    CallError,
    Column,
    Max,
    Size,
    StateMachine,
    dependent,
    group_of,
    i16,
    independent,
    mask,
    masks,
    partially_dependent,
    service_of,
    u64,
)


class Store(StateMachine, spread_reads=("config",)):
    @partially_dependent("key")
    def put(self, key: u64) -> None: ...

    @partially_dependent("source", "target", domain="key")
    def move(self, source: i16, target: u64) -> None: ...

    @partially_dependent("flag")
    def switch(self, flag: bool) -> None: ...

    @partially_dependent("name")
    def rename(self, name: Annotated[bytes, Max(40)]) -> None: ...

    @partially_dependent("tag")
    def mark(self, tag: Annotated[bytes, Size(12)]) -> None: ...

    @partially_dependent("config", access="read")
    def read_config(self, config: u64) -> None: ...

    @partially_dependent("config")
    def write_config(self, config: u64) -> None: ...

    @partially_dependent("key", "config", access={"config": "read"})
    def put_as_configured(self, key: u64, config: u64) -> None: ...

    @dependent
    def clear(self) -> None: ...

    @dependent(access="read")
    def size(self) -> None: ...

    @independent
    def ping(self) -> None: ...


SERVICE = service_of(Store)
POSITIONS = np.arange(100, 104)


def bytes_column(values: list[bytes]) -> BytesColumn:
    lengths = np.array([len(value) for value in values], np.uint32)
    offsets = (np.cumsum(lengths) - lengths).astype(np.uint32)
    return BytesColumn(np.frombuffer(b"".join(values), np.uint8), offsets, lengths)


def test_one_group_a_key_and_the_union_of_several() -> None:
    assert mask(SERVICE, Call("put", {"key": 7}), 0) == 1 << group_of(7)
    both = mask(SERVICE, Call("move", {"source": 7, "target": 9}), 0)
    assert both == 1 << group_of(7) | 1 << group_of(9)
    assert both.bit_count() == 2
    assert mask(SERVICE, Call("move", {"source": 7, "target": 7}), 0).bit_count() == 1


def test_dependent_commands_go_to_all_groups() -> None:
    assert mask(SERVICE, Call("clear", {}), 5) == ALL_GROUPS
    assert mask(SERVICE, Call("size", {}), 5) == ALL_GROUPS


def test_independent_commands_are_spread_by_position() -> None:
    assert [mask(SERVICE, Call("ping", {}), position) for position in (0, 1, 63, 64)] == [1, 2, 1 << 63, 1]


def test_spread_reads_go_to_one_group_by_position_and_their_writes_to_all() -> None:
    assert mask(SERVICE, Call("read_config", {"config": 7}), 65) == 2
    assert mask(SERVICE, Call("write_config", {"config": 7}), 65) == ALL_GROUPS
    mixed = mask(SERVICE, Call("put_as_configured", {"key": 7, "config": 1}), 65)
    assert mixed == 2 | 1 << group_of(7)


def test_every_aligned_block_of_64_keys_meets_every_group_once() -> None:
    for block in (0, 64, 6400, 2**64 - 64):
        assert {group_of(block + key) for key in range(64)} == set(range(64))


def test_negative_keys_are_their_twos_complement() -> None:
    assert group_of(-1) == group_of(2**64 - 1)


def test_groups_of_keys_are_fixed_for_all_time() -> None:
    """State on disk is laid out by them: another hash would be another format."""
    assert [group_of(key) for key in (0, 1, 64, 12345, -1)] == [0, 1, 21, 29, 51]
    assert [group_of(key) for key in (b"", b"a", b"a\0", b"12345678", b"123456789")] == [0, 59, 14, 16, 9]


KEYS = [0, 1, 77, 255]


@pytest.mark.parametrize(
    "column",
    [
        np.array(KEYS, np.uint64),
        np.array(KEYS, np.uint8),
        np.array(KEYS, np.int64),
        np.array(KEYS, ">u8"),
        np.array([[key, 0] for key in KEYS], np.uint64)[:, 0],
        np.frombuffer(np.array(KEYS, np.uint64).tobytes(), np.uint64),
    ],
)
def test_integer_columns_of_any_kind(column: NDArray[np.integer]) -> None:
    expected = [mask(SERVICE, Call("put", {"key": key}), 0) for key in KEYS]
    assert masks(SERVICE, "put", {"key": column}, POSITIONS).tolist() == expected


def test_signed_and_bool_columns() -> None:
    sources, targets = np.array([-1, 5, -300, 0], np.int16), np.array(KEYS, np.uint64)
    found = masks(SERVICE, "move", {"source": sources, "target": targets}, POSITIONS)
    calls = [Call("move", {"source": int(s), "target": int(t)}) for s, t in zip(sources, targets, strict=True)]
    assert found.tolist() == [mask(SERVICE, call, 0) for call in calls]
    flags = masks(SERVICE, SERVICE.command("switch"), {"flag": np.array([True, False, True, True])}, POSITIONS)
    assert flags.tolist() == [1 << group_of(flag) for flag in (True, False, True, True)]


TAGS = [b"twelve bytes", bytes(12), b"ends in zero", b"zero\0\0\0\0\0\0\0\0"]


@pytest.mark.parametrize(
    "column",
    [
        np.array(TAGS, "S12"),
        np.array(TAGS, "V12"),
        np.frombuffer(b"".join(TAGS), np.uint8).reshape(4, 12),
        np.frombuffer(b"".join(tag + b"xxxx" for tag in TAGS), np.uint8).reshape(4, 16)[:, :12],
        np.array([(1, tag) for tag in TAGS], [("op", "u1"), ("tag", "V12")])["tag"],
    ],
)
def test_fixed_columns_of_any_kind(column: NDArray[np.void]) -> None:
    expected = [mask(SERVICE, Call("mark", {"tag": tag}), 0) for tag in TAGS]
    assert masks(SERVICE, "mark", {"tag": column}, POSITIONS).tolist() == expected


def test_columns_of_variable_length() -> None:
    names = [b"", b"seven b", b"eight by", bytes(range(40))]
    expected = [mask(SERVICE, Call("rename", {"name": name}), 0) for name in names]
    assert masks(SERVICE, "rename", {"name": bytes_column(names)}, POSITIONS).tolist() == expected
    assert masks(SERVICE, "rename", {"name": bytes_column([b""])}, POSITIONS[:1]).tolist() == expected[:1]


@pytest.mark.parametrize("command", [command.name for command in SERVICE.commands])
def test_no_rows_no_masks(command: str) -> None:
    columns: dict[str, Column] = {
        parameter.name: bytes_column([]) if parameter.type.kind == "bytes" else np.empty(0, parameter.type.dtype)
        for parameter in SERVICE.command(command).parameters
    }
    found = masks(SERVICE, command, columns, np.empty(0, np.int64))
    assert (found.dtype, found.shape) == (np.dtype(np.uint64), (0,))


def test_masks_without_keys_are_vectorised_too() -> None:
    assert masks(SERVICE, "ping", {}, POSITIONS).tolist() == [1 << (p % 64) for p in POSITIONS.tolist()]
    assert masks(SERVICE, "size", {}, POSITIONS).tolist() == [ALL_GROUPS] * 4
    assert masks(SERVICE, "write_config", {}, POSITIONS).tolist() == [ALL_GROUPS] * 4


@pytest.mark.parametrize(
    ("command", "columns", "message"),
    [
        ("put", {}, "put has no column 'key'; give one for each key"),
        ("put", {"key": np.zeros(4)}, "column 'key' of u64 is float64"),
        ("put", {"key": np.zeros((4, 1), np.uint64)}, r"column 'key' of u64 is uint64 of shape \(4, 1\)"),
        ("put", {"key": np.zeros(3, np.uint64)}, "column 'key' has 3 rows for 4 positions; give as many"),
        ("put", {"key": bytes_column([b""] * 4)}, "column 'key' of u64 is BytesColumn"),
        ("mark", {"tag": np.zeros(4, "S11")}, r"column 'tag' of Size\(12\) is \|S11"),
        ("mark", {"tag": np.zeros(4, np.uint64)}, r"column 'tag' of Size\(12\) is uint64"),
        ("mark", {"tag": bytes_column([b""] * 4)}, r"column 'tag' of Size\(12\) is BytesColumn"),
        ("rename", {"name": np.zeros(4, "S40")}, r"column 'name' of Max\(40\) is \|S40"),
        ("depose", {}, "no command 'depose'"),
    ],
)
def test_columns_that_do_not_fit_are_refused(command: str, columns: dict[str, Column], message: str) -> None:
    with pytest.raises(CallError, match=message):
        masks(SERVICE, command, columns, POSITIONS)


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 11), (10, 1), (-1, 1), (0, -1), (2**62, 2**62), (2**63 - 1, 10), (11, 0)]
)
def test_rows_outside_the_blob_are_refused(offset: int, length: int) -> None:
    with pytest.raises(CallError, match="lies outside its blob of 10 bytes"):
        BytesColumn(np.zeros(10, np.uint8), np.array([0, offset]), np.array([0, length]))


def test_unsigned_rows_outside_the_blob_are_refused() -> None:
    with pytest.raises(CallError, match="lies outside its blob"):
        BytesColumn(np.zeros(10, np.uint8), np.array([2**64 - 1], np.uint64), np.array([1], np.uint64))


def test_blobs_of_another_shape_are_refused() -> None:
    none = np.empty(0, np.int64)
    for blob in (np.zeros(20, np.uint8)[::2], np.zeros((2, 5), np.uint8), np.zeros(10, np.int8)):
        with pytest.raises(CallError, match="is no contiguous one-dimensional uint8 array"):
            BytesColumn(blob, none, none)  # type: ignore[arg-type]
    with pytest.raises(CallError, match="give one of each a row"):
        BytesColumn(np.zeros(10, np.uint8), np.zeros(2, np.int64), np.zeros(1, np.int64))
