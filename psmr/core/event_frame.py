"""A frame: the events of one batch, or a part of them, as every replica keeps and sends them. Pure.

Little endian, a multiple of 8 bytes long:

    offset  field
    0       magic: u32         "PSEV"
    4       count: u32         how many events
    8       length: u64        bytes of events
    16      index: u64         of the log entry that the batch is in
    24      position: u64      how many events there were before, since the beginning
    32      now_us: i64        the batch's stamp
    40      session: u64       of the client that sent the batch
    48      sequence: u64      of the batch in its session
    56      fingerprint: u64   of the service that executed it: what the kinds of its events mean
    64      checksum: u64      xxh3-64 of the events, seeded with xxh3-64 of bytes 0..63
    72      the events, as in `psmr.core.event_format`

All of it follows from the log alone, so a frame is the same bytes on every replica, and after each restart.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

import msgspec
from xxhash import xxh3_64_intdigest

from psmr.errors import PsmrError

Buffer = bytes | bytearray | memoryview

MAGIC = 0x56455350
HEADER = Struct("<IIQQQqQQQQ")
HEADER_BYTES = HEADER.size
SEEDED_BYTES = 64
PART_BYTES = 256 << 10
"""A batch's events are cut, between two of them, where a frame has come to so many bytes. Part of the format."""

_UNSEALED = Struct("<IIQQQqQQQ")


class MalformedFrame(PsmrError, ValueError):
    """Bytes that are no frame of events."""


class FrameHead(msgspec.Struct, frozen=True, gc=False):
    """What a frame says of its events."""

    count: int
    length: int
    index: int
    position: int
    now_us: int
    session: int
    sequence: int
    fingerprint: int

    @property
    def end(self) -> int:
        """The position behind its events."""
        return self.position + self.count

    @property
    def size_bytes(self) -> int:
        """Of the whole frame."""
        return HEADER_BYTES + self.length


def encode_frame(head: FrameHead, events: Buffer) -> bytes:
    """The bytes of a frame; `head.length` is that of `events`."""
    fields = msgspec.structs.astuple(head)
    unsealed = _UNSEALED.pack(MAGIC, *fields)
    checksum = xxh3_64_intdigest(events, xxh3_64_intdigest(unsealed))
    return b"".join((unsealed, checksum.to_bytes(8, "little"), events))


def head_at(data: Buffer, offset: int = 0) -> FrameHead | None:
    """The head of the frame at `offset`, unverified; None when not all of a head is there, or something else."""
    if len(data) - offset < HEADER_BYTES:
        return None
    magic, *fields, _ = HEADER.unpack_from(data, offset)
    head = FrameHead(*fields)
    return head if magic == MAGIC and head.count > 0 and head.length >= 8 * head.count else None


def frame_at(data: Buffer, offset: int = 0) -> FrameHead:
    """The head of the frame at `offset`, verified with all its events. Raises MalformedFrame."""
    head = head_at(data, offset)
    if head is None:
        raise MalformedFrame(f"frame at byte {offset} of {len(data)}: expected its head, found other bytes")
    if offset + head.size_bytes > len(data):
        left = len(data) - offset
        raise MalformedFrame(f"frame at byte {offset}: expected {head.size_bytes} bytes, found {left}")
    view = memoryview(data)
    events = view[offset + HEADER_BYTES : offset + head.size_bytes]
    found = xxh3_64_intdigest(events, xxh3_64_intdigest(view[offset : offset + SEEDED_BYTES]))
    expected = int.from_bytes(view[offset + SEEDED_BYTES : offset + HEADER_BYTES], "little")
    if found != expected:
        raise MalformedFrame(f"frame at byte {offset}: expected checksum {expected:#018x}, found {found:#018x}")
    return head


def frames(data: Buffer) -> Iterator[tuple[FrameHead, memoryview]]:
    """Each frame of `data`, verified, with its events. Raises MalformedFrame where no whole frame follows."""
    offset, view = 0, memoryview(data)
    while offset < len(data):
        head = frame_at(data, offset)
        yield head, view[offset + HEADER_BYTES : offset + head.size_bytes]
        offset += head.size_bytes


def whole_frames(data: Buffer, position: int, end: int, bytes_max: int) -> tuple[int, int]:
    """Where, in consecutive frames, the one with the event at `position` begins, and where those end that fit `bytes_max` then.

    Nothing is verified. At least one frame when it is whole; (0, 0) when it is not there. None that begins at position `end`.
    """
    start = offset = 0
    found, available_bytes = False, len(data)
    while offset + HEADER_BYTES <= available_bytes:
        # Many are passed by: what `head_at` makes of each, and forgets, would cost more than the look.
        magic, count, length, _, first, *_ = HEADER.unpack_from(data, offset)
        behind = offset + HEADER_BYTES + length
        if magic != MAGIC or count == 0 or length < 8 * count or behind > available_bytes or first >= end:
            break
        if first + count > position:
            if not found:
                start, found = offset, True
            elif behind > start + bytes_max:
                break
        offset = behind
    return (start, offset) if found else (0, 0)
