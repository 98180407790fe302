"""A simulated disk loses power: of what was not synced, any sectors may be there and any may be missing."""

from __future__ import annotations

import mmap
import random
from dataclasses import dataclass
from pathlib import Path

import pytest
from power_cut_support import JournalingFiles, restore
from storage_support import append_synced, content, make, raws, wait_synced

from psmr.storage import LogStore


@dataclass
class Moment:
    """The log before and after an operation, where in the journal it began, and (index, term) of the newest snapshot then.

    Both logs begin at index 1, whatever was compacted.
    """

    started: int
    before: list[bytes]
    after: list[bytes]
    base: tuple[int, int] = (0, 0)


def history(folder: Path, files: JournalingFiles, chance: random.Random) -> list[Moment]:
    """Appends, cuts and compactions, each waited for, so that the journal does not depend on threads."""
    moments: list[Moment] = []
    model: list[bytes] = []
    base = (0, 0)
    term = 1
    with LogStore(folder, True, 1200, files=files) as store:
        for _ in range(chance.randint(1, 12)):
            moments.append(Moment(len(files.journal), model.copy(), model, base))
            if len(model) > base[0] and chance.random() < 0.3:
                base = moments[-1].base = chance_base(store, base, chance)
                store.compact(base[0])
                added = [make(len(model) + 1, term, 30)]  # What is reported behind it says that it is done.
                model += raws(added)
                append_synced(store, added)
            elif len(model) > base[0] and chance.random() < 0.3:
                from_index = chance.randint(base[0] + 1, len(model))
                del model[from_index - 1 :]
                term += 1
                store.truncate(from_index)
                wait_synced(store, len(model))
            else:
                first = len(model) + 1
                added = [make(first + i, term, chance.choice([0, 30, 500])) for i in range(chance.randint(1, 6))]
                model += raws(added)
                append_synced(store, added)
            moments[-1].after = model.copy()
    return moments


def chance_base(store: LogStore, base: tuple[int, int], chance: random.Random) -> tuple[int, int]:
    index = chance.randint(base[0] + 1, store.last_index)
    return index, store.term_at(index)


@pytest.mark.parametrize("seed", range(60))
def test_what_was_acknowledged_survives_a_power_cut(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmr.storage.synced_end.ZEROS", memoryview(mmap.mmap(-1, 4096)))
    monkeypatch.setattr("psmr.storage.synced_end.STAGE_BYTES", 8192)
    chance = random.Random(seed)
    monkeypatch.setattr("psmr.storage.log_writer.FEW_BYTES", chance.choice([0, 300, 4096]))
    files = JournalingFiles()
    moments = history(tmp_path / "run", files, chance)
    for attempt in range(12):
        moment = chance.choice(moments)
        following = [other.started for other in moments if other.started > moment.started]
        cut_at = chance.randint(moment.started, min([*following, len(files.journal)]))
        folder = tmp_path / f"after-{attempt}"
        restore(folder, files.journal[:cut_at], chance)
        check(folder, moment)


@pytest.mark.parametrize("seed", range(20))
def test_a_snapshot_replaces_the_log_whenever_the_power_goes(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psmr.storage.synced_end.ZEROS", memoryview(mmap.mmap(-1, 4096)))
    monkeypatch.setattr("psmr.storage.synced_end.STAGE_BYTES", 8192)
    chance = random.Random(seed)
    monkeypatch.setattr("psmr.storage.log_writer.FEW_BYTES", chance.choice([0, 300, 4096]))
    files = JournalingFiles()
    last = history(tmp_path / "run", files, chance)[-1]
    started = len(files.journal)
    base = (chance.randint(last.base[0] + 1, len(last.after) + 5), 100)
    LogStore(tmp_path / "run", True, 1200, files=files, base=base).close()
    for cut_at in range(started, len(files.journal) + 1):
        folder = tmp_path / f"after-{cut_at}"
        restore(folder, files.journal[:cut_at], chance)
        with LogStore(folder, True, 1200, files=JournalingFiles(), base=base) as store:
            assert (store.base, store.last_index, content(store)) == (base, base[0], [])


def check(folder: Path, moment: Moment) -> None:
    """What was there before and was not being discarded is there; what else is there is of one of the two states."""
    with LogStore(folder, True, 1200, files=JournalingFiles(), base=moment.base) as store:
        found = content(store)
        start, last = store.base[0], store.last_index
        assert start <= moment.base[0]
        assert last >= min(len(moment.before), len(moment.after))
        assert found in (moment.before[start:last], moment.after[start:last])
        new = make(last + 1, term=99)
        append_synced(store, [new])
    with LogStore(folder, True, 1200, files=JournalingFiles(), base=moment.base) as store:
        assert store.recovered is None
        assert content(store) == [*found, *raws([new])]
