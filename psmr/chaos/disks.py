"""Faults of a replica's disk: no room any more, a bit that flipped, and the repair that the engine advises."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path
from random import Random

from psmr.storage import HardState
from psmr.storage.files import Files
from psmr.storage.log_tail import settle_tail
from psmr.storage.segment import SEGMENT_NAMES, read_segment_header

_ROOM_BYTES = 256 << 10
_TAIL_BYTES = 4096
_LOG = "log-*.seg"
_SNAPSHOTS = "snapshot-*.snap"
_COMMIT_MARK = "commit-mark"


def fill_disk(process: int) -> None:
    """Let no file of a process grow beyond a little: what a full disk answers, or as good as (EFBIG for ENOSPC)."""
    _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (_ROOM_BYTES, hard))


def empty_disk(process: int) -> None:
    """Take `fill_disk` back."""
    _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (hard, hard))


def flip_bit(folder: Path, random: Random) -> str:
    """Turn over one bit in the last few records of a stopped replica's log; where, in words."""
    last = max(folder.glob(SEGMENT_NAMES))
    header = read_segment_header(last.read_bytes())
    if header is not None:
        settle_tail(folder, Files(), header[1], sync=False)
    data = last.read_bytes()
    end = len(data.rstrip(b"\0"))
    place = random.randrange(max(0, end - _TAIL_BYTES), end)
    bit = random.randrange(8)
    with open(last, "r+b") as file:
        file.seek(place)
        file.write(bytes([data[place] ^ 1 << bit]))
    return f"{last.name}, bit {bit} of byte {place:,} of {end:,}"


def flip_byte(folder: Path, random: Random) -> str:
    """Change one byte of a stopped replica's newest snapshot; where, in words, or "" when there is none."""
    newest = max(folder.glob(_SNAPSHOTS), default=None)
    if newest is None:
        return ""
    place = random.randrange(newest.stat().st_size)
    with open(newest, "r+b") as file:
        file.seek(place)
        (before,) = file.read(1)
        file.seek(place)
        file.write(bytes([before ^ random.randrange(1, 256)]))
    return f"{newest.name}, byte {place:,}"


def restore_log(damaged: Path, donor: Path) -> None:
    """What a replica that refuses its log advises, with every replica stopped: a peer's log and snapshots, no commit mark.

    Its term is raised to the peer's, too: a log that is ahead of the term beside it would be refused again.
    """
    for kind in (_LOG, _SNAPSHOTS):
        for path in damaged.glob(kind):
            path.unlink()
        for path in sorted(donor.glob(kind)):
            shutil.copyfile(path, damaged / path.name)
    (damaged / _COMMIT_MARK).unlink(missing_ok=True)
    # The peer's log may be of terms that this replica never heard of, in which it therefore voted for nobody.
    state = HardState(damaged)
    term, _ = HardState(donor).load()
    if term > state.load()[0]:
        state.save(term, None)
