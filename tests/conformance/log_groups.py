"""Groups of ordered logs in this process, driven by hand, and what every one of them promises, checked at every step."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zmq

from psmr.core.raft import Settings
from psmr.core.roster import Roster, Seat
from psmr.errors import Refused
from psmr.log import Entry, MemoryLog, OrderedLog, RaftLog
from psmr.replica.clocks import monotonic_us
from psmr.storage import HardState, LogStore
from psmr.transport.peers import PeerLinks

CLUSTER_ID = 0xC0FFEE
PATIENCE_S = 60.0
SEND_AGAIN_S = 3.0
READ_BYTES = 1 << 20
SETTINGS = Settings(election_timeout_us=200_000, heartbeat_us=40_000)
PAUSE_US_MAX = 10_000
_FRAME = struct.Struct("<II")


@dataclass(frozen=True)
class Seen:
    """A committed entry as some member gave it."""

    time_us: int
    payload: bytes


class Clock:
    """Time that does not pass while nobody looks: between two looks at most `PAUSE_US_MAX`.

    When a busy machine, or a disk, holds this process up, no member may take that for the silence of all the others.
    """

    def __init__(self) -> None:
        self._now_us = self._looked_us = monotonic_us()

    def __call__(self) -> int:
        looked_us = monotonic_us()
        self._now_us += min(looked_us - self._looked_us, PAUSE_US_MAX)
        self._looked_us = looked_us
        return self._now_us


class Group:
    """The members that run, by id. Whatever one of them ever read as committed, every one must read, for good."""

    def __init__(
        self, ids: Sequence[int], open_member: Callable[[int], OrderedLog], addresses: Mapping[int, str] | None = None
    ) -> None:
        self.ids = tuple(ids)
        self.addresses = addresses or {}
        self.logs: dict[int, OrderedLog] = {}
        self.history: list[Seen] = []
        self.clock_us = Clock()
        self._open_member = open_member
        self._read: dict[int, int] = {}
        self._committed: dict[int, int] = {}

    def open(self, *members: int) -> None:
        """Start members; all of them when none is named."""
        for member in members or self.ids:
            self.logs[member] = self._open_member(member)
            self._read[member] = self._committed[member] = 0

    def close(self, *members: int) -> None:
        """Close members; all that run when none is named."""
        for member in members or tuple(self.logs):
            self.logs.pop(member).close()

    @contextmanager
    def paused(self, member: int) -> Iterator[None]:
        """Within the block a member hangs: it runs, but takes no step."""
        log = self.logs.pop(member)
        yield
        self.logs[member] = log

    def drive_until(self, reached: Callable[[], bool], what: str) -> None:
        """Step every member, whenever it wants to be, until `reached`."""
        give_up_s = time.monotonic() + PATIENCE_S
        poller = zmq.Poller()
        for log in self.logs.values():
            for source in log.sources():
                poller.register(source, zmq.POLLIN)
        while True:
            wake_us = min(log.step(self.clock_us()) for log in self.logs.values())
            for member, log in self.logs.items():
                self._check(member, log)
            if reached():
                return
            statuses = {member: log.status() for member, log in self.logs.items()}
            assert time.monotonic() < give_up_s, f"expected {what}, found {statuses}"
            wait_us = min(wake_us - self.clock_us(), PAUSE_US_MAX)
            poller.poll(max(0, wait_us + 999) // 1000)

    def append(self, payload: bytes, at: int | None = None) -> None:
        """Hand a payload in at a member, again while it is refused."""
        log = self.logs[at or next(iter(self.logs))]

        def taken() -> bool:
            try:
                log.append(payload)
            except Refused:
                return False
            return True

        self.drive_until(taken, "a payload to be taken")

    def order(self, payloads: Sequence[bytes], at: int | None = None) -> None:
        """Hand framed payloads in, again those that got lost, until every member has all of them committed."""
        again_s = 0.0

        def ordered() -> bool:
            nonlocal again_s
            found = set(self.frames())
            missing = [payload for payload in payloads if payload not in found]
            if missing and time.monotonic() >= again_s:
                again_s = time.monotonic() + SEND_AGAIN_S
                for payload in missing:
                    self.append(payload, at)
            return not missing and self.level()

        self.drive_until(ordered, f"{len(payloads)} payloads to be ordered")

    def level(self) -> bool:
        """Whether every running member has read everything that any member ever read."""
        return all(self._read[member] == len(self.history) for member in self.logs)

    def frames(self) -> Iterator[bytes]:
        """The framed payloads that were ordered, in their order."""
        for seen in self.history:
            at = 0
            while at < len(seen.payload):
                size_bytes = _FRAME.size + _FRAME.unpack_from(seen.payload, at)[1]
                yield seen.payload[at : at + size_bytes]
                at += size_bytes

    def leader(self) -> int | None:
        """The member that a majority of all follows and that knows it leads."""
        named = [log.status().leader for log in self.logs.values()]
        for member, log in self.logs.items():
            if log.status().role == "leader" and 2 * named.count(member) > len(self.ids):
                return member
        return None

    def wait_leader(self) -> int:
        """Drive until there is a leader that every running member follows."""
        self.drive_until(
            lambda: self.leader() is not None and len({log.status().leader for log in self.logs.values()}) == 1,
            "one leader",
        )
        leader = self.leader()
        assert leader is not None
        return leader

    def _check(self, member: int, log: OrderedLog) -> None:
        committed = log.committed
        assert committed >= self._committed[member], "what was committed is committed for good"
        self._committed[member] = committed
        while self._read[member] < committed:
            entries = log.read(self._read[member] + 1, READ_BYTES)
            assert entries, f"entry {self._read[member] + 1} of {committed} committed ones was not given"
            for entry in entries:
                self._see(member, entry)
        assert self._read[member] == committed, "only what is committed is given"

    def _see(self, member: int, entry: Entry) -> None:
        assert entry.index == self._read[member] + 1, "indexes have no gaps"
        seen = Seen(entry.time_us, bytes(entry.payload))
        if entry.index > len(self.history):
            assert not self.history or self.history[-1].time_us <= seen.time_us, "stamps never go back"
            self.history.append(seen)
        assert self.history[entry.index - 1] == seen, f"member {member} differs at {entry.index}"
        self._read[member] = entry.index


def framed(number: int, content: bytes = b"") -> bytes:
    """A payload that can be told from its neighbours in an entry."""
    return _FRAME.pack(number, len(content)) + content


class BackwardClock:
    """A wall clock that is set back with every look at it."""

    def __init__(self) -> None:
        self._now_us = 1_700_000_000_000_000

    def __call__(self) -> int:
        self._now_us -= 1_000
        return self._now_us


def memory_group() -> Group:
    """A group of one that keeps nothing."""
    now_us = iter(range(1_700_000_000_000_000, 1 << 62))
    return Group([1], lambda member: MemoryLog(lambda: next(now_us)))


def raft_group(members: int, folder: Path, wall_clock_us: Callable[[], int] | None = None) -> Group:
    """Members with disks in `folder` and sockets of their own."""
    ids = tuple(range(1, members + 1))
    addresses = peer_addresses(ids)
    clock_us = wall_clock_us or BackwardClock()

    def open_member(member: int) -> OrderedLog:
        links = PeerLinks(member, CLUSTER_ID, addresses)
        store = LogStore(folder / str(member), True, 1 << 20, cluster_id=CLUSTER_ID)
        state = HardState(folder / str(member))
        founders = Roster(tuple(Seat(each, addresses[each], f"{addresses[each]}-clients") for each in ids))
        return RaftLog(member, founders, links, store, state, seed=member, wall_clock_us=clock_us, settings=SETTINGS)

    return Group(ids, open_member, addresses)


def peer_addresses(ids: Sequence[int]) -> dict[int, str]:
    """Addresses that nobody else uses and that leave no file."""
    token = os.urandom(8).hex()
    return {member: f"ipc://@psmr-log-{token}-{member}" for member in ids}
