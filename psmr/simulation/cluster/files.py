"""A replica's folder in memory, below the production code of snapshots and events: what is not synced, a crash may take.

Of a file's bytes behind its last sync some beginning survives, the end of which may be torn or have a wrong bit; of names
changed since their folder's last sync each goes back, or not.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import cast

from psmr.simulation.cluster.power import PowerCut
from psmr.storage.files import Files
from psmr.storage.record import Buffer
from psmr.storage.snapshot_file import PART_SUFFIX

_FLIP_RATE = 0.3
_TEAR_RATE = 0.3
_ANYWHERE_RATE = 0.2


class _File:
    __slots__ = ("data", "durable")

    def __init__(self) -> None:
        self.data = bytearray()
        self.durable = b""


class SimulatedPath:
    """As much of `Path` as storage uses, for files of one `SimulatedFiles`."""

    __slots__ = ("_files", "_text", "name")

    def __init__(self, files: SimulatedFiles, text: str) -> None:
        self._files = files
        self._text = text
        self.name = text.rpartition("/")[2]

    def __str__(self) -> str:
        return self._text

    def __truediv__(self, name: str) -> SimulatedPath:
        return SimulatedPath(self._files, f"{self._text}/{name}")

    def __lt__(self, other: SimulatedPath) -> bool:
        return self._text < other._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SimulatedPath) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    @property
    def parent(self) -> SimulatedPath:
        """The folder that it is in."""
        return SimulatedPath(self._files, self._text.rpartition("/")[0])

    @property
    def parents(self) -> tuple[SimulatedPath, ...]:
        """Folders that may have to be made: none."""
        return ()

    def with_name(self, name: str) -> SimulatedPath:
        """Another of the same folder."""
        return self.parent / name

    def exists(self) -> bool:
        """Whether there is such a file; every folder is there."""
        return not self.name.count(".") or self._text in self._files.names

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Every folder is there."""

    def glob(self, pattern: str) -> Iterator[SimulatedPath]:
        """The files of this folder whose names fit."""
        for text in sorted(self._files.names):
            folder, _, name = text.rpartition("/")
            if folder == self._text and fnmatchcase(name, pattern):
                yield SimulatedPath(self._files, text)


