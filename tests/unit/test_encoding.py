"""Calls to records and replies to values: the bytes, the columns that equal single calls, the words of each refusal."""

from __future__ import annotations

import struct
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdep import (
    Call,
    CallError,
    Max,
    Size,
    StateMachine,
    dependent,
    f64,
    i16,
    i64,
    independent,
    mask,
    partially_dependent,
    service_of,
    u8,
    u32,
    u64,
)
from proxies.decoding import ReplyDecoder
from proxies.encoding import CommandEncoder
from proxies.layout import NONE, RAISED, VALUE, layout_of

EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)


class Kinds(StateMachine):
    """A command for each kind of argument and of reply."""

    @partially_dependent("key")
    def put(self, key: u64, amount: i64) -> u64 | None:
        return u64(key)

    @partially_dependent("name")
    def mix(
        self,
        flag: bool,
        name: Annotated[bytes, Max(20)],
        small: i16,
        code: Annotated[bytes, Size(5)],
        rate: f64,
        note: Annotated[bytes, Max(8)],
        tiny: u8,
        word: u32,
    ) -> bool:
        return flag

    @independent
    def find(self, key: Annotated[bytes, Max(4)]) -> Annotated[bytes, Max(9)] | None:
        return key

    @dependent
    def stamp(self) -> Annotated[bytes, Size(3)] | None:
        return b"abc"

    @dependent
    def ratio(self) -> f64:
        return f64(0.5)

    @dependent
    def reset(self) -> None: ...


SERVICE = service_of(Kinds)
LAYOUT = layout_of(SERVICE)


def encoder(command: str) -> CommandEncoder:
    return CommandEncoder(SERVICE, LAYOUT.command(command))


def decoder(command: str) -> ReplyDecoder:
    return ReplyDecoder(LAYOUT.command(command), LAYOUT.reply_stride)


# --- records ----------------------------------------------------------------------------------------------------------


def test_the_bytes_of_a_record() -> None:
    found = encoder("put").one((7, -2))
    assert found.records == struct.pack("<H6xQq", 0, 7, -2).ljust(LAYOUT.stride, b"\0")
    assert (found.count, found.blob) == (1, b"")


def test_the_bytes_of_columns() -> None:
    found = encoder("find").columns([[b"ab", b"", b"xyz"]], base=10)
    rows = [struct.pack("<H6xII", 2, start, length) for start, length in ((10, 2), (12, 0), (12, 3))]
    assert found.records == b"".join(rows)
    assert (found.count, found.blob) == (3, b"abxyz")


mixed_rows = st.tuples(
    st.booleans(),
    st.binary(max_size=20),
    st.integers(-(2**15), 2**15 - 1),
    st.binary(min_size=5, max_size=5),
    st.floats(allow_nan=False),
    st.binary(max_size=8),
    st.integers(0, 255),
    st.integers(0, 2**32 - 1),
)


@EXAMPLES
@given(st.lists(mixed_rows, min_size=1, max_size=5))
def test_what_was_encoded_lies_where_the_layout_says(rows: list[tuple[Any, ...]]) -> None:
    found = encoder("mix").columns(list(zip(*rows, strict=True)))
    records = np.frombuffer(found.records, LAYOUT.command("mix").dtype(found.stride))
    assert records["op"].tolist() == [1] * len(rows)
    names = [parameter.name for parameter in SERVICE.command("mix").parameters]
    for row, record in zip(rows, records, strict=True):
        assert tuple(_value(found.blob, record[name]) for name in names) == row


@EXAMPLES
@given(mixed_rows, st.integers(0, 1000))
def test_a_column_of_one_is_a_single_call_moved(row: tuple[Any, ...], base: int) -> None:
    single = encoder("mix").one(row)
    column = encoder("mix").columns([[value] for value in row], base)
    assert encoder("mix").rebase(single.records, base) == column.records
    assert single.blob == column.blob


def _value(blob: bytes, found: Any) -> Any:
    if found.dtype.names:
        return blob[found["offset"] : found["offset"] + found["length"]]
    return found.tobytes() if found.dtype.kind == "V" else found.item()


@pytest.mark.parametrize(
    "column",
    [
        [3, 2**64 - 1, 0],
        (3, 2**64 - 1, 0),
        np.array([3, 2**64 - 1, 0], np.uint64),
        np.array([3, 2**64 - 1, 0], ">u8"),
        np.array([3, 2**64 - 1, 0], object),
        np.array([3, 9, 2**64 - 1, 9, 0, 9], np.uint64)[::2],
        [np.uint64(3), np.uint64(2**64 - 1), True - 1],
    ],
)
def test_every_form_of_an_integer_column_is_the_same(column: Any) -> None:
    found = encoder("put").columns([column, range(3)])
    assert found == encoder("put").columns([np.array([3, 2**64 - 1, 0], np.uint64), np.arange(3)])


