"""A networked file system: files and directories by path. Limits, codes and packing: `layout`."""

from __future__ import annotations

from typing import Annotated

from apps.netfs import layout
from apps.netfs.layout import (
    ARGUMENT_BYTES_MAX,
    BLOCK_BYTES,
    BLOCKS_MAX,
    CHANGES,
    DIRECTORY,
    DIRECTORY_BYTES_MAX,
    FILE,
    FILE_BYTES_MAX,
    IO_BYTES_MAX,
    NAME_BYTES_MAX,
    NODES_MAX,
    PAGE_BYTES_MAX,
    PATH_BYTES_MAX,
    STAT_BYTES,
)
from psmr import Map, Max, Scratch, StateMachine, dependent, i64, partially_dependent, u8, u16, u32

Path = Annotated[bytes, Max(ARGUMENT_BYTES_MAX)]
Data = Annotated[bytes, Max(IO_BYTES_MAX)]
Content = Annotated[bytes, Max(1 + IO_BYTES_MAX)]
Status = Annotated[bytes, Max(1 + STAT_BYTES)]
Page = Annotated[bytes, Max(1 + PAGE_BYTES_MAX)]

OK, ABSENT = 0, -1
ENOENT, EBUSY, EEXIST, EXDEV = (int(layout.Error[name]) for name in ("ENOENT", "EBUSY", "EEXIST", "EXDEV"))
ENOTDIR, EISDIR, EINVAL, EFBIG = (int(layout.Error[name]) for name in ("ENOTDIR", "EISDIR", "EINVAL", "EFBIG"))
ENOSPC, ENAMETOOLONG, ENOTEMPTY = (int(layout.Error[name]) for name in ("ENOSPC", "ENAMETOOLONG", "ENOTEMPTY"))
SLASH, DOT = 47, 46

NODES = 2 * NODES_MAX
"""Twice what there may be: paths fall into 64 groups unevenly, and no group is to be full before the whole is."""
BLOCKS = 64 * 180 * BLOCKS_MAX
"""As many in each group as all files that `nodes` has room for there may have: so no write finds it full."""


