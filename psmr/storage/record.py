"""The log record: the bytes that are stored, replicated and delivered, made once and never re-encoded.

Little endian, a multiple of 8 bytes long:

    offset  field
    0       magic: u32       "PSMR"
    4       length: u32      bytes of payload
    8       index: u64
    16      term: u64
    24      time_us: i64     the leader's stamp
    32      checksum: u64    xxh3-64 of the payload, seeded with xxh3-64 of bytes 0..31
    40      payload, then zeros up to the next multiple of 8

The seed ties the payload to its header: a payload under another record's header, or at another index, does not verify.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from xxhash import xxh3_64, xxh3_64_intdigest

from psmr.errors import InvalidCall, LogDamaged

Buffer = bytes | bytearray | memoryview

MAGIC = 0x524D5350
HEADER = Struct("<IIQQqQ")
HEADER_BYTES = HEADER.size
SEEDED_BYTES = 32
MAX_PAYLOAD_BYTES = 256 << 20
CONTROL_MAGIC = b"PSMC"
"""What payloads begin with that are the log's own, not clients': opening a log lists their indexes."""

_UNSEALED = Struct("<IIQQq")
_CHECKSUM = Struct("<Q")
_PADDING = tuple(bytes(-length % 8) for length in range(8))


@dataclass(slots=True, eq=False)
class Record:
    """One record: its header's fields, its payload as a view, and the whole record as it is stored and sent."""

    index: int
    term: int
    time_us: int
    payload: memoryview
    raw: bytes | memoryview

    def __repr__(self) -> str:
        return f"Record(index={self.index}, term={self.term}, time_us={self.time_us}, {len(self.payload)} bytes)"


def encode(index: int, term: int, time_us: int, *parts: Buffer) -> bytes:
    """The bytes of a record whose payload is `parts`, one after another; they are copied once.

    Raises InvalidCall when the payload exceeds MAX_PAYLOAD_BYTES.
    """
    length = len(parts[0]) if len(parts) == 1 else sum(map(len, parts))
    if length > MAX_PAYLOAD_BYTES:
        raise InvalidCall(
            f"a record's payload may have {MAX_PAYLOAD_BYTES} bytes, found {length}: send smaller batches"
        )
    unsealed = _UNSEALED.pack(MAGIC, length, index, term, time_us)
    seed = xxh3_64_intdigest(unsealed)
    checksum = xxh3_64_intdigest(parts[0], seed) if len(parts) == 1 else _digest_of_parts(parts, seed)
    return b"".join((unsealed, _CHECKSUM.pack(checksum), *parts, _PADDING[length % 8]))


def decode(data: Buffer, offset: int = 0) -> Record:
    """The record at `offset` of `data`, verified; its views share `data`'s memory.

    Raises LogDamaged, saying what was expected and found, when the bytes there are not a record.
    """
    why = defect(data, offset)
    if why is not None:
        raise LogDamaged(f"record at byte {offset} of {len(data)}: {why}")
    return decode_unchecked(data, offset)


def decode_all(data: Buffer) -> list[Record]:
    """The records that fill `data`, one after another, each verified as by `decode`."""
    records: list[Record] = []
    offset = 0
    while offset < len(data):
        record = decode(data, offset)
        records.append(record)
        offset += len(record.raw)
    return records


def decode_unchecked(data: Buffer, offset: int = 0) -> Record:
    """The record at `offset` of bytes this process encoded or verified itself; nothing is checked again."""
    _, length, index, term, time_us, _ = HEADER.unpack_from(data, offset)
    body = offset + HEADER_BYTES
    stop = offset + padded_bytes(length)
    whole = memoryview(data)
    raw = data if isinstance(data, bytes) and offset == 0 and stop == len(data) else whole[offset:stop]
    return Record(index, term, time_us, whole[body : body + length], raw)


def defect(data: Buffer, offset: int) -> str | None:
    """What keeps the bytes at `offset` from being a record, or None when they are one."""
    left = len(data) - offset
    if left < HEADER_BYTES:
        return f"expected a header of {HEADER_BYTES} bytes, found {left} bytes"
    magic, length, _, _, _, checksum = HEADER.unpack_from(data, offset)
    if magic != MAGIC:
        return f"expected magic {MAGIC:#010x}, found {magic:#010x}"
    size_bytes = padded_bytes(length)
    if length > MAX_PAYLOAD_BYTES or size_bytes > left:
        return f"expected at most {left} bytes, found a length of {size_bytes}"
    view = memoryview(data)
    body = offset + HEADER_BYTES
    end = body + length
    found = xxh3_64_intdigest(view[body:end], xxh3_64_intdigest(view[offset : offset + SEEDED_BYTES]))
    if found != checksum:
        return f"expected checksum {checksum:#018x}, found {found:#018x}"
    if length & 7 and any(view[end : offset + size_bytes]):
        return "expected zeros after the payload, found other bytes"
    return None


def padded_bytes(length: int) -> int:
    """The size of a whole record whose payload has `length` bytes."""
    return HEADER_BYTES + (length + 7 & ~7)


def _digest_of_parts(parts: tuple[Buffer, ...], seed: int) -> int:
    digest = xxh3_64(seed=seed)
    for part in parts:
        digest.update(part)
    return digest.intdigest()