@pytest.mark.parametrize(
    "column",
    [
        [b"abcde", b"\0\0\0\0\0"],
        np.array([b"abcde", b"\0\0\0\0\0"], "S5"),
        np.array([b"abcde", b"\0\0\0\0\0"], "V5"),
        np.frombuffer(b"abcde\0\0\0\0\0", np.uint8).reshape(2, 5),
    ],
)
def test_every_form_of_a_fixed_column_is_the_same(column: Any) -> None:
    rest = [[1, 2], [0.5, 1], [b"", b"n"], [1, 2], [3, 4]]
    found = encoder("mix").columns([[True, False], [b"", b"a"], rest[0], column, *rest[1:]])
    records = np.frombuffer(found.records, LAYOUT.command("mix").dtype(found.stride))
    assert records["code"].tobytes() == b"abcde\0\0\0\0\0"


def test_no_rows_are_no_records() -> None:
    assert encoder("put").columns([[], []]).count == 0
    assert encoder("put").columns([np.zeros(0), np.zeros(0, np.int64)]).records == b""


def test_a_command_without_parameters_is_repeated() -> None:
    found = encoder("reset").repeat(3)
    assert found.records == struct.pack("<H6x", 5) * 3
    with pytest.raises(CallError, match=r"Kinds\.reset: expected how many calls, an int from 0 on, found -1"):
        encoder("reset").repeat(-1)


MIX = (True, b"name", -5, b"code5", 0.5, b"note", 7, 9)
U64 = "an int from 0 to 18446744073709551615 (u64)"

SINGLE = [
    ("put", (-1, 0), f"Kinds.put: parameter 'key': expected {U64}, found -1"),
    ("put", (2**64, 0), f"Kinds.put: parameter 'key': expected {U64}, found 18446744073709551616"),
    ("put", (1.0, 0), f"Kinds.put: parameter 'key': expected {U64}, found float 1.0"),
    ("put", (None, 0), f"Kinds.put: parameter 'key': expected {U64}, found None"),
    ("put", ("7", 0), f"Kinds.put: parameter 'key': expected {U64}, found str '7'"),
    ("put", (1,), "Kinds.put: expected 2 arguments, found 1: give (key, amount)"),
    ("find", ("ab",), "Kinds.find: parameter 'key': expected at most 4 bytes, found str 'ab'"),
    ("find", (b"abcde",), "Kinds.find: parameter 'key': expected at most 4 bytes, found 5 bytes"),
    ("mix", (*MIX[:3], b"code", *MIX[4:]), "Kinds.mix: parameter 'code': expected exactly 5 bytes, found 4 bytes"),
    ("mix", (1, *MIX[1:]), "Kinds.mix: parameter 'flag': expected a bool, found int 1"),
    ("mix", (*MIX[:4], "1", *MIX[5:]), "Kinds.mix: parameter 'rate': expected a float, found str '1'"),
    ("mix", (*MIX[:6], 256, 9), "Kinds.mix: parameter 'tiny': expected an int from 0 to 255 (u8), found 256"),
]

COLUMNS = [
    ("put", ([1, 2], [1]), "Kinds.put: expected columns of one length, found key: 2, amount: 1"),
    ("put", (np.array([1, -1]), [1, 2]), f"Kinds.put: parameter 'key', row 1: expected {U64}, found -1"),
    ("put", ([1, 2, -1], [1, 2, 3]), f"Kinds.put: parameter 'key', row 2: expected {U64}, found -1"),
    ("put", ([2**63, 0.5], [1, 2]), f"Kinds.put: parameter 'key', row 1: expected {U64}, found float 0.5"),
    ("put", ([[1], [2]], [1, 2]), f"Kinds.put: parameter 'key', row 0: expected {U64}, found list [1]"),
    ("put", (np.array([1.0]), [1]), "Kinds.put: parameter 'key': expected an array of int, found one of float64"),
    (
        "put",
        (np.ones((2, 2), int), [1, 2]),
        "Kinds.put: parameter 'key': expected a column: an array of one dimension ",
    ),
    (
        "put",
        (3, [1]),
        "Kinds.put: parameter 'key': expected a column: an array of one dimension or a sequence, found int 3",
    ),
    ("put", ([1], {1}), "Kinds.put: parameter 'amount': expected a column: an array of one dimension or a sequence, "),
    (
        "put",
        ([1], np.array([2**63], np.uint64)),
        "Kinds.put: parameter 'amount', row 0: expected an int from -9223372036",
    ),
    ("find", ([b"a", "b"],), "Kinds.find: parameter 'key', row 1: expected at most 4 bytes, found str 'b'"),
    ("find", ([b"a", b"abcde"],), "Kinds.find: parameter 'key', row 1: expected at most 4 bytes, found 5 bytes"),
    (
        "find",
        (b"abc",),
        "Kinds.find: parameter 'key': expected a column: an array of one dimension or a sequence, found ",
    ),
    ("find", ([np.arange(2)],), "Kinds.find: parameter 'key', row 0: expected at most 4 bytes, found ndarray "),
    (
        "mix",
        tuple([value] for value in (*MIX[:3], b"code", *MIX[4:])),
        "Kinds.mix: parameter 'code', row 0: expected exactly 5 bytes, found 4 bytes",
    ),
    (
        "mix",
        tuple([value] for value in ("yes", *MIX[1:])),
        "Kinds.mix: parameter 'flag', row 0: expected a bool, found str 'yes'",
    ),
    (
        "mix",
        tuple([value] for value in (*MIX[:4], "fast", *MIX[5:])),
        "Kinds.mix: parameter 'rate', row 0: expected a float, found str 'fast'",
    ),
]


