"""A process that writes its log is killed at a moment of the kernel's choosing: nothing it acknowledged may be missing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from storage_support import append_synced, content, make, raws

from psmr.storage import LogStore

CHILD = """
import select
import sys
from pathlib import Path
from storage_support import make
from psmr.storage import LogStore

store = LogStore(Path(sys.argv[1]), sys.argv[2] == "True", 20_000, base=(int(sys.argv[3]), int(sys.argv[3]) and 1))
while True:
    last = store.last_index
    behind = last - store.written_index
    if behind < 30:
        store.append([make(index, size=index % 3000) for index in range(last + 1, last + 4)])
    select.select([store.fileno()], [], [], 0 if behind < 30 else None)
    synced = store.take_synced()
    if synced is not None:
        print(synced[0], flush=True)
        if sys.argv[4] == "compact":
            store.compact(synced[0])
"""


@pytest.mark.parametrize("sync", [True, False])
def test_nothing_acknowledged_is_missing_after_sigkill(tmp_path: Path, sync: bool) -> None:
    chance = random.Random(7)
    for _ in range(4):
        acknowledged = run_and_kill(tmp_path, sync, chance.randrange(1, 40), 0, "keep")
        with LogStore(tmp_path, sync, 20_000) as store:
            assert store.last_index >= acknowledged
            assert content(store) == raws([make(index, size=index % 3000) for index in range(1, store.last_index + 1)])
            append_synced(store, [make(store.last_index + 1, size=(store.last_index + 1) % 3000)])


@pytest.mark.parametrize("sync", [True, False])
def test_a_log_opens_wherever_compaction_was_killed(tmp_path: Path, sync: bool) -> None:
    """The snapshot at an index is durable before the log is compacted up to there: here, the index was printed."""
    chance = random.Random(11)
    snapshot = compacted = 0
    for _ in range(3):
        snapshot = run_and_kill(tmp_path, sync, chance.randrange(20, 60), snapshot, "compact")
        with LogStore(tmp_path, sync, 20_000, base=(snapshot, 1)) as store:
            assert store.last_index >= snapshot
            assert compacted < store.first_index <= snapshot
            compacted = store.first_index - 1
            kept = range(store.first_index, store.last_index + 1)
            assert content(store) == raws([make(index, size=index % 3000) for index in kept])


def run_and_kill(folder: Path, sync: bool, reports: int, snapshot: int, then: str) -> int:
    """Kill the child after so many reports; the last index it printed, which may be later."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(sync), str(snapshot), then],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        try:
            lines = [child.stdout.readline() for _ in range(reports)]
        finally:
            child.kill()
        lines += child.stdout.readlines()
    return int([line for line in lines if line.endswith("\n")][-1])
