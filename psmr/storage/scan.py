"""Reading a segment from its first byte to the place where it stops being valid. Pure: bytes in, findings out."""

from __future__ import annotations

from dataclasses import dataclass, field

from xxhash import xxh3_64_intdigest

from psmr.storage import record
from psmr.storage.record import CONTROL_MAGIC
from psmr.storage.segment import FLUSH_BYTES, FLUSH_MAGIC_BYTES, Segment, read_flush_mark

_ZEROS = bytes(1 << 20)


@dataclass(slots=True)
class Scan:
    """What a segment held: `runs` are (first index, term) of each change of term.

    `controls` are the indexes of records whose payload begins with CONTROL_MAGIC. `stopped_by` says what followed the last
    valid record, None when it was zeros to the end of the file.
    """

    runs: list[tuple[int, int]] = field(default_factory=list)
    controls: list[int] = field(default_factory=list)
    stopped_by: str | None = None


def scan_segment(data: memoryview, segment: Segment, cluster_id: int, term: int) -> Scan:
    """Find the valid records of `data`, entering them into `segment`; `term` is that of the record before it.

    A record is valid when its checksum is, its index follows the last one's, and its term is no smaller: a record
    that an older term left behind never passes for the successor of a newer one.
    """
    found = Scan()
    unpack, digest, magic_expected = record.HEADER.unpack_from, xxh3_64_intdigest, record.MAGIC
    header_bytes, seeded_bytes, size = record.HEADER_BYTES, record.SEEDED_BYTES, len(data)
    control_end = CONTROL_MAGIC[3]
    add = segment.offsets.append
    offset, expected = segment.end, segment.first_index
    # Written out rather than calling `record.defect`: with 1 KB records this loop is what recovery takes.
    while offset + header_bytes <= size:
        magic, length, index, its_term, _, checksum = unpack(data, offset)
        if magic != magic_expected:
            if read_flush_mark(data, offset, cluster_id) != expected:
                break
            offset += FLUSH_BYTES
            continue
        body = offset + header_bytes
        stop = body + length
        padded = stop + 7 & ~7
        if index != expected or its_term < term or padded > size:
            break
        if digest(data[body:stop], digest(data[offset : offset + seeded_bytes])) != checksum:
            break
        if stop != padded and any(data[stop:padded]):
            break
        if its_term != term:
            term = its_term
            found.runs.append((index, term))
        # Its last byte first: a comparison of slices, for each record, would take a fifth of this loop's time.
        if length > 3 and data[body + 3] == control_end and data[body : body + 4] == CONTROL_MAGIC:
            found.controls.append(index)
        add(offset)
        offset, expected = padded, expected + 1
    if read_flush_mark(data, offset, cluster_id) == expected:
        offset += FLUSH_BYTES  # At the end of a file that was cut right behind it.
    segment.end = offset
    found.stopped_by = None if is_zero(data, offset) else _why(data, offset, expected, term)
    return found


def find_flush_mark(data: bytearray, start: int, size: int, cluster_id: int) -> int | None:
    """The offset of the first valid flush mark from `start` on, None when there is none up to `size`."""
    view = memoryview(data)[:size]
    at = data.find(FLUSH_MAGIC_BYTES, start, size)
    while at != -1:
        if at % 8 == 0 and read_flush_mark(view, at, cluster_id) is not None:
            return at
        at = data.find(FLUSH_MAGIC_BYTES, at + 1, size)
    return None


def later_flush(data: bytes, segment: Segment, cluster_id: int) -> int | None:
    """The offset of a flush mark behind a segment's end that announces a record behind its last one; None without any."""
    at = data.find(FLUSH_MAGIC_BYTES, segment.end)
    while at != -1:
        index = read_flush_mark(data, at, cluster_id) if at % 8 == 0 else None
        if index is not None and index > segment.last_index:
            return at
        at = data.find(FLUSH_MAGIC_BYTES, at + 1)
    return None


def is_zero(data: memoryview, start: int) -> bool:
    """Whether every byte from `start` on is zero."""
    chunks = (bytes(data[at : at + len(_ZEROS)]) for at in range(start, len(data), len(_ZEROS)))
    return all(chunk == _ZEROS[: len(chunk)] for chunk in chunks)


def _why(data: memoryview, offset: int, expected: int, term: int) -> str:
    why = record.defect(data, offset)
    if why is not None:
        return why
    found = record.decode_unchecked(data, offset)
    if found.index != expected:
        return f"expected index {expected}, found a record with index {found.index}"
    return f"expected a term of at least {term}, found a record with term {found.term}"
