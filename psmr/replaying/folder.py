"""A replica's folder, looked at and never changed: not locked, nothing cut off, nothing moved aside, nothing written.

So it may be a running replica's. What it writes at the time is the log's end, which ends at the last whole record; what it
removes, as snapshots replace it, is missing then, and said to be.

A position can be had from an *origin* at or below it: the log's beginning, or a snapshot that the log goes on behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from psmr.errors import ConfigurationError, LogDamaged
from psmr.storage import Record, SnapshotFile, decode_unchecked
from psmr.storage.commit_mark import NAME as COMMIT_MARK
from psmr.storage.commit_mark import mark_in
from psmr.storage.files import disk_errors
from psmr.storage.identity import NAME as IDENTITY
from psmr.storage.identity import Identity, parse_identity
from psmr.storage.log_store import ARCHIVE_NAME
from psmr.storage.log_tail import segment_in
from psmr.storage.read_only import ReadOnlyFiles
from psmr.storage.scan import find_flush_mark, scan_segment
from psmr.storage.segment import FORMAT_VERSION, SEGMENT_NAMES, Segment, read_segment_header

_FILES = ReadOnlyFiles()
_NAMED = re.compile(r"log-\d{20}\.seg", re.ASCII)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where replay may begin: at log index `index`, with a snapshot, or without one at the log's beginning."""

    index: int
    snapshot: SnapshotFile | None = None


@dataclass(slots=True)
class ReplicaFolder:
    """What a folder holds: records `first_record` to `last_record`; `last` is that of the last one, or of a later snapshot.

    `committed`: up to where the folder knows the log to be committed; what follows may have been, and may have been discarded.
    `notes` say what could not be used, and why.
    """

    path: Path
    identity: Identity
    first_record: int
    last_record: int
    last: int
    committed: int
    origins: list[Origin]
    notes: list[str] = field(default_factory=list)
    _segments: list[Path] = field(default_factory=list)
    _loaded: tuple[Segment, bytes] | None = None

    @classmethod
    def open(cls, path: Path) -> ReplicaFolder:
        """Look at a folder. Raises ConfigurationError (no replica's folder, an empty log), LogDamaged and DiskFailed."""
        identity = _identity_in(path)
        segments = _segments_in(path)
        found = cls(path, identity, 0, 0, 0, _committed_in(path, identity.cluster_id), [], [], segments)
        if segments:
            found.first_record = _index_in(segments[0])
            found.last_record = found._load(segments[-1]).last_index
        snapshots = found._snapshots()
        found.last = max([found.last_record, *(each.head.index for each in snapshots)])
        if found.last == 0:
            raise ConfigurationError(f"{path}: expected a log with entries, found none: give the folder of a run")
        found.origins = found._usable(snapshots)
        if not found.origins:
            raise ConfigurationError(
                f"{path}: expected the log from its beginning, or a snapshot that it goes on behind, found its entries "
                f"{found.first_record} to {found.last} alone: give the folder of another replica"
            )
        return found

    @property
    def first(self) -> int:
        """The lowest position that can be had."""
        return self.origins[0].index

    def origin_for(self, index: int) -> Origin:
        """The newest at or below a position. Raises ConfigurationError for one that cannot be had, saying which can."""
        if index > self.last:
            raise ConfigurationError(
                f"{self.path}: expected a position up to {self.last}, the log's last entry, found {index}: replay up to there"
            )
        usable = [each for each in self.origins if each.index <= index]
        if not usable:
            raise ConfigurationError(
                f"{self.path}: expected a position from {self.first} to {self.last}, found {index}: what is before {self.first} "
                "was replaced by a snapshot; a replica with `archive = true` in [tuning] keeps it"
            )
        if self.last_record < index != usable[-1].index:
            raise ConfigurationError(
                f"{self.path}: expected a position up to {self.last_record}, where its log ends, or {self.last}, that of a "
                f"snapshot of another replica, found {index}: replay to one of these"
            )
        return usable[-1]

    def read(self, first: int, max_bytes: int) -> Sequence[Record]:
        """Consecutive records from `first` on, about `max_bytes` together, at least one; none behind `last_record`.

        Raises LogDamaged, and ConfigurationError where a running replica has removed them meanwhile.
        """
        if not self.first_record <= first <= self.last_record:
            return ()
        segment, data = self._segment_with(first)
        offsets, _ = segment.span(first, min(segment.last_index, self.last_record), max_bytes)
        return [decode_unchecked(data, offset) for offset in offsets]

    def _segment_with(self, index: int) -> tuple[Segment, bytes]:
        if self._loaded is None or not self._loaded[0].first_index <= index <= self._loaded[0].last_index:
            starts = [_index_in(path) for path in self._segments]
            self._load(self._segments[max(place for place, start in enumerate(starts) if start <= index)])
        assert self._loaded is not None
        segment, data = self._loaded
        if not segment.first_index <= index <= segment.last_index:
            raise LogDamaged(
                f"{segment.path}: offset {segment.end}, index {segment.last_index + 1}: expected a record, found none, and "
                "later segments follow: replay the folder of another replica"
            )
        return segment, data

    def _load(self, path: Path) -> Segment:
        """Read a segment to its last whole record; damage where others follow it."""
        data = bytes_of(path, "segment", lambda: segment_in(path, self.identity.cluster_id))
        header = read_segment_header(data)
        if header is None:
            raise LogDamaged(f"{path}: offset 0: expected a segment header, found {data[:32].hex() or 'nothing'}")
        version, cluster_id, first_index = header
        if version > FORMAT_VERSION or cluster_id != self.identity.cluster_id:
            raise ConfigurationError(
                f"{path}: expected log format {FORMAT_VERSION} of cluster {self.identity.cluster_id:#018x}, found format "
                f"{version} of cluster {cluster_id:#018x}: give a folder as a replica left it"
            )
        segment = Segment(path, first_index)
        stopped_by = scan_segment(memoryview(data), segment, cluster_id, 0).stopped_by
        if stopped_by is not None:
            self._refuse_damage(segment, data, stopped_by)
        self._loaded = (segment, data)
        return segment

    def _refuse_damage(self, segment: Segment, data: bytes, why: str) -> None:
        """As opening a log does: what follows the last whole record is damage if anything proves that it once was whole."""
        expected = segment.last_index + 1
        if segment.path != self._segments[-1]:
            proof = "later segments follow"
        elif expected <= self.committed:
            proof = f"records up to index {self.committed} were committed"
        elif find_flush_mark(bytearray(data), segment.end, len(data), self.identity.cluster_id) is not None:
            proof = "records synced later follow"
        else:
            return
        raise LogDamaged(f"{segment.path}: offset {segment.end}, index {expected}: {why}; {proof}, so this is damage")

    def _snapshots(self) -> list[SnapshotFile]:
        found: list[SnapshotFile] = []
        for path in sorted(self.path.glob("snapshot-*.snap")):
            try:
                found.append(SnapshotFile(path, _FILES, self.identity.cluster_id, "It is not used."))
            except LogDamaged as damaged:
                self.notes.append(str(damaged))
        return found

    def _usable(self, snapshots: Sequence[SnapshotFile]) -> list[Origin]:
        origins = [Origin(0)] if self.first_record == 1 else []
        for each in snapshots:
            index = each.head.index
            if index == self.last or self.first_record <= index + 1 <= self.last_record + 1:
                origins.append(Origin(index, each))
        return origins