@pytest.mark.parametrize(("command", "arguments", "message"), SINGLE)
def test_a_call_that_does_not_fit(command: str, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(CallError) as caught:
        encoder(command).one(arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize(("command", "columns", "message"), COLUMNS)
def test_columns_that_do_not_fit(command: str, columns: tuple[Any, ...], message: str) -> None:
    with pytest.raises(CallError) as caught:
        encoder(command).columns(columns)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_the_masks_of_encoded_calls_are_those_of_the_calls() -> None:
    names = [b"a", b"", b"longer than eight"]
    columns = [[value] * 3 for value in MIX]
    columns[1] = list(names)
    found = encoder("mix").masks(encoder("mix").columns(columns)).tolist()
    parameters = [parameter.name for parameter in SERVICE.command("mix").parameters]
    calls = [Call("mix", dict(zip(parameters, row, strict=True))) for row in zip(*columns, strict=True)]
    assert found == [mask(SERVICE, call, position) for position, call in enumerate(calls)]


# --- replies ----------------------------------------------------------------------------------------------------------


def reply(status: int, in_blob: int = 0, value: bytes = b"", offset: int = 8) -> bytes:
    head = struct.pack("<HB", status, in_blob).ljust(offset, b"\0")
    return (head + value).ljust(LAYOUT.reply_stride, b"\0")


NUMBERS = [reply(VALUE, 0, struct.pack("<Q", 2**64 - 1)), reply(NONE), reply(RAISED, 1, struct.pack("<II", 2, 9))]
TEXT = b"--KeyError?"


def test_numbers() -> None:
    rows = decoder("put").rows(b"".join(NUMBERS))
    values = decoder("put").values(rows, TEXT)
    assert values.dtype == np.uint64
    assert values.tolist() == [2**64 - 1, 0, 0]
    assert decoder("put").texts(rows, TEXT) == {2: "KeyError?"}
    assert [decoder("put").one(row, TEXT) for row in NUMBERS] == [
        (VALUE, 2**64 - 1),
        (NONE, None),
        (RAISED, "KeyError?"),
    ]


def test_bools_and_floats() -> None:
    flags = [reply(VALUE, 0, b"\1", 4), reply(VALUE, 0, b"\0", 4)]
    values = decoder("mix").values(decoder("mix").rows(b"".join(flags)), b"")
    assert (values.dtype, values.tolist()) == (np.bool_, [True, False])
    assert [decoder("mix").one(row, b"")[1] for row in flags] == [True, False]
    halves = [reply(VALUE, 0, struct.pack("<d", 0.5))] * 2
    assert decoder("ratio").values(decoder("ratio").rows(b"".join(halves)), b"").tolist() == [0.5, 0.5]
    assert decoder("ratio").one(halves[0], b"") == (VALUE, 0.5)


def test_bytes_of_any_length() -> None:
    rows = [
        reply(VALUE, 1, struct.pack("<II", 3, 2)),
        reply(NONE),
        reply(VALUE, 1, struct.pack("<II", 5, 0)),
        reply(RAISED, 1, struct.pack("<II", 0, 3)),
    ]
    found = decoder("find").rows(b"".join(rows))
    assert decoder("find").values(found, b"Errxy") == [b"xy", b"", b"", b""]
    assert decoder("find").texts(found, b"Errxy") == {3: "Err"}
    assert decoder("find").one(rows[0], memoryview(b"Errxy")) == (VALUE, b"xy")


def test_bytes_of_fixed_length() -> None:
    rows = [reply(VALUE, 0, b"a\0\0"), reply(NONE), reply(RAISED, 1, struct.pack("<II", 0, 1))]
    assert decoder("stamp").values(decoder("stamp").rows(b"".join(rows)), b"E") == [b"a\0\0", b"", b""]
    assert decoder("stamp").one(rows[0], b"") == (VALUE, b"a\0\0")


def test_nothing_to_return() -> None:
    rows = [reply(VALUE), reply(RAISED, 1, struct.pack("<II", 0, 1))]
    assert decoder("reset").values(decoder("reset").rows(b"".join(rows)), b"E") is None
    assert [decoder("reset").one(row, b"E") for row in rows] == [(VALUE, None), (RAISED, "E")]
