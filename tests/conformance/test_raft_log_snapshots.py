"""Raft's log with snapshots: what is heard with an offer is settled before anything is fetched, and members outlive a restart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from psmr.core.changes import Action
from psmr.core.raft import Settings
from psmr.core.roster import Roster, Seat
from psmr.errors import Refused
from psmr.log.catch_up import Receiving
from psmr.log.port import News
from psmr.log.raft_log import RaftLog
from psmr.storage import HardState, LogStore
from psmr.transport.peers import PeerLinks, PeerMessage, SnapshotAsked, SnapshotOffered, SnapshotPart


class Links:
    """Remembers what was sent; `inbox` is what arrives next."""

    def __init__(self) -> None:
        self.inbox: list[PeerMessage] = []
        self.sent: list[tuple[int, Any]] = []
        self.known: dict[int, str] = {}
        self.malformed = 0

    def meet(self, addresses: dict[int, str]) -> None:
        self.known.update(addresses)

    def send(self, peer: int, message: Any, payloads: Sequence[Any] = ()) -> bool:
        self.sent.append((peer, message))
        return True

    def receive(self) -> PeerMessage | None:
        return self.inbox.pop(0) if self.inbox else None

    def close(self) -> None:
        """Nothing to let go of."""


class Held:
    """A snapshot that has arrived in part."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.held_bytes = 0

    def write(self, data: bytes) -> None:
        self.held_bytes += len(data)

    def finish(self) -> bool:
        return False

    def abandon(self) -> None:
        """Nothing to remove."""


class Kept:
    """One snapshot of 1,000 bytes at index 3."""

    def newest(self) -> tuple[int, int] | None:
        return 3, 1_000

    def read(self, index: int, offset: int, count: int) -> bytes | None:
        return bytes(count) if index == 3 and offset + count <= 1_000 else None

    def size_of(self, index: int) -> int | None:
        return 1_000 if index == 3 else None

    def receive(self, index: int, size_bytes: int) -> Receiving:
        return Held(size_bytes)


def seat(number: int) -> Seat:
    return Seat(number, f"ipc://@{number}-peers", f"ipc://@{number}-clients")


def opened(folder: Path, links: Links, me: int = 1, founders: tuple[int, ...] = (1,)) -> RaftLog:
    return RaftLog(
        me,
        Roster(tuple(seat(number) for number in founders)),
        cast(PeerLinks, links),
        LogStore(folder, False),
        HardState(folder, sync=False),
        seed=1,
        wall_clock_us=lambda: 1_000,
        settings=Settings(),
        snapshots=Kept(),
    )


def test_the_term_of_an_offer_is_saved_before_anything_is_asked_for(tmp_path: Path) -> None:
    links = Links()
    log = opened(tmp_path, links, founders=(1, 2, 3))
    links.inbox.append(PeerMessage(2, SnapshotOffered(9, 30, 500), []))
    log.step(1_000)
    assert HardState(tmp_path, sync=False).load() == (9, None)
    assert [(to, message) for to, message in links.sent if isinstance(message, SnapshotAsked)] == [
        (2, SnapshotAsked(30, 0, 500))
    ]
    assert log.status().fetching == (30, 0, 500)
    log.close()


@pytest.mark.parametrize(
    "message", [SnapshotOffered(9, 0, 500), SnapshotOffered(9, 1 << 62, 500), SnapshotOffered(9, 30, 0)]
)
def test_offers_that_no_replica_makes_are_ignored(tmp_path: Path, message: SnapshotOffered) -> None:
    links = Links()
    log = opened(tmp_path, links, founders=(1, 2, 3))
    links.inbox.append(PeerMessage(2, message, []))
    log.step(1_000)
    assert log.status().fetching is None
    log.close()


def test_parts_are_given_and_a_replaced_snapshot_is_answered_by_an_offer(tmp_path: Path) -> None:
    links = Links()
    log = opened(tmp_path, links, founders=(1, 2, 3))
    asked = (SnapshotAsked(3, 10, 20), SnapshotAsked(2, 0, 20), SnapshotAsked(3, 0, 1 << 40), SnapshotAsked(3, -1, 5))
    links.inbox += [PeerMessage(2, message, []) for message in asked]
    log.step(1_000)
    answers = [message for _, message in links.sent if isinstance(message, SnapshotPart | SnapshotOffered)]
    assert answers == [SnapshotPart(3, 10), SnapshotOffered(0, 3, 1_000)]
    log.close()


def test_members_are_changed_refused_and_known_again_after_a_restart(tmp_path: Path) -> None:
    links = Links()
    log = opened(tmp_path, links)
    for now_us in range(0, 2_000_000, 100_000):
        log.step(now_us)
    assert log.status().role == "leader"
    assert log.take_news() == News(1, {1: seat(1).clients})
    assert log.take_news() is None
    log.change_members(Action.ADD, seat(2))
    assert log.take_news() == News(1, {1: seat(1).clients, 2: seat(2).clients})
    assert links.known[2] == seat(2).peers
    with pytest.raises(Refused):
        log.change_members(Action.ADD, seat(2))
    log.step(3_000_000)
    with pytest.raises(Refused, match="nearly all of the log"):
        log.change_members(Action.PROMOTE, seat(2))
    status = log.status()
    assert [(each.id, each.votes) for each in status.members] == [(1, True), (2, False)]
    log.close()
    again = Links()
    log = opened(tmp_path, again, founders=(1, 7))
    assert [(each.id, each.votes) for each in log.status().members] == [(1, True), (2, False)]
    assert again.known[2] == seat(2).peers
    assert log.status().members_since == status.members_since > 0
    log.close()


def test_who_does_not_lead_changes_no_members(tmp_path: Path) -> None:
    log = opened(tmp_path, Links(), founders=(1, 2, 3))
    log.step(1_000)
    with pytest.raises(Refused, match="lead"):
        log.change_members(Action.ADD, seat(4))
    log.close()
