"""Receiving a snapshot of a peer: parts of its file, of which some get lost, come twice, or late, or are no such parts."""

from __future__ import annotations

from pathlib import Path

from psmr.errors import InvalidCall, LogDamaged
from psmr.storage import snapshot_format as layout
from psmr.storage.aside import AsideFile
from psmr.storage.files import Files
from psmr.storage.record import Buffer
from psmr.storage.snapshot_file import PART_SUFFIX, SnapshotFile, snapshot_name

_CURE = "Receive it again, from its beginning."

AHEAD_BYTES_MAX = 64 << 20
AHEAD_PARTS_MAX = 64
"""What arrives further ahead of what is missing, or in more pieces, is dropped: it will be asked for again."""


class SnapshotReceiver:
    """The snapshot at `index`, of `size_bytes` bytes, as a peer offered it. `write` and `finish` raise DiskFailed.

    Raises InvalidCall when no snapshot has so few bytes.
    """

    def __init__(self, folder: Path, files: Files, cluster_id: int, index: int, size_bytes: int) -> None:
        if size_bytes < layout.BODY_OFFSET:
            raise InvalidCall(f"expected a snapshot of at least {layout.BODY_OFFSET} bytes, found {size_bytes}")
        self.index = index
        self.size_bytes = size_bytes
        self._files = files
        self._cluster_id = cluster_id
        self._next = 0
        self._ahead: dict[int, int] = {}
        self._aside = AsideFile(files, folder / snapshot_name(index), PART_SUFFIX)

    def missing(self) -> int:
        """The offset of the first byte that is missing; `size_bytes` when none is."""
        return self._next

    def write(self, offset: int, data: Buffer) -> None:
        """Keep a part that adds something and lies within the snapshot; any other changes nothing."""
        end = offset + len(data)
        fits = 0 <= offset <= self._next + AHEAD_BYTES_MAX and end <= self.size_bytes
        if not fits or not data or end <= self._next or (offset > self._next and len(self._ahead) >= AHEAD_PARTS_MAX):
            return
        start = max(offset, self._next)
        self._aside.write(start, [memoryview(data)[start - offset :]])
        self._ahead[start] = max(end, self._ahead.get(start, 0))
        for known in sorted(self._ahead):
            if known <= self._next:
                self._next = max(self._next, self._ahead.pop(known))

    def finish(self) -> SnapshotFile:
        """Verify every byte and put the snapshot in place, durably.

        Raises InvalidCall while something is missing. Raises LogDamaged or ConfigurationError when what was received is not
        that snapshot of this cluster: it is then removed, and to be received from its beginning by another receiver.
        """
        if self._next < self.size_bytes:
            raise InvalidCall(
                f"expected all {self.size_bytes} bytes of a snapshot, found {self._next}: write them first"
            )
        received = False
        self._aside.settle()
        try:
            self._verify()
            received = True
        finally:
            if not received:
                self._aside.abandon()
        return SnapshotFile(self._aside.finish(), self._files, self._cluster_id)

    def abandon(self) -> None:
        """Remove what there is of it; a finished one stays. Raises DiskFailed."""
        self._aside.abandon()

    def _verify(self) -> None:
        found = SnapshotFile(self._aside.aside, self._files, self._cluster_id, _CURE)
        if found.head.index != self.index:
            raise LogDamaged(
                f"{found.path}: expected a snapshot at index {self.index}, found one at {found.head.index}. {_CURE}"
            )
        found.verify()
