"""The file system's model, its checking, its workloads and its input."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.netfs import APPLICATION
from apps.netfs.layout import (
    DIRECTORY,
    FILE,
    FILE_BYTES_MAX,
    IO_BYTES_MAX,
    Error,
    MalformedReplyError,
    Status,
    unpack_names,
    unpack_reply,
    unpack_status,
)
from apps.netfs.meaning import NetFSMeaning
from apps.netfs.model import NetFSModel
from apps.netfs.stream import MalformedStreamError, read_stream
from apps.parameters import InvalidParameterError
from psmr.checking import Operation, check
from psmr.workload import Segment, WorkloadOptions

OK = Error.OK
CALLS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("mkdir", (b"/d",), OK),
    ("mkdir", (b"/d",), Error.EEXIST),
    ("create", (b"/",), Error.EEXIST),
    ("create", (b"/d/f",), OK),
    ("create", (b"/none/f",), Error.ENOENT),
    ("create", (b"/d/f/g",), Error.ENOTDIR),
    ("create", (b"d",), Error.EINVAL),
    ("create", (b"/d/../e",), Error.EINVAL),
    ("create", (b"/" + b"n" * 64,), Error.ENAMETOOLONG),
    ("write", (b"/d/f", 1022, b"abcd"), OK),
    ("write", (b"/d/f", FILE_BYTES_MAX - 1, b"ab"), Error.EFBIG),
    ("write", (b"/d", 0, b"a"), Error.EISDIR),
    ("write", (b"/d/none", 0, b"a"), Error.ENOENT),
    ("read", (b"/d/f", 1020, 100), b"\0" + b"\0\0abcd"),
    ("read", (b"/d/f", 0, IO_BYTES_MAX + 1), bytes([Error.EINVAL])),
    ("read", (b"/d", 0, 1), bytes([Error.EISDIR])),
    ("read", (b"//", 0, 1), bytes([Error.EINVAL])),
    ("truncate", (b"/d/f", 1023), OK),
    ("truncate", (b"/d/f", 1025), OK),
    ("truncate", (b"/d/f", FILE_BYTES_MAX + 1), Error.EFBIG),
    ("read", (b"/d/f", 1022, 9), b"\0" + b"a\0\0"),
    ("utimens", (b"/d/f", 77), OK),
    ("unlink", (b"/d",), Error.EISDIR),
    ("rmdir", (b"/d",), Error.ENOTEMPTY),
    ("rmdir", (b"/d/f",), Error.ENOTDIR),
    ("rmdir", (b"/",), Error.EBUSY),
    ("rename", (b"/d", b"/e"), Error.EXDEV),
    ("rename", (b"/d", b"/d/e"), Error.EINVAL),
    ("rename", (b"/d/f", b"/d"), Error.EISDIR),
    ("rename", (b"/d/f", b"/none/f"), Error.ENOENT),
    ("rename", (b"/d/f", b"/f"), OK),
    ("rename", (b"/d", b"/f"), Error.ENOTDIR),
    ("readdir", (b"/", b""), b"\0\1d\1f"),
    ("readdir", (b"/", b"d"), b"\0\1f"),
    ("readdir", (b"/f", b""), bytes([Error.ENOTDIR])),
    ("rmdir", (b"/d",), OK),
    ("unlink", (b"/d",), Error.ENOENT),
]


def segments_of(options: WorkloadOptions, client: int, batches: int | None) -> list[Segment]:
    return [s for batch in islice(APPLICATION.workload(options).batches(client), batches) for s in batch]


def run(model: NetFSModel, segments: list[Segment]) -> list[Any]:
    replies = []
    for segment in segments:
        columns = (values.tolist() if isinstance(values, np.ndarray) else values for values in segment.columns.values())
        replies += [model.apply(segment.command, row) for row in zip(*columns, strict=True)]
    return replies


def test_the_model_replies_as_the_documentation_says() -> None:
    model = NetFSModel()
    for command, arguments, reply in CALLS:
        assert model.apply(command, arguments) == reply, (command, arguments)
    status = unpack_status(unpack_reply(model.apply("stat", (b"/f",))))
    assert status == Status(FILE, 1025, changes=4, modified_us=77)
    assert unpack_status(unpack_reply(model.apply("stat", (b"/",)))) == Status(DIRECTORY, 1, 3, 0)
    assert model.state()["blocks"] == {b"/f\0": bytes(1022) + b"a"}


def test_replies_are_taken_apart_or_refused() -> None:
    with pytest.raises(OSError, match="ENOENT") as raised:
        unpack_reply(bytes([Error.ENOENT]))
    assert raised.value.errno == Error.ENOENT
    for wrong in (b"", b"\1", b"\xff"):
        with pytest.raises(MalformedReplyError, match="expected a code"):
            unpack_reply(wrong)
    with pytest.raises(MalformedReplyError, match="expected 17 bytes"):
        unpack_status(b"")
    with pytest.raises(MalformedReplyError, match="expected a name"):
        unpack_names(b"\2a")
    assert unpack_names(b"\2ab\0\1c") == [b"ab", b"", b"c"]


def test_a_checkers_step_and_the_model_agree() -> None:
    model, meaning, state = NetFSModel(), NetFSMeaning(), NetFSMeaning.initial
    for command, arguments, _ in CALLS:
        state, reply = meaning.step(state, command, arguments)
        assert reply == model.apply(command, arguments)
        assert dict(state) == model.nodes


@pytest.mark.parametrize("partition", [True, False])
def test_a_history_is_checked_by_path_or_as_a_whole(partition: bool) -> None:
    rows = [Operation("one", 2 * row, 2 * row + 1, *call) for row, call in enumerate(CALLS)]
    assert check(rows, NetFSMeaning(), partition=partition).linearizable
    for command, wrong in (("read", b"\0stale"), ("truncate", Error.ENOENT), ("utimens", Error.ENOENT)):
        place = next(place for place, row in enumerate(rows) if row.command == command)
        changed = [*rows[:place], rows[place]._replace(reply=wrong), *rows[place + 1 :]]
        assert check(changed, NetFSMeaning(), partition=partition).linearizable is False


def test_a_directorys_list_is_checked_by_path() -> None:
    calls = [
        ("create", (b"/a",), OK),
        ("mkdir", (b"/b",), OK),
        ("unlink", (b"/b",), Error.EISDIR),
        ("readdir", (b"/", b""), b"\0\1a\1b"),
        ("unlink", (b"/a",), OK),
        ("readdir", (b"/", b""), b"\0\1b"),
        ("stat", (b"/a",), bytes([Error.ENOENT])),
    ]
    rows = [Operation("one", 2 * row, 2 * row + 1, *call) for row, call in enumerate(calls)]
    assert check(rows, NetFSMeaning()).linearizable
    for place in (3, 5, 6):
        changed = [*rows[:place], rows[place]._replace(reply=b"\0\1c"), *rows[place + 1 :]]
        assert check(changed, NetFSMeaning()).linearizable is False


def test_the_generated_calls_have_their_shares_and_no_change_fails() -> None:
    options = WorkloadOptions(clients=2, parameters={"files": "60", "structure": "500", "writes": "25"})
    model = NetFSModel()
    for batch in APPLICATION.workload(options).preload():
        assert set(run(model, list(batch))) == {OK}
    before = len(model.nodes)
    counts = Counter[str]()
    for client in range(2):
        for segment in segments_of(options, client, 120):
            counts[segment.command] += segment.count
            assert {reply if isinstance(reply, int) else reply[0] for reply in run(model, [segment])} == {OK}
    changes = sum(counts[command] for command in ("create", "mkdir", "unlink", "rmdir", "rename"))
    assert changes / counts.total() == pytest.approx(0.05, abs=0.01)
    assert counts["write"] / (counts["read"] + counts["write"]) == pytest.approx(0.25, abs=0.02)
    assert min(counts[command] for command in ("stat", "readdir", "truncate", "utimens", "rmdir")) > 10
    assert before <= len(model.nodes) <= before + 2 * 3


def test_parameters_that_do_not_fit_are_refused() -> None:
    for name, value in (("files", "0"), ("structure", "10001"), ("writes", "-1"), ("names", "3")):
        with pytest.raises(InvalidParameterError, match=rf"{name}: expected"):
            APPLICATION.workload(WorkloadOptions(parameters={name: value}))


STREAM = b"""# a comment
mkdir /home
create /home/a
begin
write /home/a 0 20 # twenty bytes
read /home/a 0 20
readdir /home
readdir /home a
utimens /home/a 5
create /b
"""


def test_a_stream_is_loaded_and_shared_out_by_directory(tmp_path: Path) -> None:
    path = tmp_path / "stream"
    path.write_bytes(STREAM)
    options = WorkloadOptions(clients=2, batch=2, input_file=path)
    model = NetFSModel()
    for batch in APPLICATION.workload(options).preload():
        run(model, list(batch))
    parts = [segments_of(options, client, None) for client in range(2)]
    replies = [reply for part in parts for reply in run(model, part)]
    assert len(replies) == 6
    assert b"\0line 5. ============" in replies
    in_home = [[s.command for s in part if s.columns["path"][0].startswith(b"/home/")] for part in parts]
    assert sorted(in_home) == [[], ["write", "read", "utimens"]]
    assert sorted(model.nodes) == [b"/", b"/b", b"/home", b"/home/a"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"open /a", "expected one of create, mkdir, .*, begin, found 'open'"),
        (b"read /a 0", "expected 'read PATH OFFSET COUNT', found 'read /a 0'"),
        (b"read /a 0 4097", "expected a whole number from 0 to 4096 as count, found '4097'"),
        (b"truncate /a -1", "expected a whole number from 0 to 4294967295 as size, found '-1'"),
        (b"stat /" + b"a" * 255, "expected a path of at most 255 bytes, found 256 bytes"),
        (b"begin\nbegin", "expected one line 'begin', found a second one"),
        (b"\xff\xfe\0", "expected one of"),
    ],
)
def test_a_malformed_line_is_named(line: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "stream"
    path.write_bytes(b"create /a\n" + line + b"\n")
    with pytest.raises(MalformedStreamError, match=rf"stream, line {2 + line.count(10)}: {text}"):
        read_stream(path)


def test_a_stream_without_operations_or_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stream"
    with pytest.raises(FileNotFoundError, match="expected a file of operations"):
        read_stream(path)
    path.write_bytes(b"create /a\nbegin\n")
    with pytest.raises(MalformedStreamError, match="line 3: expected an operation, found the end of the file"):
        read_stream(path)
