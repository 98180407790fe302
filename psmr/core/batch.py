"""The batch: what a client sends, the log orders (unless it only reads) and workers execute in place.

    0        4    5    6        8             16        24         32         40      44      48         56
    ┌────────┬────┬────┬────────┬─────────────┬─────────┬──────────┬──────────┬───────┬───────┬──────────┬──────────┐
    │ magic  │ver.│kind│ stride │ fingerprint │ session │ sequence │ answered │ count │ blob  │ reserved │ checksum │
    └────────┴────┴────┴────────┴─────────────┴─────────┴──────────┴──────────┴───────┴───────┴──────────┴──────────┘
    64: `count` records of `stride` bytes, then `blob` bytes, then zeros up to a multiple of 8

Little endian. The checksum is xxh3-64 of records and blob, seeded with xxh3-64 of header bytes 0–55: damage anywhere
but in the padding shows in it, and the padding must be zero. A batch is always padded, so a log entry is a plain
concatenation of batches and every record array in it is aligned to 8.

A batch that only reads never enters the log. In it `sequence` is that of the session's batch that must have been executed
before (0: none of them need be, and `session` may be 0), `answered` the number by which its client knows the reply.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np
import xxhash

from psmr.errors import CallerError, InvalidCall

Buffer = bytes | bytearray | memoryview | np.ndarray[Any, Any]

MAGIC: Final = 0x424D5350
VERSION: Final = 1
KIND_COMMANDS: Final = 0
KIND_OPEN: Final = 1
KIND_READ: Final = 2
HEADER: Final = struct.Struct("<IBBHQQQQIIQQ")
HEADER_BYTES: Final = HEADER.size
CHECKED_HEADER: Final = struct.Struct("<IBBHQQQQIIQ")
BATCH_BYTES_MAX: Final = 16 << 20
RECORDS_MAX: Final = 1 << 20
ALIGNMENT: Final = 8


class MalformedBatch(CallerError, ValueError):
    """Bytes that are not a batch. `expected` and `found` say why, `offset` where the batch should begin."""

    def __init__(self, expected: str, found: str, offset: int = 0) -> None:
        super().__init__(f"batch at byte {offset}: expected {expected}, found {found}")
        self.expected = expected
        self.found = found
        self.offset = offset


class Batch:
    """One parsed batch. Its views share the buffer it was parsed from; `size_bytes` counts header and padding."""

    __slots__ = (
        "answered",
        "blob",
        "count",
        "fingerprint",
        "kind",
        "raw",
        "records",
        "sequence",
        "session",
        "size_bytes",
        "stride",
    )

    def __init__(
        self,
        kind: int,
        stride: int,
        fingerprint: int,
        session: int,
        sequence: int,
        answered: int,
        count: int,
        records: memoryview,
        blob: memoryview,
        raw: memoryview,
    ) -> None:
        self.kind = kind
        self.stride = stride
        self.fingerprint = fingerprint
        self.session = session
        self.sequence = sequence
        self.answered = answered
        self.count = count
        self.records = records
        self.blob = blob
        self.raw = raw
        self.size_bytes = len(raw)

    def __repr__(self) -> str:
        kind = {KIND_OPEN: "open", KIND_READ: "read"}.get(self.kind, "commands")
        return f"Batch({kind}, session={self.session}, sequence={self.sequence}, count={self.count})"


def encode(
    kind: int,
    fingerprint: int,
    session: int,
    sequence: int,
    answered: int,
    stride: int,
    records: Buffer,
    count: int,
    blob: Buffer,
) -> bytes:
    """The bytes of a batch, padded to 8. Raises `InvalidCall` for what `parse` would not take back."""
    records_view = _contiguous("records", records)
    blob_view = _contiguous("blob", blob)
    records_bytes, blob_bytes = records_view.nbytes, blob_view.nbytes
    payload_bytes = records_bytes + blob_bytes
    padding_bytes = -payload_bytes % ALIGNMENT
    size_bytes = HEADER_BYTES + payload_bytes + padding_bytes
    if records_bytes != count * stride:
        raise InvalidCall(f"expected {count} records of {stride} bytes = {count * stride}, found {records_bytes} bytes")
    problem = _shape_problem(kind, stride, sequence, answered, count, blob_bytes, size_bytes)
    if problem is not None:
        raise InvalidCall(f"expected {problem[0]}, found {problem[1]}")
    checked = CHECKED_HEADER.pack(
        MAGIC, VERSION, kind, stride, fingerprint, session, sequence, answered, count, blob_bytes, 0
    )
    digest = xxhash.xxh3_64(records_view, seed=xxhash.xxh3_64_intdigest(checked))
    if blob_bytes:
        digest.update(blob_view)
    checksum = digest.intdigest().to_bytes(8, "little")
    return b"".join((checked, checksum, records_view, blob_view, b"\0" * padding_bytes))


def check_parts(stride: int, records_bytes: int, count: int, blob_bytes: int, batch_bytes_max: int) -> None:
    """Raises `InvalidCall` for what no batch of commands, of at most `batch_bytes_max`, can hold."""
    if records_bytes != count * stride:
        raise InvalidCall(f"expected {count} records of {stride} bytes = {count * stride}, found {records_bytes} bytes")
    size_bytes = HEADER_BYTES + records_bytes + blob_bytes + -blob_bytes % ALIGNMENT
    if size_bytes > batch_bytes_max:
        raise InvalidCall(f"expected a batch of at most {batch_bytes_max} bytes, found {size_bytes}: split the call")
    problem = _shape_problem(KIND_COMMANDS, stride, 1, 0, count, blob_bytes, size_bytes)
    if problem is not None:
        raise InvalidCall(f"expected {problem[0]}, found {problem[1]}")


def encode_open(fingerprint: int, nonce: int) -> bytes:
    """The batch that asks for a session; `nonce` tells its answer from those to other opens of the same client."""
    return encode(KIND_OPEN, fingerprint, nonce, 0, 0, 0, b"", 0, b"")


def parse(buffer: Buffer, offset: int = 0) -> Batch:
    """The batch that begins at `offset`; what follows it is not looked at. Raises `MalformedBatch`."""
    view = _byte_view(buffer)
    available_bytes = len(view) - offset
    if available_bytes < HEADER_BYTES:
        raise MalformedBatch(f"a header of {HEADER_BYTES} bytes", f"{available_bytes} bytes", offset)
    magic, version, kind, stride, fingerprint, session, sequence, answered, count, blob_bytes, reserved, checksum = (
        HEADER.unpack_from(view, offset)
    )
    if magic != MAGIC or version != VERSION or reserved != 0:
        raise _preamble_error(magic, version, reserved, offset)
    begin = offset + HEADER_BYTES
    blob_begin = begin + count * stride
    end = blob_begin + blob_bytes
    padded_end = end + (offset - end) % ALIGNMENT
    size_bytes = padded_end - offset
    problem = _shape_problem(kind, stride, sequence, answered, count, blob_bytes, size_bytes)
    if problem is not None:
        raise MalformedBatch(problem[0], problem[1], offset)
    if size_bytes > available_bytes:
        raise MalformedBatch(f"{size_bytes} bytes", f"{available_bytes} bytes (truncated)", offset)
    actual = checksum_of(view, offset, end)
    if actual != checksum:
        raise MalformedBatch(f"checksum {checksum:#018x}", f"{actual:#018x}", offset)
    if end != padded_end and any(view[end:padded_end]):
        raise MalformedBatch("padding of zeros", bytes(view[end:padded_end]).hex(), offset)
    records, blob, raw = view[begin:blob_begin], view[blob_begin:end], view[offset:padded_end]
    return Batch(kind, stride, fingerprint, session, sequence, answered, count, records, blob, raw)


def checksum_of(view: memoryview, offset: int, end: int) -> int:
    """The checksum of the batch whose header is at `offset` and whose blob ends at `end`."""
    begin = offset + HEADER_BYTES
    return xxhash.xxh3_64_intdigest(view[begin:end], xxhash.xxh3_64_intdigest(view[offset : begin - 8]))


def parse_whole(buffer: Buffer) -> Batch:
    """The one batch that `buffer` is, to its last byte. Raises `MalformedBatch`."""
    batch = parse(buffer)
    total_bytes = len(buffer) if type(buffer) is bytes else memory_of(buffer).nbytes
    if batch.size_bytes != total_bytes:
        raise MalformedBatch(f"one batch of {batch.size_bytes} bytes", f"{total_bytes} bytes")
    return batch


def split(payload: Buffer) -> list[Batch]:
    """Every batch of a log entry's payload, in order; none of an empty one. Raises `MalformedBatch`."""
    view = _byte_view(payload)
    batches: list[Batch] = []
    offset = 0
    while offset < len(view):
        batch = parse(view, offset)
        batches.append(batch)
        offset += batch.size_bytes
    return batches


