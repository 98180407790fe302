"""The term a replica is in and whom it voted for in it: durable before anyone is told.

One small file, replaced whole: written aside, synced, renamed, folder synced. Two alternating slots with one fdatasync
would be cheaper, but a slot that fails its checksum may be a write that a crash cut short or the newest vote gone bad,
and taking the older slot in the second case is voting twice in one term. A replaced file is never torn, so one that
does not verify is damaged, without doubt; and elections are rare.
"""

from __future__ import annotations

from pathlib import Path
from struct import Struct

from xxhash import xxh3_64_intdigest

from psmr.errors import LogDamaged
from psmr.storage.files import Files, disk_errors, replace_file

NAME = "hard-state"

_FIELDS = Struct("<IIQqQ")
_MAGIC = 0x53485350
_VERSION = 1
_NOBODY = -1


class HardState:
    """Term and vote in `folder`; without `sync` they survive the process, not the machine."""

    def __init__(self, folder: Path, *, sync: bool = True, files: Files | None = None) -> None:
        self._path = folder / NAME
        self._sync = sync
        self._files = files or Files()

    def load(self, last_term: int = 0) -> tuple[int, int | None]:
        """(term, replica voted for or None) as last saved; (0, None) in a new folder. Raises LogDamaged, DiskFailed.

        `last_term` is that of the log beside it. A log restored from a peer may be ahead of the term saved here; then this
        replica voted in no later term than the saved one, and (`last_term`, None) is saved and returned.
        """
        found = self._read()
        if found is None or found[0] >= last_term:
            return found or (0, None)
        self.save(last_term, None)
        return last_term, None

    def _read(self) -> tuple[int, int | None] | None:
        with disk_errors(self._files, self._path, "reading term and vote"):
            if not self._path.exists():
                return None
            data = self._path.read_bytes()
        if len(data) != _FIELDS.size:
            raise self._damaged(f"expected {_FIELDS.size} bytes, found {len(data)}")
        magic, version, term, voted_for, checksum = _FIELDS.unpack(data)
        found = xxh3_64_intdigest(data[:-8])
        if (magic, version, checksum) != (_MAGIC, _VERSION, found):
            raise self._damaged(
                f"expected magic {_MAGIC:#x}, version {_VERSION}, checksum {found:#018x}, "
                f"found {magic:#x}, {version}, {checksum:#018x}"
            )
        return term, None if voted_for == _NOBODY else voted_for

    def save(self, term: int, voted_for: int | None) -> None:
        """Replace term and vote; they are durable when this returns. Raises DiskFailed: then promise nothing."""
        vote = _NOBODY if voted_for is None else voted_for
        fields = _FIELDS.pack(_MAGIC, _VERSION, term, vote, 0)[:-8]
        data = fields + xxh3_64_intdigest(fields).to_bytes(8, "little")
        with disk_errors(self._files, self._path, "writing term and vote"):
            replace_file(self._files, self._path, data, sync=self._sync)

    def _damaged(self, why: str) -> LogDamaged:
        # The highest of all terms: whoever this replica helped to elect had saved its term before it asked for votes.
        return LogDamaged(
            f"{self._path}: {why}. Without its vote this replica could vote twice in a term. Restore it from a peer: "
            f"stop the cluster, replace {self._path} by that of the replica whose term is the highest, start "
            "all again."
        )
