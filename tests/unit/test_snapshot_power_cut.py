"""Snapshot, compaction, removal of the older snapshot, over and over: power is lost at any moment, and nothing with it."""

from __future__ import annotations

import mmap
import random
from dataclasses import dataclass
from pathlib import Path

import pytest
from power_cut_support import JournalingFiles, restore
from snapshot_support import CLUSTER_ID, body_of, take
from storage_support import append_synced, content, make_many, raws

from psmr.storage import LogStore, SnapshotReceiver, newest_snapshot, remove_older


@dataclass
class Moment:
    """From here in the journal on, this snapshot and this record are durable."""

    at: int
    snapshot: int
    last_index: int


TERM = 3
"""Of every record: `take` says so of its snapshots."""


def history(folder: Path, files: JournalingFiles, chance: random.Random) -> list[Moment]:
    moments = [Moment(0, 0, 0)]
    snapshot = last_index = 0

    def durable() -> None:
        moments.append(Moment(len(files.journal), snapshot, last_index))

    with LogStore(folder, True, 1200, files=files, cluster_id=CLUSTER_ID) as store:
        for _ in range(4):
            append_synced(store, make_many(last_index + 1, last_index + chance.randint(4, 12), TERM))
            last_index = store.last_index
            durable()
            snapshot = take(
                folder, chance.randint(snapshot + 1, last_index), chance.randint(0, 400), files=files
            ).head.index
            durable()
            store.compact(snapshot)
            append_synced(store, make_many(last_index + 1, last_index + 1, TERM))
            last_index += 1
            durable()
            remove_older(folder, files, snapshot)
            durable()
    return moments


@pytest.mark.parametrize("seed", range(25))
def test_snapshot_and_log_go_together_whenever_the_power_goes(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psmr.storage.synced_end.ZEROS", memoryview(mmap.mmap(-1, 4096)))
    monkeypatch.setattr("psmr.storage.synced_end.STAGE_BYTES", 8192)
    chance = random.Random(seed)
    files = JournalingFiles()
    moments = history(tmp_path / "run", files, chance)
    cuts = sorted({*range(0, len(files.journal), 7), *(chance.randint(0, len(files.journal)) for _ in range(10))})
    for cut_at in cuts:
        folder = tmp_path / f"after-{cut_at}"
        restore(folder, files.journal[:cut_at], chance)
        check(folder, [moment for moment in moments if moment.at <= cut_at][-1])


def check(folder: Path, moment: Moment) -> None:
    skipped: list[str] = []
    files = JournalingFiles()
    snapshot = newest_snapshot(folder, files, CLUSTER_ID, skipped)
    assert skipped == []
    base = (0, 0) if snapshot is None else (snapshot.head.index, snapshot.head.term)
    assert base[0] >= moment.snapshot
    if snapshot is not None:
        with snapshot.body() as body:
            assert body == body_of(base[0], len(body))
    with LogStore(folder, True, 1200, files=files, cluster_id=CLUSTER_ID, base=base) as store:
        assert store.last_index >= max(moment.last_index, base[0])
        assert content(store) == raws(make_many(store.first_index, store.last_index, TERM))


@pytest.mark.parametrize("seed", range(10))
def test_what_is_received_is_there_when_that_was_said(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for name in ("peer", "mine"):
        (tmp_path / name).mkdir()
    sent = take(tmp_path / "peer", 5)
    files = JournalingFiles()
    receiver = SnapshotReceiver(tmp_path / "mine", files, CLUSTER_ID, 5, sent.size_bytes)
    while receiver.missing() < receiver.size_bytes:
        receiver.write(receiver.missing(), sent.read(receiver.missing(), 1000))
    receiver.finish()
    for cut_at in range(len(files.journal) + 1):
        folder = tmp_path / f"after-{cut_at}"
        restore(folder, files.journal[:cut_at], chance)
        skipped: list[str] = []
        found = newest_snapshot(folder, files, CLUSTER_ID, skipped)
        assert skipped == []
        assert found is not None or cut_at < len(files.journal)
        assert found is None or found.checksum == sent.checksum
    sent.close()
