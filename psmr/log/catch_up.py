"""Replicas that lack what the log no longer has are brought up to date by a snapshot: both sides of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from psmr.core.fetching import NEVER_US, PART_BYTES, Ask, Fetching
from psmr.core.raft.messages import NUMBER_MAX
from psmr.errors import ConfigurationError, InvalidCall, LogDamaged
from psmr.log.port import SnapshotInstalled
from psmr.transport.peers import PeerLinks, SnapshotAsked, SnapshotOffered, SnapshotPart

_LOOK_US = 10_000
_OFFERS_UNANSWERED = 20
"""After so many offers, one a heartbeat, of a snapshot that a replica was fetching it is offered the newest again."""


class Receiving(Protocol):
    """A snapshot's file on its way."""

    @property
    def held_bytes(self) -> int:
        """How much of its beginning is here."""

    def write(self, data: bytes) -> None:
        """Put the next bytes behind those held."""

    def finish(self) -> bool:
        """Verify and keep it; False while that goes on, so call again.

        Raises LogDamaged or ConfigurationError for what is no snapshot of this cluster's.
        """

    def abandon(self) -> None:
        """Remove what there is of it: another one is fetched."""


class Snapshots(Protocol):
    """The snapshots on a replica's disk, as files of bytes."""

    def newest(self) -> tuple[int, int] | None:
        """The log index of the newest and its size in bytes."""

    def size_of(self, index: int) -> int | None:
        """The size in bytes of the snapshot at `index`, while it can be read: the newest, or an older one that is being sent."""

    def read(self, index: int, offset: int, count: int) -> bytes | None:
        """Bytes of the snapshot at `index`; None when there is none any more, or not so many."""

    def receive(self, index: int, size_bytes: int) -> Receiving:
        """Make room for another replica's snapshot. Raises InvalidCall for a size that none has."""


class CatchUp:
    """Both sides of bringing a replica up to date by a snapshot; the protocol is that of `psmr.core.fetching`.

    `served`: by replica, the index of the snapshot of which it was sent a part last.
    """

    def __init__(self, links: PeerLinks, snapshots: Snapshots, part_bytes: int = PART_BYTES) -> None:
        self._part_bytes = part_bytes
        self._links = links
        self._snapshots = snapshots
        self.served: dict[int, int] = {}
        self._offers_left: dict[int, int] = {}
        self._fetching: Fetching | None = None
        self._receiving: Receiving | None = None

    @property
    def fetching(self) -> tuple[int, int, int] | None:
        """(index, bytes held, bytes in all) of what is being fetched, for people."""
        fetching = self._fetching
        return None if fetching is None else (fetching.index, fetching.held_bytes, fetching.size_bytes)

    def offer(self, peer: int, term: int) -> None:
        """Tell a replica that lacks entries which this one, in `term`, no longer has of a snapshot.

        Of the newest; but of the one that it is fetching, while that can be read: if snapshots are taken faster than one is
        sent, it would begin anew with each of them and never have one.
        """
        offered = self._begun_by(peer) or self._snapshots.newest()
        if offered is not None:
            self._links.send(peer, SnapshotOffered(term, *offered))

    def _begun_by(self, peer: int) -> tuple[int, int] | None:
        """Index and size of what a replica is fetching: it has asked lately, and not yet for the end."""
        left = self._offers_left.get(peer, 0)
        size_bytes = self._snapshots.size_of(self.served[peer]) if left else None
        if size_bytes is None:
            return None
        self._offers_left[peer] = left - 1
        return self.served[peer], size_bytes

    def answer(self, sender: int, asked: SnapshotAsked, term: int) -> None:
        """Send a part; of a snapshot that was replaced meanwhile, offer the one that replaced it."""
        if not (0 <= asked.offset < NUMBER_MAX and 0 < asked.count <= PART_BYTES):
            return
        data = self._snapshots.read(asked.index, asked.offset, asked.count)
        if data is None:
            self.offer(sender, term)
        else:
            self.served[sender] = asked.index
            is_end = asked.offset + asked.count == self._snapshots.size_of(asked.index)
            self._offers_left[sender] = 0 if is_end else _OFFERS_UNANSWERED
            self._links.send(sender, SnapshotPart(asked.index, asked.offset), [data])

    def take_offer(self, sender: int, offered: SnapshotOffered, committed: int, now_us: int) -> None:
        """Begin to fetch what is ahead of this replica's log, unless something is being fetched with success."""
        if not (committed < offered.index < NUMBER_MAX and 0 < offered.size_bytes < NUMBER_MAX):
            return
        if self._fetching is not None and not self._fetching.yields_to(sender, offered.index, now_us):
            return
        if self._receiving is not None:
            self._receiving.abandon()
            self._receiving = self._fetching = None
        try:
            self._receiving = self._snapshots.receive(offered.index, offered.size_bytes)
        except InvalidCall:
            return
        held_bytes = self._receiving.held_bytes
        self._fetching = Fetching(sender, offered.index, offered.size_bytes, now_us, held_bytes, self._part_bytes)
        self._ask(self._fetching.ask())

    def take_part(self, part: SnapshotPart, payloads: Sequence[bytes], now_us: int) -> None:
        """Keep a part if it is the next one."""
        fetching, receiving = self._fetching, self._receiving
        if fetching is None or receiving is None or len(payloads) != 1:
            return
        (data,) = payloads
        if fetching.wants(part.index, part.offset, len(data)):
            receiving.write(data)
            self._ask(fetching.take(len(data), now_us))

    def step(self, now_us: int) -> int:
        """Ask again for what got lost, finish what is complete; when to call again.

        Raises SnapshotInstalled when a snapshot is on the disk.
        """
        fetching, receiving = self._fetching, self._receiving
        if fetching is None or receiving is None:
            return NEVER_US
        if not fetching.is_complete:
            self._ask(fetching.pass_time(now_us))
            return fetching.due_us
        try:
            if not receiving.finish():
                return now_us + _LOOK_US
        except (LogDamaged, ConfigurationError):
            # What came is no snapshot, whoever spoiled it: the next offer begins anew.
            self._fetching = self._receiving = None
            return NEVER_US
        raise SnapshotInstalled(fetching.index)

    def _ask(self, asks: list[Ask]) -> None:
        for ask in asks:
            self._links.send(ask.to, SnapshotAsked(ask.index, ask.offset, ask.count))