def _shape_problem(
    kind: int, stride: int, sequence: int, answered: int, count: int, blob_bytes: int, size_bytes: int
) -> tuple[str, str] | None:
    """What is wrong with a header's fields, as (expected, found); None where they fit each other."""
    if size_bytes > BATCH_BYTES_MAX:
        return f"at most {BATCH_BYTES_MAX} bytes", f"{size_bytes} bytes"
    if stride % ALIGNMENT or stride > 0xFFFF:
        return f"a stride that is a multiple of {ALIGNMENT} and fits 16 bits", str(stride)
    if kind in (KIND_COMMANDS, KIND_READ):
        if not (0 < count <= RECORDS_MAX) or stride == 0:
            return f"1 to {RECORDS_MAX} records of at least {ALIGNMENT} bytes", f"{count} records of {stride} bytes"
        if kind == KIND_COMMANDS and not 0 <= answered < sequence:
            return "a sequence from 1, above what was answered", f"sequence {sequence}, answered {answered}"
        return None
    if kind == KIND_OPEN:
        if sequence or answered or count or blob_bytes:
            found = f"sequence {sequence}, answered {answered}, {count} records, blob of {blob_bytes} bytes"
            return "an open with nothing in it", found
        return None
    return f"kind {KIND_COMMANDS} (commands), {KIND_OPEN} (open) or {KIND_READ} (read)", str(kind)


def _preamble_error(magic: int, version: int, reserved: int, offset: int) -> MalformedBatch:
    if magic != MAGIC:
        return MalformedBatch(f"magic {MAGIC:#010x}", f"{magic:#010x}", offset)
    if version != VERSION:
        return MalformedBatch(f"version {VERSION}", f"{version}", offset)
    return MalformedBatch("reserved field 0", f"{reserved:#x}", offset)


def memory_of(buffer: Buffer) -> memoryview:
    """A view of `buffer`, without a copy."""
    if type(buffer) is memoryview:
        return buffer
    return buffer.data if isinstance(buffer, np.ndarray) else memoryview(buffer)


def _byte_view(buffer: Buffer) -> memoryview:
    if type(buffer) is bytes:
        return memoryview(buffer)
    view = memory_of(buffer)
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def _contiguous(name: str, buffer: Buffer) -> memoryview:
    """A view of `buffer`, whose bytes must lie one after another."""
    if type(buffer) is bytes:
        return memoryview(buffer)
    view = memory_of(buffer)
    if not view.c_contiguous:
        raise InvalidCall(f"{name}: expected a contiguous buffer, found one with gaps; copy it first")
    return view
