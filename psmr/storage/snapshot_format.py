"""One snapshot file: what is in it, and where. Pure: bytes in, bytes out.

Little endian:

    0            header, padded with zeros to BODY_OFFSET
    BODY_OFFSET  the body: what delivery made of all entries up to the snapshot's index; then zeros to a multiple of 8
    then         the trailer: `meta`, then zeros to a multiple of 8; then the xxh3-64 of each BLOCK_BYTES of the body
    then         the end of the file

    header       magic "PSSN": u32, format version: u32, cluster id: u64, index: u64, term: u64, time_us: i64,
                 fingerprint: u64, bytes of the body: u64, bytes of meta: u64, xxh3-64 of the trailer: u64,
                 xxh3-64 of all that: u64

The header's checksum covers the trailer's, which covers the blocks': it stands for the whole file, and what is wrong is found a
block at a time. The body begins at a page, so that it can be mapped. The header is written last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct

from msgspec import Struct as Fields
from xxhash import xxh3_64, xxh3_64_intdigest

FORMAT_VERSION = 1
MAGIC = 0x4E535350
BODY_OFFSET = 4096
BLOCK_BYTES = 1 << 20
META_BYTES_MAX = 1 << 20

_HEADER = Struct("<IIQQQqQQQQ")
_CHECKSUM = Struct("<Q")
HEADER_BYTES = _HEADER.size + _CHECKSUM.size
_ZEROS = bytes(BLOCK_BYTES)


class SnapshotHead(Fields, frozen=True):
    """What a snapshot is of: taken at the entry `index` of `term`, stamped `time_us`, of the service with `fingerprint`.

    `meta` is its maker's, at most META_BYTES_MAX; `body_bytes` is the size of the body.
    """

    index: int
    term: int
    time_us: int
    fingerprint: int
    meta: bytes
    body_bytes: int


class Header(Fields, frozen=True):
    """A header as it was read; `checksum` is its own, which stands for the whole file."""

    version: int
    cluster_id: int
    index: int
    term: int
    time_us: int
    fingerprint: int
    body_bytes: int
    meta_bytes: int
    trailer_checksum: int
    checksum: int


def encode_header(head: SnapshotHead, cluster_id: int, trailer_checksum: int) -> bytes:
    """The first BODY_OFFSET bytes of a snapshot."""
    fields = _HEADER.pack(
        MAGIC,
        FORMAT_VERSION,
        cluster_id,
        head.index,
        head.term,
        head.time_us,
        head.fingerprint,
        head.body_bytes,
        len(head.meta),
        trailer_checksum,
    )
    return (fields + _CHECKSUM.pack(xxh3_64_intdigest(fields))).ljust(BODY_OFFSET, b"\0")


def decode_header(data: bytes) -> Header | None:
    """The header that a snapshot begins with, or None when `data`, its first BODY_OFFSET bytes, is none."""
    if len(data) != BODY_OFFSET or data.count(0, HEADER_BYTES) != BODY_OFFSET - HEADER_BYTES:
        return None
    magic, *fields = (*_HEADER.unpack_from(data), *_CHECKSUM.unpack_from(data, _HEADER.size))
    if magic != MAGIC or fields[-1] != xxh3_64_intdigest(data[: _HEADER.size]):
        return None
    return Header(*fields)


def encode_trailer(meta: bytes, sums: Sequence[int]) -> bytes:
    """What follows the body and its padding."""
    return meta + bytes(-len(meta) % 8) + b"".join(map(_CHECKSUM.pack, sums))


def trailer_offset(body_bytes: int) -> int:
    """Where in the file the trailer begins."""
    return BODY_OFFSET + padded(body_bytes)


def size_bytes_of(body_bytes: int, meta_bytes: int) -> int:
    """The size of the whole file."""
    return trailer_offset(body_bytes) + padded(meta_bytes) + _CHECKSUM.size * blocks_of(body_bytes)


def blocks_of(body_bytes: int) -> int:
    """How many blocks the body has, the last one perhaps shorter."""
    return -(-body_bytes // BLOCK_BYTES)


def padded(size_bytes: int) -> int:
    """`size_bytes` up to a multiple of 8."""
    return size_bytes + 7 & ~7


class BlockSums:
    """The checksums of a body's blocks, made while it is written, mostly from its beginning to its end.

    What is skipped counts as zeros. Blocks that were written to again must be read again: `stale`.
    """

    def __init__(self) -> None:
        self.end = 0
        self.stale: set[int] = set()
        self._sums: list[int] = []
        self._block = xxh3_64()

    def add(self, offset: int, data: memoryview) -> None:
        """`data`, bytes, was written at `offset` of the body."""
        if offset < self.end:
            known = min(len(data), self.end - offset)
            self.stale.update(range(offset // BLOCK_BYTES, (offset + known - 1) // BLOCK_BYTES + 1))
            data, offset = data[known:], offset + known
        if len(data):
            self.skip_to(offset)
            self._feed(data)

    def skip_to(self, offset: int) -> None:
        """The body goes on at `offset`, or ends there."""
        while self.end < offset:
            self._feed(memoryview(_ZEROS)[: offset - self.end])

    def sums(self) -> list[int]:
        """The checksum of each block up to `end`."""
        return [*self._sums, self._block.intdigest()] if self.end % BLOCK_BYTES else self._sums.copy()

    def _feed(self, data: memoryview) -> None:
        for part in _by_block(self.end, data):
            self._block.update(part)
            self.end += len(part)
            if self.end % BLOCK_BYTES == 0:
                self._sums.append(self._block.intdigest())
                self._block.reset()


def _by_block(offset: int, data: memoryview) -> Iterator[memoryview]:
    at = 0
    while at < len(data):
        stop = min(len(data), at + BLOCK_BYTES - (offset + at) % BLOCK_BYTES)
        yield data[at:stop]
        at = stop
