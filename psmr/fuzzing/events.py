"""What is kept and sent of events: frames of them, and a folder with a file of frames, recovered."""

from __future__ import annotations

from pathlib import Path

from xxhash import xxh3_64_intdigest

from psmr.core import event_frame
from psmr.core.event_format import HEAD, HEAD_BYTES, records
from psmr.core.event_frame import FrameHead, MalformedFrame, encode_frame
from psmr.fuzzing.target import Target
from psmr.fuzzing.wire import CLUSTER_ID
from psmr.storage.event_log import HEADER_BYTES, EventLog, file_header, file_name
from psmr.storage.files import Files

_TOKENS = (event_frame.MAGIC.to_bytes(4, "little"), HEAD.pack(0, 8, 0), HEAD.pack(1, 0, 0), HEAD.pack(0, 65_528, 9))
_START = 3
"""Where the log goes on of which the folder is: in the middle of what is kept."""


def _frame(position: int, rows: int) -> bytes:
    content = b"".join(
        HEAD.pack(row % 2, HEAD_BYTES + 8 * (row % 3), row) + bytes(8 * (row % 3)) for row in range(rows)
    )
    head = FrameHead(rows, len(content), 9 + position, position, 1_000 * position, 7, 1 + position, 0xFFEE)
    return encode_frame(head, content)


def _corpus() -> list[bytes]:
    one, other, last = _frame(0, 3), _frame(3, 1), _frame(4, 5)
    return [one, other, one + other, one + other + last]


def frames() -> Target:
    """Frames, as clients receive them."""
    refusals = (MalformedFrame, ValueError)
    return Target("events", tuple(_corpus()), _decode, refusals, _wrong_frames, _seal, _TOKENS)


def _decode(data: bytes) -> list[tuple[FrameHead, bytes]]:
    found = [(head, bytes(events)) for head, events in event_frame.frames(data)]
    for _, events in found:
        list(records(events))
    return found


def _wrong_frames(data: bytes, found: list[tuple[FrameHead, bytes]]) -> str | None:
    again = b"".join(encode_frame(head, events) for head, events in found)
    return None if again == data else f"{[head for head, _ in found]!r} are encoded by other bytes"


def _seal(data: bytearray) -> None:
    """Put right the checksums of frames, one after another."""
    _seal_from(data, 0)


def _seal_from(data: bytearray, at: int) -> None:
    while (head := event_frame.head_at(data, at)) is not None and at + head.size_bytes <= len(data):
        seeded = xxh3_64_intdigest(data[at : at + event_frame.SEEDED_BYTES])
        body = at + event_frame.HEADER_BYTES
        checksum = xxh3_64_intdigest(data[body : at + head.size_bytes], seeded)
        data[at + event_frame.SEEDED_BYTES : body] = checksum.to_bytes(8, "little")
        at += head.size_bytes


def kept(folder: Path) -> Target:
    """A folder with one file of events, opened by a replica that goes on in the middle of it."""
    path = folder / file_name(0)

    def recover(data: bytes) -> tuple[int, int, bytes]:
        for old in folder.iterdir():
            old.unlink()
        path.write_bytes(data)
        log = EventLog(folder, Files(), cluster_id=CLUSTER_ID, start=_START, bytes_max=1 << 20, sync=False)
        try:
            content = log.read(log.earliest, 1 << 20) if log.earliest < log.written else b""
            return log.earliest, log.written, content or b""
        finally:
            log.close()

    corpus = tuple(file_header(CLUSTER_ID, 0) + content for content in (b"", *_corpus()))
    return Target("event-log", corpus, recover, (), _wrong_kept, _seal_file, _TOKENS)


def _seal_file(data: bytearray) -> None:
    _seal_from(data, HEADER_BYTES)


def _wrong_kept(data: bytes, found: tuple[int, int, bytes]) -> str | None:
    """What is kept goes on where the log does, and is what was there, verified."""
    earliest, written, content = found
    if not earliest <= _START <= written:
        return f"kept from {earliest} to {written}, and the log goes on at {_START}"
    ends = [head.end for head, _ in event_frame.frames(content)]
    if content and (ends[-1] != written or content not in data):
        return f"{content!r} is not what was there up to {written}"
    return None
