"""Snapshot files, as a replica finds them in its folder and as it receives them from a peer in parts."""

from __future__ import annotations

from pathlib import Path

from xxhash import xxh3_64_intdigest

from psmr.errors import ConfigurationError, InvalidCall, LogDamaged
from psmr.fuzzing.target import Target, pack_frames, unpack_frames
from psmr.fuzzing.unsynced import UnsyncedFiles
from psmr.fuzzing.wire import CLUSTER_ID
from psmr.storage import SnapshotFile, SnapshotHead, SnapshotReceiver, SnapshotWriter
from psmr.storage import snapshot_format as layout
from psmr.storage.snapshot_file import snapshot_name

_INDEX = 7
_PART_BYTES = 1500
_TOKENS = (layout.MAGIC.to_bytes(4, "little"), bytes(64), CLUSTER_ID.to_bytes(8, "little"))
_FILES = UnsyncedFiles()


def _written(folder: Path, head: SnapshotHead, body: bytes) -> bytes:
    """The file of a snapshot, as it is written."""
    writer = SnapshotWriter(folder, _FILES, cluster_id=CLUSTER_ID, index=head.index)
    writer.write(0, [body])
    path = writer.finish(head).path
    data = path.read_bytes()
    path.unlink()
    return data


def _corpus(folder: Path) -> tuple[bytes, ...]:
    contents = ((b"", b""), (b"body" * 77, b""), (b"b" * 13, b"some meta"), (bytes(range(256)) * 9, b"m" * 48))
    heads = [SnapshotHead(_INDEX, 3, 1_000, 0xFEED, meta, len(body)) for body, meta in contents]
    return tuple(_written(folder, head, body) for head, (body, _) in zip(heads, contents, strict=True))


def _seal(data: bytearray) -> None:
    """Put right the checksums of blocks, trailer and header, as far as the header's lengths allow."""
    if len(data) < layout.BODY_OFFSET:
        return
    body_bytes, meta_bytes = (int.from_bytes(data[at : at + 8], "little") for at in (48, 56))
    if layout.size_bytes_of(body_bytes, meta_bytes) == len(data):
        at = layout.trailer_offset(body_bytes) + layout.padded(meta_bytes)
        for place in range(layout.blocks_of(body_bytes)):
            start = layout.BODY_OFFSET + place * layout.BLOCK_BYTES
            stop = min(start + layout.BLOCK_BYTES, layout.BODY_OFFSET + body_bytes)
            _put(data, at + 8 * place, xxh3_64_intdigest(bytes(data[start:stop])))
        _put(data, 64, xxh3_64_intdigest(bytes(data[layout.trailer_offset(body_bytes) :])))
    _put(data, 72, xxh3_64_intdigest(bytes(data[:72])))


def _put(data: bytearray, at: int, value: int) -> None:
    data[at : at + 8] = value.to_bytes(8, "little")


def _wrong(folder: Path, data: bytes, found: SnapshotFile) -> str | None:
    """What was accepted must be the bytes that a writer of just that makes."""
    with found.body() as view:
        body = bytes(view)
    again = _written(folder, found.head, body)
    return None if again == data else f"{found.head!r} is written as other bytes"


def snapshot(folder: Path) -> Target:
    """A snapshot file, with its every byte verified."""
    path = folder / snapshot_name(_INDEX)

    def decode(data: bytes) -> SnapshotFile:
        path.write_bytes(data)
        found = SnapshotFile(path, _FILES, CLUSTER_ID)
        found.verify()
        return found

    refusals = (LogDamaged, ConfigurationError)
    again = folder / "again"
    again.mkdir(exist_ok=True)
    return Target(
        "snapshot", _corpus(again), decode, refusals, lambda data, found: _wrong(again, data, found), _seal, _TOKENS
    )


def _seal_parts(data: bytearray) -> None:
    """Put right the offsets, so that each part follows the one before it, and the checksums of what they make together."""
    pieces = unpack_frames(bytes(data))[1:]
    whole = bytearray(b"".join(piece[8:] for piece in pieces))
    _seal(whole)
    at = 0
    sealed = [len(whole).to_bytes(8, "little")]
    for piece in pieces:
        count = len(piece[8:])
        sealed.append(at.to_bytes(8, "little") + whole[at : at + count])
        at += count
    data[:] = pack_frames(sealed)


def parts(folder: Path) -> Target:
    """A snapshot as parts of a peer's offer: in a first frame its size, then in each the part's offset and bytes."""
    again = folder / "again"
    again.mkdir(exist_ok=True)
    corpus: list[bytes] = []
    for whole in _corpus(again):
        offsets = list(range(0, len(whole), _PART_BYTES))
        for order in (offsets, offsets[::-1], offsets + offsets):
            pieces = [at.to_bytes(8, "little") + whole[at : at + _PART_BYTES] for at in order]
            corpus.append(pack_frames([len(whole).to_bytes(8, "little"), *pieces]))

    def decode(data: bytes) -> SnapshotFile:
        size, *pieces = unpack_frames(data)
        receiver = SnapshotReceiver(folder, _FILES, CLUSTER_ID, _INDEX, int.from_bytes(size[:8], "little"))
        try:
            for piece in pieces:
                receiver.write(int.from_bytes(piece[:8], "little"), memoryview(piece)[8:])
            return receiver.finish()
        finally:
            receiver.abandon()

    def wrong(_: bytes, found: SnapshotFile) -> str | None:
        if found.head.index != _INDEX:
            return f"a snapshot at index {found.head.index}"
        return _wrong(again, found.path.read_bytes(), found)

    refusals = (LogDamaged, ConfigurationError, InvalidCall)
    return Target("snapshot-parts", tuple(corpus), decode, refusals, wrong, _seal_parts, _TOKENS)