def _identity_in(path: Path) -> Identity:
    if not path.is_dir():
        found = "a file" if path.exists() else "none"
        raise ConfigurationError(f"{path}: expected the data folder of a replica, found {found} there: give its path")
    if not (path / IDENTITY).is_file():
        inside = ", ".join(sorted(str(each.parent) for each in path.glob(f"*/{IDENTITY}")))
        raise ConfigurationError(
            f"{path}: expected the data folder of a replica, found no {IDENTITY} in it: give "
            + (f"one of those in it: {inside}" if inside else "the folder itself")
        )
    return parse_identity(path / IDENTITY, bytes_of(path / IDENTITY, "folder's identity"))


def _segments_in(path: Path) -> list[Path]:
    """The log's and the archive's, in order, each once."""
    named = {each.name: each for folder in (path / ARCHIVE_NAME, path) for each in folder.glob(SEGMENT_NAMES)}
    return [named[name] for name in sorted(named) if _NAMED.fullmatch(name)]


def _index_in(path: Path) -> int:
    return int(path.name.removeprefix("log-").removesuffix(".seg"))


def _committed_in(path: Path, cluster_id: int) -> int:
    mark = path / COMMIT_MARK
    return mark_in(bytes_of(mark, "commit mark"), cluster_id) if mark.exists() else 0


def bytes_of(path: Path, what: str, read: Callable[[], bytes] | None = None) -> bytes:
    """All of a file, or what `read` makes of it. Raises ConfigurationError where it was there and is no more, DiskFailed."""
    with disk_errors(_FILES, path, f"reading a {what}"):
        try:
            return path.read_bytes() if read is None else read()
        except FileNotFoundError:
            pass
    raise ConfigurationError(
        f"{path}: expected the {what} that was there, found it removed by the replica, which runs: replay again"
    )
