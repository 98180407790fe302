"""The file system at its limits: what fits, fits, and what is one more is refused and changes nothing."""

from __future__ import annotations

from execution_support import Batch, decode, engines, execute, state_of

from apps.netfs import APPLICATION, NetFS
from apps.netfs.layout import DIRECTORY_BYTES_MAX, FILE_BYTES_MAX, IO_BYTES_MAX, NODES_MAX, Error


def _whole_file() -> Batch:
    """A file as large as may be, renamed over another one, and one as large in holes."""
    pieces = [("write", (b"/a", place, bytes([65]) * IO_BYTES_MAX)) for place in range(0, FILE_BYTES_MAX, IO_BYTES_MAX)]
    return [
        ("create", (b"/a",)),
        ("create", (b"/b",)),
        *pieces,
        ("write", (b"/b", FILE_BYTES_MAX - 1, b"b")),
        ("write", (b"/b", 0, b"c")),
        ("utimens", (b"/a", 5)),
        ("rename", (b"/a", b"/b")),
        ("read", (b"/b", FILE_BYTES_MAX - 10, IO_BYTES_MAX)),
        ("truncate", (b"/b", 1)),
        ("truncate", (b"/b", FILE_BYTES_MAX)),
        ("read", (b"/b", FILE_BYTES_MAX - 10, IO_BYTES_MAX)),
        ("stat", (b"/b",)),
        ("stat", (b"/a",)),
    ]


def _full_directory() -> Batch:
    """A directory whose list has room for nothing but a name in the place of as long a one."""
    names = [b"/d/%063d" % number for number in range(DIRECTORY_BYTES_MAX // 64)]
    return [
        ("mkdir", (b"/d",)),
        *(("create", (name,)) for name in names),
        ("create", (b"/d/x",)),
        ("create", (b"/e",)),
        ("rename", (b"/e", b"/d/e")),
        ("rename", (names[3], b"/d/" + b"y" * 63)),
        ("rename", (b"/e", names[5])),
        ("readdir", (b"/d", b"")),
        ("readdir", (b"/d", b"0" * 61 + b"99")),
    ]


def _full_of_nodes() -> Batch:
    """As many files and directories as may be; what is removed makes room again."""
    directories = [b"/%d" % number for number in range(16)]
    paths = [b"%s/%d" % (directories[number % 16], number) for number in range(NODES_MAX - 17)]
    return [
        *(("mkdir", (path,)) for path in directories),
        *(("create", (path,)) for path in paths),
        ("create", (b"/one",)),
        ("mkdir", (b"/one",)),
        ("rename", (paths[7], b"/one")),
        ("unlink", (b"/one",)),
        ("mkdir", (b"/one",)),
        ("create", (b"/two",)),
    ]


def test_limits_are_the_models() -> None:
    for calls, refused in ((_whole_file(), 0), (_full_directory(), 2), (_full_of_nodes(), 3)):
        with engines(NetFS, (2,), forms=(True,)) as made:
            (engine,) = made.values()
            (reply,) = execute(engine, [calls])
            model = APPLICATION.model()
            found = decode(engine.layout, calls, reply)
            assert found == [model.apply(*call) for call in calls]
            assert found.count(Error.ENOSPC) == refused
            assert state_of(engine) == model.state()
