"""A snapshot that somebody is fetching can be fetched to its end, whatever is taken meanwhile; and they are taken in turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from snapshot_support import CLUSTER_ID, names, take

from psmr.errors import DiskFailed
from psmr.execution.engine import Engine
from psmr.fuzzing.unsynced import UnsyncedFiles
from psmr.log.catch_up import CatchUp
from psmr.log.port import OrderedLog
from psmr.replica.delivery import Delivery
from psmr.replica.snapshot_thread import SnapshotFolder
from psmr.replica.snapshots import SnapshotPlan, Taken
from psmr.transport.peers import PeerLinks, SnapshotAsked, SnapshotOffered, SnapshotPart

PEER = 2
TERM = 4
BODY_BYTES = 3000


class Sent:
    """Links that keep what is sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def send(self, to: int, message: Any, payloads: Sequence[bytes] = ()) -> bool:
        assert to == PEER
        self.messages.append(message)
        return True

    def last(self) -> Any:
        return self.messages[-1]


def side_with(folder: Path) -> tuple[SnapshotFolder, CatchUp, Sent]:
    kept = SnapshotFolder(folder, UnsyncedFiles(), CLUSTER_ID, take(folder, 5, BODY_BYTES))
    sent = Sent()
    return kept, CatchUp(cast(PeerLinks, sent), kept), sent


def test_who_has_begun_is_offered_the_same_one_until_it_has_asked_for_the_end(tmp_path: Path) -> None:
    kept, side, sent = side_with(tmp_path)
    size_bytes = kept.size_of(5) or 0
    side.offer(PEER, TERM)
    assert sent.last() == SnapshotOffered(TERM, 5, size_bytes)
    for index in (6, 7, 8):
        offset = 100 * index
        side.answer(PEER, SnapshotAsked(5, offset, 100), TERM)
        assert sent.last() == SnapshotPart(5, offset)
        kept.keep(take(tmp_path, index, BODY_BYTES))
        side.offer(PEER, TERM)
        assert sent.last() == SnapshotOffered(TERM, 5, size_bytes)
    kept.settle()
    assert names(tmp_path) == [f"snapshot-{8:020d}.snap"]
    side.answer(PEER, SnapshotAsked(5, size_bytes - 100, 100), TERM)
    assert sent.last() == SnapshotPart(5, size_bytes - 100)
    side.offer(PEER, TERM)
    assert sent.last().index == 8


def test_who_asks_no_more_is_offered_the_newest_in_the_end(tmp_path: Path) -> None:
    kept, side, sent = side_with(tmp_path)
    side.answer(PEER, SnapshotAsked(5, 0, 100), TERM)
    kept.keep(take(tmp_path, 6, BODY_BYTES))
    offered: list[int] = []
    for _ in range(30):
        side.offer(PEER, TERM)
        offered.append(sent.last().index)
    assert offered == sorted(offered)
    assert offered[0] == 5
    assert offered[-1] == 6


def test_one_that_nobody_reads_any_more_is_let_go(tmp_path: Path) -> None:
    kept, side, sent = side_with(tmp_path)
    data = kept.read(5, 0, 50)
    kept.keep(take(tmp_path, 6, BODY_BYTES))
    kept.settle()
    assert kept.read(5, 0, 50) == data
    kept.keep(take(tmp_path, 7, BODY_BYTES))
    assert kept.size_of(6) is None
    kept.keep(take(tmp_path, 8, BODY_BYTES))
    assert kept.read(5, 0, 50) is None
    kept.settle()
    side.answer(PEER, SnapshotAsked(5, 0, 50), TERM)
    assert sent.last() == SnapshotOffered(TERM, 8, kept.size_of(8) or 0)


class Idle:
    """Engine, log, sessions and taker of a plan: nothing comes of a snapshot, at once."""

    sessions: Any
    delivered = 0
    successor = None

    def __getattr__(self, name: str) -> Any:
        answer = {"remembered": (0, []), "finished": Taken(1, failure="nothing is written")}.get(name)
        return lambda *arguments: answer


class Unsyncable(UnsyncedFiles):
    """A disk that fails when a folder is synced."""

    def sync_folder(self, folder: Path) -> None:
        raise OSError(5, "Input/output error")


def test_a_disk_that_fails_to_remove_is_told_at_the_next_one(tmp_path: Path) -> None:
    kept = SnapshotFolder(tmp_path, Unsyncable(), CLUSTER_ID, take(tmp_path, 5, BODY_BYTES))
    kept.keep(take(tmp_path, 6, BODY_BYTES))
    with pytest.raises(DiskFailed, match="removing older snapshots"):
        kept.keep(take(tmp_path, 7, BODY_BYTES))


def test_a_late_snapshot_does_not_delay_the_next(tmp_path: Path) -> None:
    idle: Any = Idle()
    plan = SnapshotPlan(idle, every_bytes=100, first_bytes=130)
    taken: list[int] = []
    delivered: Any = Idle()
    delivered.sessions = idle
    for log_bytes in (100, 129, 135, 229, 231, 470, 520, 531):
        delivered.log_bytes = log_bytes
        if plan.wants_quiet(cast(Delivery, delivered)):
            plan.begin(cast(Delivery, delivered), cast(Engine, idle), cast(OrderedLog, idle))
            plan.settle(cast(Delivery, delivered), cast(Engine, idle), cast(OrderedLog, idle))
            taken.append(log_bytes)
    # Due at 130, 230, 330 (two of them missed), 530.
    assert taken == [135, 231, 470, 531]
