"""A simulated disk: what was done to it, in order, and what of that is there when it has lost power."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from psmr.storage import Files
from psmr.storage.record import Buffer

SECTOR = 64
"""Much smaller than a disk's, so that small records are torn as often as large ones."""


@dataclass
class Change:
    """One effect on a file or the folder, and what made it durable is found behind it in the journal."""

    kind: str
    inode: int = 0
    offset: int = 0
    data: bytes = b""
    name: str = ""
    to: str = ""


@dataclass
class JournalingFiles(Files):
    """Performs everything, without real syncs, and keeps it in order."""

    journal: list[Change] = field(default_factory=list)
    inodes: dict[int, int] = field(default_factory=dict)

    def open_file(self, path: Path) -> int:
        fd = super().open_file(path)
        self.inodes[fd] = path.stat().st_ino
        return fd

    def open_direct(self, path: Path) -> int:
        fd = super().open_direct(path)
        self.inodes[fd] = path.stat().st_ino
        return fd

    def create_file(self, path: Path) -> int:
        fd = super().create_file(path)
        self.inodes[fd] = path.stat().st_ino
        self.journal.append(Change("create", self.inodes[fd], name=path.name))
        return fd

    def pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        self.journal.append(Change("write", self.inodes[fd], offset, b"".join(buffers)))
        return super().pwritev(fd, buffers, offset)

    def truncate(self, fd: int, size_bytes: int) -> None:
        self.journal.append(Change("truncate", self.inodes[fd], size_bytes))
        super().truncate(fd, size_bytes)

    def fdatasync(self, fd: int) -> None:
        self.journal.append(Change("sync", self.inodes[fd]))

    def fsync(self, fd: int) -> None:
        self.fdatasync(fd)

    def rename(self, source: Path, target: Path) -> None:
        self.journal.append(Change("rename", name=source.name, to=target.name))
        super().rename(source, target)

    def unlink(self, path: Path) -> None:
        self.journal.append(Change("unlink", name=path.name))
        super().unlink(path)

    def sync_folder(self, folder: Path) -> None:
        self.journal.append(Change("sync_folder"))


def after_power_cut(journal: Sequence[Change], chance: random.Random) -> dict[str, bytes]:
    """Files by name, as a disk may hold them that lost power after `journal`.

    A folder's changes survive in order up to any point behind its last sync; of a file's changes behind its last sync
    any sectors survive.
    """
    folder_synced = max((i for i, change in enumerate(journal) if change.kind == "sync_folder"), default=-1)
    folder_until = chance.randint(folder_synced, len(journal))
    synced = {change.inode: i for i, change in enumerate(journal) if change.kind == "sync"}
    names: dict[str, int] = {}
    files: dict[int, bytearray] = {}
    luck = chance.random()
    for i, change in enumerate(journal):
        durable = i < synced.get(change.inode, -1)
        if change.kind in ("create", "rename", "unlink") and i < folder_until:
            change_folder(names, change)
        if change.kind == "create":
            files[change.inode] = bytearray()
        elif change.kind == "truncate" and (durable or chance.random() < 0.5):
            del files[change.inode][change.offset :]
        elif change.kind == "write":
            write(files[change.inode], change, lambda durable=durable: durable or chance.random() < luck)
    return {name: bytes(files[inode]) for name, inode in names.items()}


def change_folder(names: dict[str, int], change: Change) -> None:
    if change.kind == "create":
        names[change.name] = change.inode
    elif change.kind == "rename":
        names[change.to] = names.pop(change.name)
    else:
        del names[change.name]


def write(file: bytearray, change: Change, survives) -> None:  # type: ignore[no-untyped-def]
    at, end = change.offset, change.offset + len(change.data)
    while at < end:
        stop = min(end, at - at % SECTOR + SECTOR)
        if survives():
            file.extend(bytes(max(0, stop - len(file))))
            file[at:stop] = change.data[at - change.offset : stop - change.offset]
        at = stop


def restore(folder: Path, journal: Sequence[Change], chance: random.Random) -> None:
    """A folder as a power cut may leave it."""
    folder.mkdir()
    for name, data in after_power_cut(journal, chance).items():
        (folder / name).write_bytes(data)
