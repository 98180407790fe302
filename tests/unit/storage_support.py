"""What the tests of `psmr.storage` share."""

from __future__ import annotations

import random
import select
from collections.abc import Sequence
from pathlib import Path

from psmr.storage import LogStore, Record, decode_unchecked, encode


def make(index: int, term: int = 1, size: int = 100, seed: int = 0) -> Record:
    """A record whose payload depends on all arguments."""
    payload = random.Random(f"{index} {term} {size} {seed}").randbytes(size)
    return decode_unchecked(encode(index, term, 1_000_000 + index, payload))


def make_many(first: int, last: int, term: int = 1, size: int = 100, seed: int = 0) -> list[Record]:
    """Records `first` to `last`."""
    return [make(index, term, size, seed) for index in range(first, last + 1)]


def wait_synced(store: LogStore, index: int) -> tuple[int, int]:
    """The report that covers `index`."""
    while True:
        if not store.has_synced:
            assert select.select([store.fileno()], [], [], 20)[0], f"no report for {index} came"
        synced = store.take_synced()
        if synced is not None and synced[0] >= index:
            return synced


def append_synced(store: LogStore, records: Sequence[Record]) -> None:
    """Append as one flush, and wait until it is written."""
    store.append(records)
    wait_synced(store, records[-1].index)


def content(store: LogStore, max_bytes: int = 1 << 30) -> list[bytes]:
    """The bytes of every record."""
    found: list[bytes] = []
    index = store.first_index
    while index <= store.last_index:
        part = store.read(index, max_bytes)
        found += [bytes(record.raw) for record in part]
        index += len(part)
    return found


def raws(records: Sequence[Record]) -> list[bytes]:
    """The bytes of `records`."""
    return [bytes(record.raw) for record in records]


def segment_paths(folder: Path) -> list[Path]:
    """The folder's segments, oldest first."""
    return sorted(folder.glob("log-[0-9]*.seg"))
