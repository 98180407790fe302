"""What one file or directory means by itself: pure functions of it, for the model and for checking."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from apps.netfs.layout import (
    BLOCK_BYTES,
    CHANGES,
    DIRECTORY,
    DIRECTORY_BYTES_MAX,
    FILE,
    FILE_BYTES_MAX,
    IO_BYTES_MAX,
    NAME_BYTES_MAX,
    PAGE_BYTES_MAX,
    PATH_BYTES_MAX,
    Error,
    Status,
    failed,
    pack_names,
    pack_status,
    succeeded,
)

ROOT = b"/"


class File(NamedTuple):
    """A file. `written`: for each block with anything in it, its number and up to where it was written."""

    content: bytes = b""
    written: tuple[tuple[int, int], ...] = ()
    changes: int = 0
    modified_us: int | None = None

    def status(self) -> Status:
        """What `stat` tells of it."""
        return Status(FILE, len(self.content), self.changes, self.modified_us or 0)

    def blocks(self) -> dict[int, bytes]:
        """What is stored of each block."""
        return {number: self.content[number * BLOCK_BYTES :][:end] for number, end in self.written}


class Directory(NamedTuple):
    """A directory: its names, each with the kind of what it names."""

    names: tuple[tuple[bytes, int], ...] = ()
    changes: int = 0
    modified_us: int | None = None

    def status(self) -> Status:
        """What `stat` tells of it."""
        return Status(DIRECTORY, len(self.names), self.changes, self.modified_us or 0)

    def kind_of(self, name: bytes) -> int | None:
        """What a name in it is of."""
        return dict(self.names).get(name)

    def room(self, *names: bytes) -> bool:
        """Whether its list has room for these names besides its own."""
        return len(pack_names((*(known for known, _ in self.names), *names))) <= DIRECTORY_BYTES_MAX


Node = File | Directory
N = TypeVar("N", File, Directory)


def fault_of(path: bytes) -> Error:
    """What is wrong with a path, wherever it should lead; `OK` if nothing is."""
    if len(path) > PATH_BYTES_MAX:
        return Error.ENAMETOOLONG
    if path == ROOT:
        return Error.OK
    if not path.startswith(ROOT):
        return Error.EINVAL
    for name in path[1:].split(b"/"):
        if name in (b"", b".", b"..") or b"\0" in name:
            return Error.EINVAL
        if len(name) > NAME_BYTES_MAX:
            return Error.ENAMETOOLONG
    return Error.OK


def split(path: bytes) -> tuple[bytes, bytes]:
    """The directory of a path that is not the root, and the name in it."""
    directory, _, name = path.rpartition(b"/")
    return directory or ROOT, name


def read(node: Node, offset: int, count: int) -> bytes:
    """The reply to `read`."""
    if isinstance(node, Directory):
        return failed(Error.EISDIR)
    if count > IO_BYTES_MAX:
        return failed(Error.EINVAL)
    return succeeded(node.content[offset : offset + count])


def written(node: Node, offset: int, data: bytes) -> tuple[Node, Error]:
    """The file after `write`, and the reply."""
    if isinstance(node, Directory):
        return node, Error.EISDIR
    end = offset + len(data)
    if end > FILE_BYTES_MAX:
        return node, Error.EFBIG
    if not data:
        return node, Error.OK
    content = node.content.ljust(end, b"\0")
    marks = dict(node.written)
    for number in range(offset // BLOCK_BYTES, (end - 1) // BLOCK_BYTES + 1):
        marks[number] = max(marks.get(number, 0), min(end - number * BLOCK_BYTES, BLOCK_BYTES))
    changed = node._replace(content=content[:offset] + data + content[end:], written=tuple(sorted(marks.items())))
    return counted(changed), Error.OK


def truncated(node: Node, size: int) -> tuple[Node, Error]:
    """The file after `truncate`, and the reply."""
    if isinstance(node, Directory):
        return node, Error.EISDIR
    if size > FILE_BYTES_MAX:
        return node, Error.EFBIG
    marks = ((number, min(end, size - number * BLOCK_BYTES)) for number, end in node.written)
    left = tuple((number, end) for number, end in marks if end > 0)
    return counted(node._replace(content=node.content[:size].ljust(size, b"\0"), written=left)), Error.OK


def timed(node: Node, modified_us: int) -> tuple[Node, Error]:
    """The file or directory after `utimens`, and the reply."""
    if isinstance(node, File):
        return counted(node._replace(modified_us=modified_us)), Error.OK
    return counted(node._replace(modified_us=modified_us)), Error.OK


def stat(node: Node) -> bytes:
    """The reply to `stat`."""
    return succeeded(pack_status(node.status()))


def listed(node: Node, after: bytes) -> bytes:
    """The reply to `readdir`."""
    if isinstance(node, File):
        return failed(Error.ENOTDIR)
    page = b""
    for name in sorted(name for name, _ in node.names if name > after):
        if len(page) + 1 + len(name) > PAGE_BYTES_MAX:
            break
        page += pack_names([name])
    return succeeded(page)


def with_name(directory: Directory, name: bytes, kind: int) -> Directory:
    """The directory with one name more."""
    return counted(directory._replace(names=tuple(sorted((*directory.names, (name, kind))))))


def without_name(directory: Directory, name: bytes) -> Directory:
    """The directory with one name less."""
    return counted(directory._replace(names=tuple(entry for entry in directory.names if entry[0] != name)))


def counted(node: N) -> N:
    """The same, changed once more."""
    return node._replace(changes=(node.changes + 1) % CHANGES)
