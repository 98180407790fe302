"""What is read from a replica's folder: records, segments, whole logs, term and vote, the commit mark, the identity."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import msgspec
from xxhash import xxh3_64_intdigest

from psmr.errors import ConfigurationError, LogDamaged
from psmr.fuzzing.target import Target
from psmr.fuzzing.wire import CLUSTER_ID, seal_record
from psmr.storage import record, segment
from psmr.storage.commit_mark import NAME as MARK_NAME
from psmr.storage.commit_mark import CommitMark
from psmr.storage.files import PAGE_BYTES, Files
from psmr.storage.hard_state import NAME as HARD_STATE_NAME
from psmr.storage.hard_state import HardState
from psmr.storage.identity import Identity, parse_identity
from psmr.storage.log_tail import HEAD_BYTES, HEAD_PLACES, TailHead, tail_head, whole_segment
from psmr.storage.recovery import Recovered, Recovery
from psmr.storage.scan import Scan, scan_segment

COMMITTED = 2
"""What the commit mark of a fuzzed log says: of its records so many may not be lost without an error."""
_TOKENS = (
    record.MAGIC.to_bytes(4, "little"),
    segment.FLUSH_MAGIC_BYTES,
    segment.flush_mark(CLUSTER_ID, 3, 200),
    bytes(32),
)


def _records() -> list[bytes]:
    sizes = (0, 5, 8, 33, 64)
    return [record.encode(place, 1 + place // 3, 1_000 * place, b"p" * size) for place, size in enumerate(sizes, 1)]


def _segments() -> list[bytes]:
    """Segments of one to three flushes, with and without zeros written ahead."""
    contents: list[bytes] = []
    for flushes in ([5], [2, 3], [1, 1, 3], []):
        data = segment.segment_header(CLUSTER_ID, 1)
        records = _records()
        for count in flushes:
            data += segment.flush_mark(CLUSTER_ID, 6 - len(records), len(data)) + b"".join(records[:count])
            del records[:count]
        contents += [data, data + bytes(256)]
    return contents


def one_record() -> Target:
    """A record, as followers receive it and logs keep it."""
    return Target("record", tuple(_records()), record.decode_all, (LogDamaged,), _wrong_records, _seal_records, _TOKENS)


def _seal_records(data: bytearray) -> None:
    at = 0
    while at < len(data):
        at = seal_record(data, at, len(data))


def _wrong_records(data: bytes, records: list[record.Record]) -> str | None:
    again = b"".join(_again(each) for each in records)
    return None if again == data else f"{records!r} are encoded by other bytes"


def _again(each: record.Record) -> bytes:
    return record.encode(each.index, each.term, each.time_us, each.payload)


def _seal_segment(data: bytearray) -> None:
    """Put right the checksums of the segment's header, its flush marks and its records, one after another."""
    _seal_fields(data, 0, 0)
    at = segment.HEADER_BYTES
    while at + segment.FLUSH_BYTES <= len(data):
        if data[at : at + 4] == segment.FLUSH_MAGIC_BYTES:
            _seal_fields(data, at, CLUSTER_ID)
            at += segment.FLUSH_BYTES
        else:
            at = seal_record(data, at, len(data))


def _seal_fields(data: bytearray, at: int, seed: int) -> None:
    data[at + 24 : at + 32] = xxh3_64_intdigest(bytes(data[at : at + 24]), seed).to_bytes(8, "little")


def _scan(data: bytes) -> tuple[segment.Segment, Scan]:
    found = segment.read_segment_header(data)
    if found is None or found[:2] != (segment.FORMAT_VERSION, CLUSTER_ID):
        raise LogDamaged
    part = segment.Segment(Path(), found[2])
    return part, scan_segment(memoryview(data), part, CLUSTER_ID, 0)


def _wrong_scan(data: bytes, scanned: tuple[segment.Segment, Scan]) -> str | None:
    """Every record that the scan found must be one to the slower decoder, too, each after the one before it."""
    part, found = scanned
    term, runs = 0, []
    for index, offset in enumerate(part.offsets, part.first_index):
        each = record.decode(data, offset)
        if each.index != index or each.term < term or bytes(each.raw) != _again(each):
            return f"at {offset}: {each!r} taken for record {index} after term {term}"
        if each.term != term:
            term = each.term
            runs.append((index, term))
    if runs != found.runs:
        return f"runs {found.runs} instead of {runs}"
    is_end = not any(data[part.end :])
    return None if is_end == (found.stopped_by is None) else f"end at {part.end}, stopped by {found.stopped_by}"


def scan() -> Target:
    """A segment of the log, scanned for its records."""
    return Target("segment", tuple(_segments()), _scan, (LogDamaged,), _wrong_scan, _seal_segment, _TOKENS)


def recovery(folder: Path) -> Target:
    """A folder with one segment, recovered: cut where a crash cut it short, refused where it is damaged."""
    files = Files()
    path = folder / segment.segment_name(1)

    def recovered() -> Recovered:
        return Recovery(folder, files, CLUSTER_ID, (0, 0), COMMITTED, sync=False).run()

    def decode(data: bytes) -> Recovered:
        path.write_bytes(data)
        return recovered()

    def wrong(data: bytes, found: Recovered) -> str | None:
        if found.last_index < COMMITTED:
            return f"committed records up to {COMMITTED} are lost silently: the log ends at {found.last_index}"
        left = path.read_bytes()
        if not data.startswith(left):
            return "bytes were changed, not only cut off"
        again = recovered()
        if (again.last_index, again.runs, again.cut) != (found.last_index, found.runs, None):
            return f"recovered to {found!r}, and then to {again!r}"
        return None

    corpus = tuple(each for each in _segments() if len(each) > 300)
    return Target("log", corpus, decode, (LogDamaged, ConfigurationError), wrong, _seal_segment, _TOKENS)


