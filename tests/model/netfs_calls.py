"""Random calls of the file system: few paths, so that they meet, and arguments about its limits."""

from __future__ import annotations

import random
from typing import Any

from apps.netfs.layout import BLOCK_BYTES, FILE_BYTES_MAX, IO_BYTES_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX

_SHARES = {
    "create": 12,
    "mkdir": 9,
    "unlink": 4,
    "rmdir": 5,
    "rename": 8,
    "write": 24,
    "read": 14,
    "truncate": 9,
    "utimens": 3,
    "stat": 8,
    "readdir": 6,
}
_LONGEST = b"n" * NAME_BYTES_MAX
_NAMES = [b"a", b"b", b"ab", b"a\xff", _LONGEST]
_DIRECTORIES = [b"", b"/a", b"/b", b"/a/b", b"/" + _LONGEST]
_STRANGE = [
    b"",
    b"/",
    b"a",
    b"//",
    b"/a/",
    b"/a//b",
    b"/.",
    b"/a/..",
    b"/a/...",
    b"/a\0",
    b"/" + b"n" * (NAME_BYTES_MAX + 1),
    b"/\0" + b"n" * 70,
    b"/" + _LONGEST + b"/" + _LONGEST,
    b"/" + _LONGEST + b"/" + _LONGEST + b"/",
    b"/" + b"x" * 254,
    b"/a" * (PATH_BYTES_MAX // 2),
    b"/a" * (PATH_BYTES_MAX // 2) + b"a",
]
_OFFSETS = [0, 0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 3 * BLOCK_BYTES, FILE_BYTES_MAX - 1, FILE_BYTES_MAX, (1 << 32) - 1]
_SIZES = [0, 1, 500, BLOCK_BYTES, BLOCK_BYTES + 1, 3000, IO_BYTES_MAX]


def netfs_call(chosen: random.Random) -> tuple[str, tuple[Any, ...]]:
    """A call of NetFS."""
    name = chosen.choices(list(_SHARES), list(_SHARES.values()))[0]
    path, offset = _path(chosen), _offset(chosen)
    arguments: dict[str, tuple[Any, ...]] = {
        "rename": (path, _path(chosen)),
        "write": (path, offset, chosen.randbytes(chosen.choice(_SIZES))),
        "read": (path, offset, chosen.choice([*_SIZES, IO_BYTES_MAX + 1, (1 << 16) - 1])),
        "truncate": (path, chosen.choice([offset, chosen.randrange(5000)])),
        "utimens": (path, chosen.choice([0, -1, 1_700_000_000_000_000, -(1 << 63)])),
        "readdir": (path, chosen.choice([b"", b"a", *_NAMES, b"z" * 255])),
    }
    return name, arguments.get(name, (path,))


def _path(chosen: random.Random) -> bytes:
    if chosen.random() < 0.1:
        return chosen.choice(_STRANGE)
    return chosen.choice(_DIRECTORIES) + b"/" + chosen.choice(_NAMES)


def _offset(chosen: random.Random) -> int:
    return chosen.choice(_OFFSETS) if chosen.random() < 0.6 else chosen.randrange(6000)