class SimulatedFiles(Files):
    """One replica's disk but for its log. `spend` is called before every change and may raise, when the power goes.

    `torn` counts files that a crash has left with wrong bytes; `fetched` are the snapshots that came from another replica.
    """

    def __init__(self, random: Random, spend: Callable[[], None], is_full: Callable[[], bool]) -> None:
        self._random = random
        self._spend = spend
        self._is_full = is_full
        self.names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._open: dict[int, _File] = {}
        self._descriptors = 0
        self._fuse: int | None = None
        self.torn = 0
        self.fetched: set[str] = set()

    @property
    def folder(self) -> Path:
        """The replica's folder."""
        return cast(Path, SimulatedPath(self, "disk"))

    def open_file(self, path: Path) -> int:
        found = self.names.get(str(path))
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self._descriptor(found)

    def create_file(self, path: Path) -> int:
        self._change()
        created = self.names[str(path)] = _File()
        return self._descriptor(created)

    def open_direct(self, path: Path) -> int:
        return -1

    def close(self, fd: int) -> None:
        self._open.pop(fd, None)

    def size_bytes(self, fd: int) -> int:
        return len(self._open[fd].data)

    def preadv(self, fd: int, buffers: Sequence[bytearray | memoryview], offset: int) -> int:
        data, done = self._open[fd].data, 0
        for buffer in buffers:
            part = data[offset + done : offset + done + len(buffer)]
            buffer[: len(part)] = part
            done += len(part)
        return done

    def map_file(self, fd: int, size_bytes: int) -> memoryview:
        return memoryview(bytes(self._open[fd].data[:size_bytes]))

    def pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        self._change()
        if self._is_full():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        data = self._open[fd].data
        content = b"".join(buffers)
        if offset > len(data):
            data += bytes(offset - len(data))
        data[offset : offset + len(content)] = content
        return len(content)

    def truncate(self, fd: int, size_bytes: int) -> None:
        self._change()
        data = self._open[fd].data
        del data[size_bytes:]
        data += bytes(size_bytes - len(data))

    def fdatasync(self, fd: int) -> None:
        self._change()
        synced = self._open[fd]
        synced.durable = bytes(synced.data)

    def fsync(self, fd: int) -> None:
        self.fdatasync(fd)

    def rename(self, source: Path, target: Path) -> None:
        self._change()
        self.names[str(target)] = self.names.pop(str(source))
        if source.name.endswith(PART_SUFFIX):
            self.fetched.add(str(target))
        else:
            self.fetched.discard(str(target))

    def unlink(self, path: Path) -> None:
        self._change()
        del self.names[str(path)]

    def sync_folder(self, folder: Path) -> None:
        self._change()
        prefix = f"{folder}/"
        others = {name: file for name, file in self._durable_names.items() if _folder_of(name) != prefix}
        self._durable_names = others | {name: file for name, file in self.names.items() if _folder_of(name) == prefix}

    def free_bytes(self, folder: Path) -> int:
        return 0 if self._is_full() else 1 << 30

    def crash(self, unfinished: Sequence[Callable[[], None]]) -> None:
        """The power goes, some way into what was `unfinished` beside the loop."""
        self._fuse = int(self._random.random() * 12)
        for work in unfinished:
            with suppress(PowerCut):
                work()
        self._fuse = None
        self._open.clear()
        self._lose_names()
        for each in {id(file): file for file in self.names.values()}.values():
            self._lose_bytes(each)

    def flip(self, path: Path) -> None:
        """One bit of a file is wrong from now on, mostly not in the zeros between its parts."""
        random, found = self._random.random, self.names[str(path)]
        anywhere = range(len(found.data))
        places = anywhere if random() < _ANYWHERE_RATE else [place for place in anywhere if found.data[place]]
        found.data[places[int(random() * len(places))]] ^= 1 << int(random() * 8)
        found.durable = bytes(found.data)

    def _descriptor(self, file: _File) -> int:
        self._descriptors += 1
        self._open[self._descriptors] = file
        return self._descriptors

    def _change(self) -> None:
        if self._fuse is not None:
            if self._fuse <= 0:
                raise PowerCut("the power went while something was written beside the loop")
            self._fuse -= 1
        self._spend()

    def _lose_names(self) -> None:
        before, after = self._durable_names, self.names
        if before == after:
            return
        for name in sorted({*before, *after}):
            if before.get(name) is not after.get(name) and self._random.random() < 0.5:
                if name in before:
                    after[name] = before[name]
                else:
                    del after[name]
        self._durable_names = dict(after)

    def _lose_bytes(self, file: _File) -> None:
        random, data, durable = self._random.random, file.data, file.durable
        if len(data) != len(durable):
            if data.startswith(durable):
                kept = len(durable) + int(random() * (len(data) - len(durable) + 1))
                del data[kept:]
                self._spoil(data, len(durable))
            elif random() < 0.5:
                file.data = bytearray(durable)
            file.durable = bytes(file.data)

    def _spoil(self, data: bytearray, start: int) -> None:
        """What a write that a crash interrupted may leave behind `start`."""
        if len(data) == start:
            return
        draw, place = self._random.random(), start + int(self._random.random() * (len(data) - start))
        if draw < _FLIP_RATE:
            data[place] ^= 1 << int(self._random.random() * 8)
        elif draw < _FLIP_RATE + _TEAR_RATE:
            data[place:] = bytes(len(data) - place)
        self.torn += draw < _FLIP_RATE + _TEAR_RATE


def _folder_of(name: str) -> str:
    return name[: name.rfind("/") + 1]