def hard_state(folder: Path) -> Target:
    """The file with term and vote."""
    path = folder / HARD_STATE_NAME
    state = HardState(folder, sync=False)
    corpus: list[bytes] = []
    for term, vote in ((1, 2), (9, None), (1 << 40, 3)):
        state.save(term, vote)
        corpus.append(path.read_bytes())

    def decode(data: bytes) -> tuple[int, int | None]:
        path.write_bytes(data)
        return state.load()

    def wrong(data: bytes, found: tuple[int, int | None]) -> str | None:
        state.save(*found)
        return None if path.read_bytes() == data else f"{found} are saved as other bytes"

    return Target("hard-state", tuple(corpus), decode, (LogDamaged,), wrong, _seal_tail)


def _seal_tail(data: bytearray) -> None:
    if len(data) >= 8:
        data[-8:] = xxh3_64_intdigest(bytes(data[:-8])).to_bytes(8, "little")


def commit_mark(folder: Path) -> Target:
    """The file with the commit mark, which counts for nothing when it is damaged."""
    path = folder / MARK_NAME
    corpus: list[bytes] = []
    for index in (1, 77, 1 << 40):
        mark = CommitMark(folder, Files(), CLUSTER_ID)
        mark.save(index)
        mark.close()
        corpus.append(path.read_bytes())

    def decode(data: bytes) -> int:
        path.write_bytes(data)
        mark = CommitMark(folder, Files(), CLUSTER_ID)
        mark.close()
        return mark.index

    def wrong(data: bytes, index: int) -> str | None:
        if index == 0:
            return None
        mark = CommitMark(folder, Files(), CLUSTER_ID)
        mark.save(index)
        mark.close()
        return None if path.read_bytes() == data else f"{index} is saved as other bytes"

    return Target("commit-mark", tuple(corpus), decode, (), wrong, _seal_tail)


def identity() -> Target:
    """The file that says whose folder it is."""
    known = [Identity("bank", 7, 1, "accounts:Accounts", "0x00ff"), Identity("b", 1 << 63, 255, "a.b:C", "0x1")]
    corpus = tuple(msgspec.json.format(msgspec.json.encode(each)) + b"\n" for each in known)
    tokens = (
        b"[" * 4000,
        b'{"a":' * 4000,
        b"9" * 400,
        b"-1",
        b"1e400",
        b"null",
        b'"\\ud800"',
        b"\xff",
        b"true",
        b",",
        b"{}",
    )
    path = Path("identity.json")
    return Target(
        "identity",
        corpus,
        lambda data: parse_identity(path, data),
        (ConfigurationError,),
        lambda _, found: _wrong_identity(path, found),
        tokens=tokens,
    )


def _wrong_identity(path: Path, found: Identity) -> str | None:
    types = {"cluster": str, "cluster_id": int, "replica_id": int, "service": str, "fingerprint": str}
    if any(not isinstance(getattr(found, name), kind) for name, kind in types.items()):
        return f"wrong types: {asdict(found)}"
    again = parse_identity(path, msgspec.json.encode(found))
    return None if again == found else f"{found!r} became {again!r}"


def log_tail(folder: Path) -> Target:
    """What a killed replica leaves of its newest records, and what becomes of the segment that lacks them."""
    whole = _segments()[2]
    path = folder / segment.segment_name(1)
    heads = [TailHead(CLUSTER_ID, turn, first, start) for turn, first, start in ((3, 1, 0), (8, 1, 64), (2, 9, 0))]
    rings = [bytes(64) + whole[64:] if each.start else whole for each in heads]
    corpus = tuple(
        head.packed().ljust(PAGE_BYTES, b"\0") + ring + bytes(64) for head, ring in zip(heads, rings, strict=True)
    )

    def decode(data: bytes) -> bytes:
        return whole_segment(path, whole[:100], data, CLUSTER_ID)

    def wrong(data: bytes, found: bytes) -> str | None:
        if found == whole[:100]:
            return None
        head = tail_head(data, CLUSTER_ID)
        if head is None or found[: head.start] != whole[: head.start]:
            return "bytes that the segment had were changed"
        part = segment.Segment(path, 1)
        stopped_by = scan_segment(memoryview(found), part, CLUSTER_ID, 0).stopped_by
        return (
            None if stopped_by is None and part.end == len(found) else f"it ends with what is no record: {stopped_by}"
        )

    return Target("log-tail", corpus, decode, (), wrong, _seal_head)


def _seal_head(data: bytearray) -> None:
    fields = HEAD_BYTES - 8
    for at in HEAD_PLACES:
        if len(data) >= at + HEAD_BYTES:
            data[at + fields : at + HEAD_BYTES] = xxh3_64_intdigest(bytes(data[at : at + fields])).to_bytes(8, "little")
