"""The reply to a batch, as it travels to the client and, unless the batch only read, as the session keeps it.

    0         8          16       18       20      24           28       32
    ┌─────────┬──────────┬────────┬────────┬───────┬────────────┬────────┬─────────────────────────┬──────┐
    │ session │ sequence │ status │ stride │ count │ blob bytes │ detail │ count × stride bytes    │ blob │
    └─────────┴──────────┴────────┴────────┴───────┴────────────┴────────┴─────────────────────────┴──────┘

What `session`, `sequence` and `detail` say depends on the status:

| status | session | sequence | detail | blob |
|---|---|---|---|---|
| `EXECUTED` | of the batch | of the batch | 0 | of the reply records |
| `OPENED` | the new session's id | the nonce of the open | 0 | empty |
| `REFUSED` | of the batch (an open: its nonce) | of the batch (an open: 0) | 0 | the reason, UTF-8 |
| `OUT_OF_ORDER` | of the batch | the sequence expected | 0 | empty |
| `UNKNOWN_SESSION` | of the batch | of the batch | 0 | empty |
| `MALFORMED` | of the batch | of the batch | `SEQUENCE_UNUSED` or `SEQUENCE_CONSUMED` | what is wrong, UTF-8 |
| `READ` | of the batch | the read's number | 0 | of the reply records |
| `READ_REFUSED` | of the batch | the read's number | 0 | the reason, UTF-8 |
| `READ_MALFORMED` | of the batch | the read's number | 0 | what is wrong, UTF-8 |
"""

from __future__ import annotations

import enum
import struct
from typing import Final

from psmr.core.batch import Buffer, memory_of
from psmr.errors import PsmrError

REPLY_HEADER: Final = struct.Struct("<QQHHIII")
REPLY_HEADER_BYTES: Final = REPLY_HEADER.size
SEQUENCE_UNUSED: Final = 0
"""The malformed batch was turned away before the log: the session still expects its sequence."""
SEQUENCE_CONSUMED: Final = 1
"""The malformed batch went through the log: its sequence is used up and the next one is expected."""


class BatchStatus(enum.IntEnum):
    """What became of a batch as a whole."""

    EXECUTED = 0
    OPENED = 1
    REFUSED = 2
    OUT_OF_ORDER = 3
    UNKNOWN_SESSION = 4
    MALFORMED = 5
    READ = 6
    READ_REFUSED = 7
    READ_MALFORMED = 8


_STATUSES: Final = tuple(BatchStatus)


class MalformedReply(PsmrError, ValueError):
    """Bytes that are not a reply. `expected` and `found` say why."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"reply: expected {expected}, found {found}")
        self.expected = expected
        self.found = found


class Reply:
    """One parsed reply. Its views share the buffer it was parsed from."""

    __slots__ = ("blob", "count", "detail", "raw", "records", "sequence", "session", "status", "stride")

    def __init__(
        self,
        session: int,
        sequence: int,
        status: BatchStatus,
        stride: int,
        count: int,
        detail: int,
        records: memoryview,
        blob: memoryview,
        raw: memoryview,
    ) -> None:
        self.session = session
        self.sequence = sequence
        self.status = status
        self.stride = stride
        self.count = count
        self.detail = detail
        self.records = records
        self.blob = blob
        self.raw = raw

    def text(self) -> str:
        """The blob as text: the reason that a refusal or a malformed batch comes with."""
        return bytes(self.blob).decode("utf-8", errors="replace")

    def __repr__(self) -> str:
        return f"Reply({self.status.name}, session={self.session}, sequence={self.sequence}, count={self.count})"


def encode_reply(
    session: int,
    sequence: int,
    status: BatchStatus,
    stride: int = 0,
    records: Buffer = b"",
    count: int = 0,
    blob: Buffer = b"",
    detail: int = 0,
) -> bytes:
    """The bytes of a reply; `records` must be `count * stride` bytes long."""
    records_view = records if isinstance(records, bytes) else memory_of(records)
    blob_view = blob if isinstance(blob, bytes) else memory_of(blob)
    records_bytes = len(records_view) if isinstance(records_view, bytes) else records_view.nbytes
    blob_bytes = len(blob_view) if isinstance(blob_view, bytes) else blob_view.nbytes
    if records_bytes != count * stride:
        raise MalformedReply(f"{count} records of {stride} bytes", f"{records_bytes} bytes of records")
    header = REPLY_HEADER.pack(session, sequence, status, stride, count, blob_bytes, detail)
    return b"".join((header, records_view, blob_view))


def parse_reply(buffer: bytes | bytearray | memoryview) -> Reply:
    """The one reply that `buffer` is, to its last byte. Raises `MalformedReply`."""
    view = memoryview(buffer)
    if len(view) < REPLY_HEADER_BYTES:
        raise MalformedReply(f"a header of {REPLY_HEADER_BYTES} bytes", f"{len(view)} bytes")
    session, sequence, status, stride, count, blob_bytes, detail = REPLY_HEADER.unpack_from(view)
    if status >= len(_STATUSES):
        raise MalformedReply(f"a status below {len(_STATUSES)}", str(status))
    blob_begin = REPLY_HEADER_BYTES + count * stride
    if blob_begin + blob_bytes != len(view):
        raise MalformedReply(f"{blob_begin + blob_bytes} bytes", f"{len(view)} bytes")
    records, blob = view[REPLY_HEADER_BYTES:blob_begin], view[blob_begin:]
    return Reply(session, sequence, _STATUSES[status], stride, count, detail, records, blob, view)