class NetFS(StateMachine):
    """Files and directories. Each lies under its path, so what reads or writes one touches nothing else."""

    nodes = Map[bytes, i64](Max(PATH_BYTES_MAX), i64, capacity=NODES)
    times = Map[bytes, i64](Max(PATH_BYTES_MAX), i64, capacity=NODES)
    names = Map[bytes, bytes](Max(PATH_BYTES_MAX), Max(DIRECTORY_BYTES_MAX), capacity=NODES)
    blocks = Map[bytes, bytes](Max(PATH_BYTES_MAX + 1), Max(BLOCK_BYTES), capacity=BLOCKS, part=1)
    built = Scratch(1 + IO_BYTES_MAX)
    key = Scratch(ARGUMENT_BYTES_MAX + 1)
    listing = Scratch(DIRECTORY_BYTES_MAX)

    @partially_dependent("path", access="read")
    def read(self, path: Path, offset: u32, count: u16) -> Content:
        """`count` bytes of a file from `offset` on, fewer at its end."""
        fault = self._no_file(path)
        if fault == OK and count > IO_BYTES_MAX:
            fault = EINVAL
        self.built.begin()
        self.built.append_byte(fault)
        if fault == OK:
            place = int(offset)
            end = min(place + int(count), self._size(self._node(path)))
            while place < end:
                number = place // BLOCK_BYTES
                begin = number * BLOCK_BYTES
                stop = min(end, begin + BLOCK_BYTES)
                self._append_block(path, number, place - begin, stop - begin)
                place = stop
        return self.built.value()

    @partially_dependent("path")
    def write(self, path: Path, offset: u32, data: Data) -> u8:
        """Write bytes into a file from `offset` on, all of them or none; it grows as far as they need."""
        fault = self._no_file(path)
        begin = int(offset)
        end = begin + len(data)
        if fault == OK and end > FILE_BYTES_MAX:
            fault = EFBIG
        if fault == OK and len(data) > 0:
            place = begin
            while place < end:
                number = place // BLOCK_BYTES
                stop = min(end, (number + 1) * BLOCK_BYTES)
                self._store(path, number, place % BLOCK_BYTES, data[place - begin : stop - begin])
                place = stop
            self._change(path, max(self._size(self._node(path)), end))
        return u8(fault)

    @partially_dependent("path")
    def truncate(self, path: Path, size: u32) -> u8:
        """Make a file this long: cut off what is behind, or add zeros."""
        fault = self._no_file(path)
        if fault == OK and size > FILE_BYTES_MAX:
            fault = EFBIG
        if fault == OK:
            kept = int(size)
            for number in range(kept // BLOCK_BYTES, self._blocks(path)):
                self._cut(path, number, max(kept - number * BLOCK_BYTES, 0))
            self._change(path, kept)
        return u8(fault)

    @partially_dependent("path")
    def utimens(self, path: Path, modified_us: i64) -> u8:
        """Say when a file or directory was modified, in microseconds."""
        node = self._node(path)
        if node == ABSENT:
            return u8(self._why_absent(path))
        self.times.put(path, modified_us)
        self._change(path, self._size(node))
        return u8(OK)

    @partially_dependent("path", access="read")
    def stat(self, path: Path) -> Status:
        """What is under a path: kind, size, changes, time of modification."""
        node = self._node(path)
        self.built.begin()
        if node == ABSENT:
            self.built.append_byte(self._why_absent(path))
            return self.built.value()
        self.built.append_byte(OK)
        self.built.append_byte(node & 1)
        self._append_number(self._size(node), 4)
        self._append_number(node >> 32, 4)
        self._append_number(int(self.times.get(path, 0)), 8)
        return self.built.value()

    @partially_dependent("path", access="read")
    def readdir(self, path: Path, after: Path) -> Page:
        """The names in a directory that come after `after` in byte order, up to 1,024 bytes of them; empty: no more."""
        node = self._node(path)
        fault = OK
        if node == ABSENT:
            fault = self._why_absent(path)
        elif node & 1 == FILE:
            fault = ENOTDIR
        self.built.begin()
        self.built.append_byte(fault)
        if fault == OK:
            names = self.names.get(path, path[:0])
            begin = self._place(names, after)
            if begin < len(names) and self._name_at(names, begin) == after:
                begin += 1 + names[begin]
            end = begin
            while end < len(names) and end + 1 + names[end] - begin <= PAGE_BYTES_MAX:
                end += 1 + names[end]
            self.built.append(names[begin:end])
        return self.built.value()

    @dependent
    def create(self, path: Path) -> u8:
        """Make an empty file."""
        return u8(self._make(path, FILE))

    @dependent
    def mkdir(self, path: Path) -> u8:
        """Make an empty directory."""
        return u8(self._make(path, DIRECTORY))

    @dependent
    def unlink(self, path: Path) -> u8:
        """Remove a file."""
        fault = self._no_file(path)
        if fault == OK:
            self._drop(path)
            self._leave(path)
        return u8(fault)

    @dependent
    def rmdir(self, path: Path) -> u8:
        """Remove an empty directory."""
        fault = self._no_empty_directory(path)
        if fault == OK:
            self._drop(path)
            self._leave(path)
        return u8(fault)

    @dependent
    def rename(self, source: Path, target: Path) -> u8:
        """Give a file, or an empty directory, another path; what was at `target`, of the same kind, is gone."""
        fault = self._no_rename(source, target)
        if fault != OK or source == target:
            return u8(fault)
        is_new = self._node(target) == ABSENT
        if not is_new:
            self._drop(target)
        for number in range(self._blocks(source)):
            key = self._key(source, number)
            if key in self.blocks:
                self.blocks.put(self._key(target, number), self.blocks.get(key, key[:0]))
        self.nodes.put(target, self._node(source))
        if source in self.times:
            self.times.put(target, self.times.get(source, 0))
        self._drop(source)
        self._leave(source)
        parent = self._parent(target)
        if is_new:
            self._enter(target)
        else:
            self._change(parent, self._size(self._node(parent)))
        return u8(OK)

    def _node(self, path: bytes) -> int:
        """What is packed into a node's word, or `ABSENT`. The root is there from the beginning."""
        node = int(self.nodes.get(path, ABSENT))
        if node == ABSENT and len(path) == 1 and path[0] == SLASH:
            return DIRECTORY
        return node

    def _size(self, node: int) -> int:
        return (node >> 1) & 0x7FFFFFFF

    def _change(self, path: bytes, size: int) -> None:
        """One more change of what is there, which is now this long."""
        node = self._node(path)
        changes = ((node >> 32) + 1) % CHANGES
        self.nodes.put(path, (node & 1) | (size << 1) | (changes << 32))

    def _why_absent(self, path: bytes) -> int:
        """Why nothing can be under the path, or `ENOENT`."""
        fault = self._malformed(path)
        return ENOENT if fault == OK else fault

    def _no_file(self, path: bytes) -> int:
        """Why this is no file's path; `OK` if it is one."""
        node = self._node(path)
        if node == ABSENT:
            return self._why_absent(path)
        return EISDIR if node & 1 == DIRECTORY else OK

    def _no_empty_directory(self, path: bytes) -> int:
        """Why this is no directory to be removed; `OK` if it is one."""
        node = self._node(path)
        if node == ABSENT:
            return self._why_absent(path)
        if len(path) == 1:
            return EBUSY
        if node & 1 == FILE:
            return ENOTDIR
        return ENOTEMPTY if self._size(node) > 0 else OK

    def _malformed(self, path: bytes) -> int:
        """What is wrong with the path as such, looked at from its beginning."""
        if len(path) > PATH_BYTES_MAX:
            return ENAMETOOLONG
        if len(path) == 0 or path[0] != SLASH:
            return EINVAL
        begin = 1
        for place in range(1, len(path) + 1):
            if place == len(path) or path[place] == SLASH:
                if len(path) > 1 and self._is_no_name(path[begin:place]):
                    return EINVAL
                if place - begin > NAME_BYTES_MAX:
                    return ENAMETOOLONG
                begin = place + 1
            elif path[place] == 0:
                return EINVAL
        return OK

    def _is_no_name(self, name: bytes) -> bool:
        return len(name) == 0 or name == b"." or name == b".."

    def _last_slash(self, path: bytes) -> int:
        place = len(path) - 1
        while path[place] != SLASH:
            place -= 1
        return place

    def _parent(self, path: bytes) -> bytes:
        return path[: max(self._last_slash(path), 1)]

    def _key(self, path: bytes, number: int) -> bytes:
        """Under what a block lies: the path, and the block's number as its part."""
        self.key.begin()
        self.key.append(path)
        self.key.append_byte(number)
        return self.key.value()

    def _blocks(self, path: bytes) -> int:
        """How many blocks a file of its size has, written or not."""
        node = self._node(path)
        return (self._size(node) + BLOCK_BYTES - 1) // BLOCK_BYTES if node & 1 == FILE else 0

    def _append_block(self, path: bytes, number: int, begin: int, end: int) -> None:
        """Build on with a piece of a block, zeros where nothing was written."""
        found = self.blocks.get(self._key(path, number), path[:0])[begin:end]
        self.built.append(found)
        for _ in range(end - begin - len(found)):
            self.built.append_byte(0)

    def _append_number(self, number: int, size_bytes: int) -> None:
        for _ in range(size_bytes):
            self.built.append_byte(number & 255)
            number = number >> 8

    def _store(self, path: bytes, number: int, begin: int, data: bytes) -> None:
        """Put bytes into a block."""
        key = self._key(path, number)
        before = self.blocks.get(key, path[:0])
        if begin == 0 and len(data) >= len(before):
            self.blocks.put(key, data)
            return
        self.built.begin()
        self.built.append(before[:begin])
        for _ in range(begin - len(before)):
            self.built.append_byte(0)
        self.built.append(data)
        self.built.append(before[begin + len(data) :])
        self.blocks.put(key, self.built.value())

    def _cut(self, path: bytes, number: int, kept: int) -> None:
        """Leave a block's first bytes."""
        key = self._key(path, number)
        if kept == 0:
            self.blocks.remove(key)
            return
        before = self.blocks.get(key, path[:0])
        if len(before) > kept:
            self.blocks.put(key, before[:kept])

    def _drop(self, path: bytes) -> None:
        """Take away what is under a path; its directory does not know yet."""
        for number in range(self._blocks(path)):
            self.blocks.remove(self._key(path, number))
        self.times.remove(path)
        self.nodes.remove(path)

    def _no_directory(self, path: bytes) -> int:
        """Why nothing can be made in what should be a directory; `OK` if it is one."""
        node = self._node(path)
        if node == ABSENT:
            return ENOENT
        return ENOTDIR if node & 1 == FILE else OK

    def _make(self, path: bytes, kind: int) -> int:
        fault = self._malformed(path)
        if fault == OK and self._node(path) != ABSENT:
            fault = EEXIST
        if fault == OK:
            fault = self._no_directory(self._parent(path))
        if fault == OK and (len(self.nodes) >= NODES_MAX or self._room(path) < 0):
            fault = ENOSPC
        if fault == OK:
            self._enter(path)
            self.nodes.put(path, kind)
        return fault

    def _no_rename(self, source: bytes, target: bytes) -> int:
        """Why a renaming cannot be done; `OK` if it can."""
        fault = self._malformed(source)
        if fault == OK:
            fault = self._malformed(target)
        if fault != OK:
            return fault
        if len(source) == 1 or len(target) == 1:
            return EBUSY
        node = self._node(source)
        if node == ABSENT:
            return ENOENT
        if source == target:
            return OK
        if len(target) > len(source) and target[: len(source)] == source and target[len(source)] == SLASH:
            return EINVAL
        if node & 1 == DIRECTORY and self._size(node) > 0:
            return EXDEV
        fault = self._no_directory(self._parent(target))
        if fault == OK:
            fault = self._no_target(source, target, node & 1)
        return fault

    def _no_target(self, source: bytes, target: bytes, kind: int) -> int:
        """Why something of this kind cannot take the target's place in its directory."""
        found = self._node(target)
        if found == ABSENT:
            room = self._room(target)
            if self._parent(source) == self._parent(target):
                room += len(source) - self._last_slash(source)
            return ENOSPC if room < 0 else OK
        if kind != found & 1:
            return EISDIR if kind == FILE else ENOTDIR
        return ENOTEMPTY if kind == DIRECTORY and self._size(found) > 0 else OK

    def _place(self, names: bytes, name: bytes) -> int:
        """Where the first name begins that does not come before `name`."""
        place = 0
        while place < len(names) and self._name_at(names, place) < name:
            place += 1 + names[place]
        return place

    def _name_at(self, names: bytes, place: int) -> bytes:
        return names[place + 1 : place + 1 + names[place]]

    def _room(self, path: bytes) -> int:
        """The bytes that its directory's list would have left with this path's name in it."""
        names = self.names.get(self._parent(path), path[:0])
        return DIRECTORY_BYTES_MAX - len(names) - (len(path) - self._last_slash(path))

    def _enter(self, path: bytes) -> None:
        """Put a name into its directory's list."""
        slash = self._last_slash(path)
        parent = self._parent(path)
        name = path[slash + 1 :]
        names = self.names.get(parent, path[:0])
        place = self._place(names, name)
        self.listing.begin()
        self.listing.append(names[:place])
        self.listing.append_byte(len(name))
        self.listing.append(name)
        self.listing.append(names[place:])
        self.names.put(parent, self.listing.value())
        self._change(parent, self._size(self._node(parent)) + 1)

    def _leave(self, path: bytes) -> None:
        """Take a name out of its directory's list."""
        parent = self._parent(path)
        names = self.names.get(parent, path[:0])
        place = self._place(names, path[self._last_slash(path) + 1 :])
        self.listing.begin()
        self.listing.append(names[:place])
        self.listing.append(names[place + 1 + names[place] :])
        rest = self.listing.value()
        if len(rest) == 0:
            self.names.remove(parent)
        else:
            self.names.put(parent, rest)
        self._change(parent, self._size(self._node(parent)) - 1)
