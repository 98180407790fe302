"""The whole log of a stopped cluster, from its first entry on, put together from what all its replicas left.

A snapshot makes a log forget its beginning, and a replica that fetched one never had what it stands for. What the logs moved
to their archives (`LogStore` with `archive`) and what they hold still is, all replicas together, everything that was ever
committed. Files are read only: a folder is afterwards as it was before.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xxhash import xxh3_64_intdigest

from psmr.errors import ConfigurationError, LogDamaged, Violation
from psmr.storage import record
from psmr.storage.commit_mark import NAME, CommitMark
from psmr.storage.files import Files, disk_errors
from psmr.storage.log_store import ARCHIVE_NAME
from psmr.storage.log_tail import segment_in
from psmr.storage.record import Record
from psmr.storage.scan import scan_segment
from psmr.storage.segment import SEGMENT_NAMES, Segment, read_segment_header

_SNAPSHOTS = "snapshot-*.snap"


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment of which the records up to `last_index` are committed."""

    segment: Segment
    last_index: int


class WholeLog:
    """Entries 1 to `last_index`, all of them committed.

    `folders` are those of replicas that have executed so much; of `departed`, replicas that were gone before, only what they
    knew to be committed counts. Making one reads every record once. Raises Violation when two folders differ in what is
    committed, ConfigurationError when an index is in none of them or a folder is another cluster's, LogDamaged and DiskFailed.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        cluster_id: int,
        last_index: int,
        *,
        departed: Sequence[Path] = (),
        files: Files | None = None,
    ) -> None:
        self.last_index = last_index
        self._files = files or Files()
        self._cluster_id = cluster_id
        self._digests = array("Q", bytes(8 * (last_index + 1)))
        self._parts: list[_Part] = []
        self._loaded: tuple[Path, bytes] | None = None
        for folder in folders:
            self._take_in(folder, last_index)
        for folder in departed:
            self._take_in(folder, min(last_index, self._committed_in(folder)))
        self._chain = self._chained(len(folders) + len(departed))
        self._starts = [start for start, _ in self._chain]

    def read(self, first: int, max_bytes: int) -> Sequence[Record]:
        """Consecutive records from `first` on, about `max_bytes` together, at least one; none behind `last_index`."""
        if not 1 <= first <= self.last_index:
            return ()
        _, part = self._chain[bisect_right(self._starts, first) - 1]
        offsets, _ = part.segment.span(first, part.last_index, max_bytes)
        data = self._load(part.segment.path)
        return [record.decode_unchecked(data, offset) for offset in offsets]

    def _take_in(self, folder: Path, last_index: int) -> None:
        for path in sorted((folder / ARCHIVE_NAME).glob(SEGMENT_NAMES)):
            # Only what is committed is archived.
            self._enter(self._scanned(path, is_last=False), self.last_index)
        paths = sorted(folder.glob(SEGMENT_NAMES))
        for path in paths:
            self._enter(self._scanned(path, is_last=path is paths[-1]), last_index)

    def _scanned(self, path: Path, *, is_last: bool) -> Segment:
        data = self._load(path)
        header = read_segment_header(data)
        if header is None:
            raise LogDamaged(f"{path}: offset 0: expected a segment header, found none")
        _, cluster_id, first_index = header
        if cluster_id != self._cluster_id:
            raise ConfigurationError(
                f"{path}: expected a log of cluster {self._cluster_id:#018x}, found one of cluster {cluster_id:#018x}: "
                "give folders of one cluster"
            )
        segment = Segment(path, first_index)
        stopped_by = scan_segment(memoryview(data), segment, self._cluster_id, 0).stopped_by
        if stopped_by is not None and not is_last:
            raise LogDamaged(f"{path}: offset {segment.end}, index {segment.last_index + 1}: {stopped_by}")
        return segment

    def _enter(self, segment: Segment, last_index: int) -> None:
        """Remember where these records are, and hold them against those of other replicas."""
        last_index = min(segment.last_index, last_index)
        data = memoryview(self._load(segment.path))
        digests = self._digests
        for index, offset in zip(range(segment.first_index, last_index + 1), segment.offsets, strict=False):
            _, length, *_ = record.HEADER.unpack_from(data, offset)
            # 0 stands for an index not seen yet.
            found = xxh3_64_intdigest(data[offset : offset + record.padded_bytes(length)]) or 1
            if digests[index] not in (0, found):
                raise Violation(f"log index {index}: {self._differing(segment, index)}")
            digests[index] = found
        if last_index >= segment.first_index:
            self._parts.append(_Part(segment, last_index))

    def _differing(self, segment: Segment, index: int) -> str:
        other = next(each.segment for each in self._parts if each.segment.first_index <= index <= each.last_index)
        records = [
            record.decode_unchecked(self._load(each.path), each.offsets[index - each.first_index])
            for each in (other, segment)
        ]
        return f"expected committed entries to be equal, found {records[0]} in {other.path}, {records[1]} in {segment.path}"

    def _chained(self, folders: int) -> list[tuple[int, _Part]]:
        """From which index on which part is read: each as far as it goes."""
        chain: list[tuple[int, _Part]] = []
        parts = sorted(self._parts, key=lambda part: part.segment.first_index)
        place, index = 0, 1
        best: _Part | None = None
        while index <= self.last_index:
            while place < len(parts) and parts[place].segment.first_index <= index:
                if best is None or parts[place].last_index > best.last_index:
                    best = parts[place]
                place += 1
            if best is None or best.last_index < index:
                raise ConfigurationError(
                    f"expected the whole log, 1 to {self.last_index}, found index {index} in none of {folders} folders: what "
                    "snapshots replace is removed, unless the cluster's file says `archive = true` in [tuning] from the start"
                )
            chain.append((index, best))
            index = best.last_index + 1
        return chain

    def _committed_in(self, folder: Path) -> int:
        """Up to where a replica knew its log to be committed: its mark says so, and any snapshot that it has."""
        names = [path.name for path in folder.glob(_SNAPSHOTS)]
        marked = 0
        if (folder / NAME).exists():
            with disk_errors(self._files, folder / NAME, "reading the commit mark"):
                mark = CommitMark(folder, self._files, self._cluster_id)
                mark.close()
            marked = mark.index
        return max([marked, *(int(name.removeprefix("snapshot-").removesuffix(".snap")) for name in names)])

    def _load(self, path: Path) -> bytes:
        if self._loaded is None or self._loaded[0] != path:
            with disk_errors(self._files, path, "reading a segment"):
                self._loaded = (path, segment_in(path, self._cluster_id))
        return self._loaded[1]
