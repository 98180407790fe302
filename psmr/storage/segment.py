"""One segment file of the log: what is in it, and where.

Little endian; everything starts at a multiple of 8 bytes:

    segment header   magic "PSLG": u32, format version: u32, cluster id: u64, first index: u64, checksum: u64
    then, repeated   a flush mark, and the records of one flush (see `record`)
    flush mark       magic "PSMF": u32, zero: u32, index of the next record: u64, own offset: u64, checksum: u64
    then             zeros, written ahead (see `segments`), or the end of the file

Both checksums are xxh3-64 of the 24 bytes before them; a flush mark's is seeded with the cluster id.

Why flush marks. A flush is what one fdatasync covers. The disk may keep a flush's pages in any order, so a power cut
can lose its first record and keep its last: an invalid record with valid ones behind it need not be damage. But no byte
of a flush is written before the flush in front of it was synced, so a flush mark proves that whatever stands before it
once was on the disk whole: what is invalid there is damage. (Telling a crash from damage by what later writes prove is
from Alagappan et al., *Protocol-Aware Recovery for Consensus-Based Storage*, FAST 2018.) A client cannot forge one
inside a payload without knowing the cluster id and the offset at which its bytes will land.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct

from xxhash import xxh3_64_intdigest

from psmr.storage.record import Buffer

FORMAT_VERSION = 1
SEGMENT_MAGIC = 0x474C5350
FLUSH_MAGIC = 0x464D5350
FLUSH_MAGIC_BYTES = FLUSH_MAGIC.to_bytes(4, "little")
HEADER_BYTES = FLUSH_BYTES = 32
SEGMENT_NAMES = "log-[0-9]*.seg"
"""The pattern of `segment_name`."""

_FIELDS = Struct("<IIQQ")
_FRAME = Struct("<IIQQQ")


@dataclass(slots=True)
class Segment:
    """A segment file and the offset of each of its records; whoever shares one between threads locks it."""

    path: Path
    first_index: int
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    end: int = HEADER_BYTES

    @property
    def last_index(self) -> int:
        """The index of its last record; `first_index - 1` when it has none."""
        return self.first_index + len(self.offsets) - 1

    def span(self, index: int, last_index: int, max_bytes: int) -> tuple[list[int], int]:
        """Offsets of the records from `index` to at most `last_index` that fit into `max_bytes`, and where they stop.

        At least one record, however long it is. A flush mark may stand between two of them.
        """
        start = index - self.first_index
        count = min(last_index - self.first_index + 1, len(self.offsets))
        limit = self.offsets[start] + max_bytes
        stop = count if self._after(count) <= limit else bisect_right(self.offsets, limit, start + 1, count) - 1
        stop = max(stop, start + 1)
        return self.offsets[start:stop].tolist(), self._after(stop)

    def _after(self, position: int) -> int:
        return self.offsets[position] if position < len(self.offsets) else self.end


def segment_name(first_index: int) -> str:
    """The file name of the segment that starts at `first_index`; names sort as indexes do."""
    return f"log-{first_index:020d}.seg"


def segment_header(cluster_id: int, first_index: int) -> bytes:
    """The first HEADER_BYTES of a segment file."""
    fields = _FIELDS.pack(SEGMENT_MAGIC, FORMAT_VERSION, cluster_id, first_index)
    return fields + xxh3_64_intdigest(fields).to_bytes(8, "little")


def read_segment_header(data: Buffer) -> tuple[int, int, int] | None:
    """(format version, cluster id, first index) of a segment's first bytes, or None when they do not verify."""
    if len(data) < HEADER_BYTES:
        return None
    magic, version, cluster_id, first_index, checksum = _FRAME.unpack_from(data)
    if magic != SEGMENT_MAGIC or xxh3_64_intdigest(memoryview(data)[: _FIELDS.size]) != checksum:
        return None
    return version, cluster_id, first_index


def flush_mark(cluster_id: int, index: int, offset: int) -> bytes:
    """The mark in front of a flush whose first record is `index`, to be written at `offset`."""
    fields = _FIELDS.pack(FLUSH_MAGIC, 0, index, offset)
    return fields + xxh3_64_intdigest(fields, cluster_id).to_bytes(8, "little")


def read_flush_mark(data: Buffer, offset: int, cluster_id: int) -> int | None:
    """The index a flush mark at `offset` announces, or None when there is no valid mark."""
    if offset + FLUSH_BYTES > len(data):
        return None
    magic, _, index, own_offset, checksum = _FRAME.unpack_from(data, offset)
    if magic != FLUSH_MAGIC or own_offset != offset:
        return None
    fields = memoryview(data)[offset : offset + _FIELDS.size]
    return index if xxh3_64_intdigest(fields, cluster_id) == checksum else None
