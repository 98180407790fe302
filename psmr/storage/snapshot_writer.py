"""Taking a snapshot: its body as it comes, then what the file says of itself, then its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xxhash import xxh3_64_intdigest

from psmr.errors import InvalidCall
from psmr.storage import snapshot_format as layout
from psmr.storage.aside import AsideFile
from psmr.storage.files import Files, disk_errors, read_fully
from psmr.storage.record import Buffer
from psmr.storage.snapshot_file import NEW_SUFFIX, SnapshotFile, snapshot_name
from psmr.storage.snapshot_format import BlockSums, SnapshotHead


class SnapshotWriter:
    """The snapshot at `index` in the making; one thread uses it. `write` and `finish` raise DiskFailed: then `abandon` it.

    Until `finish` returns nothing counts: what a crash leaves of it is removed by `newest_snapshot`.
    """

    BODY_OFFSET = layout.BODY_OFFSET

    def __init__(self, folder: Path, files: Files, *, cluster_id: int, index: int) -> None:
        self._files = files
        self._cluster_id = cluster_id
        self._index = index
        self._aside = AsideFile(files, folder / snapshot_name(index), NEW_SUFFIX)
        self._sums = BlockSums()

    @property
    def fd(self) -> int:
        """The file, in which the body begins at BODY_OFFSET; what is written to it otherwise is not in its checksums."""
        return self._aside.fd

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write `buffers`, one after another, at `offset` of the body. What is left out holds zeros.

        In the order of offsets this costs no more than it must; what is written twice is read once more by `finish`.
        """
        parts = [part for part in (memoryview(each).cast("B") for each in buffers) if len(part)]
        self._aside.write(self.BODY_OFFSET + offset, parts)
        for part in parts:
            self._sums.add(offset, part)
            offset += len(part)

    def finish(self, head: SnapshotHead) -> SnapshotFile:
        """Complete the file and put it in place, durably. Raises InvalidCall when `head` is not of what was written."""
        if head.index != self._index or head.body_bytes < self._sums.end or len(head.meta) > layout.META_BYTES_MAX:
            raise InvalidCall(
                f"finish: expected a head with index {self._index}, at least {self._sums.end} bytes of body and at most "
                f"{layout.META_BYTES_MAX} of meta, found {head.index}, {head.body_bytes} and {len(head.meta)}"
            )
        self._aside.settle()
        self._sums.skip_to(head.body_bytes)
        sums = self._sums.sums()
        for place in self._sums.stale:
            sums[place] = self._sum_again(place, head.body_bytes)
        trailer = layout.encode_trailer(head.meta, sums)
        header = layout.encode_header(head, self._cluster_id, xxh3_64_intdigest(trailer))
        with disk_errors(self._files, self._aside.path, "writing a snapshot"):
            self._files.truncate(self.fd, layout.trailer_offset(head.body_bytes))
        if trailer:
            self._aside.write(layout.trailer_offset(head.body_bytes), [trailer])
        self._aside.write(0, [header])
        return SnapshotFile(self._aside.finish(), self._files, self._cluster_id)

    def abandon(self) -> None:
        """Remove what there is of it; a finished one stays. Raises DiskFailed."""
        self._aside.abandon()

    def _sum_again(self, place: int, body_bytes: int) -> int:
        start = place * layout.BLOCK_BYTES
        # What was skipped behind the last byte written is not in the file yet: it reads as the zeros that it will hold.
        data = bytearray(min(layout.BLOCK_BYTES, body_bytes - start))
        with disk_errors(self._files, self._aside.path, "reading a snapshot"), memoryview(data) as target:
            read_fully(self._files, self.fd, target, self.BODY_OFFSET + start)
        return xxh3_64_intdigest(data)
