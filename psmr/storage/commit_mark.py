"""How far the log was known to be committed: a hint on disk that tells damage from a torn tail, and what to deliver at once.

Written in place and never synced, so it may be old, or missing, or torn after a power cut, and then counts for less. It
is never too high: it names only records that were committed *and* synced on this disk, and those are never cut off.
"""

from __future__ import annotations

from pathlib import Path
from struct import Struct

from xxhash import xxh3_64_intdigest

from psmr.storage.files import Files, write_fully

NAME = "commit-mark"

_FIELDS = Struct("<IIQQ")
_MAGIC = 0x434D5350
_SIZE_BYTES = _FIELDS.size + 8


class CommitMark:
    """The file of the mark; `index` is what it holds."""

    def __init__(self, folder: Path, files: Files, cluster_id: int) -> None:
        self._files = files
        self._cluster_id = cluster_id
        path = folder / NAME
        self._fd = files.open_file(path) if path.exists() else files.create_file(path)
        self.index = self._read()

    def save(self, index: int) -> None:
        """Remember that everything up to `index` is committed and on this disk."""
        fields = _FIELDS.pack(_MAGIC, 1, self._cluster_id, index)
        checksum = xxh3_64_intdigest(fields).to_bytes(8, "little")
        write_fully(self._files, self._fd, [fields + checksum], 0)
        self.index = index

    def close(self) -> None:
        """Let go of the file."""
        self._files.close(self._fd)

    def _read(self) -> int:
        data = bytearray(_SIZE_BYTES)
        self._files.preadv(self._fd, [data], 0)
        return mark_in(bytes(data), self._cluster_id)


def mark_in(data: bytes, cluster_id: int) -> int:
    """The index that a mark's file holds; 0 where it is torn, cut short or another cluster's."""
    if len(data) < _SIZE_BYTES:
        return 0
    magic, version, found, index = _FIELDS.unpack_from(data)
    checksum = xxh3_64_intdigest(data[: _FIELDS.size]).to_bytes(8, "little")
    is_whole = data[_FIELDS.size : _SIZE_BYTES] == checksum
    return int(index) if is_whole and (magic, version, found) == (_MAGIC, 1, cluster_id) else 0
