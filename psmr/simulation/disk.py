"""A disk that forgets at a crash what was not synced, except for as much of its beginning as chance left there."""

from __future__ import annotations

from random import Random

from psmr.core.raft import HardState, LogTerms, Membership
from psmr.errors import Violation

Entry = tuple[int, object]
"""The term and the payload of a log entry; one that carries a membership has it as its payload."""


class SimulatedDisk:
    """One replica's log, term, vote and snapshot.

    `entries` is the log as written, `durable` as a crash at this moment would leave it at the least. Entry `index`
    stands at `index - 1`. Between them lie the writes not synced yet: an entry appended, or the index truncated from.
    A snapshot is here the entries that it stands for. What the log has forgotten, up to `base_index`, stays in both lists
    for the invariants to look at; a replica cannot read it.

    `changes`: (index, membership) of what the log says about members, after the founding membership.
    """

    def __init__(self, founding: Membership) -> None:
        self.hard_state = HardState()
        self.entries: list[Entry] = []
        self.durable: list[Entry] = []
        self.snapshot: list[Entry] = []
        self.base_index = 0
        self.changes: list[tuple[int, Membership]] = [(0, founding)]
        self._pending: list[Entry | int] = []

    @property
    def pending(self) -> int:
        """How many writes are not synced."""
        return len(self._pending)

    @property
    def memberships(self) -> tuple[tuple[int, Membership], ...]:
        """What a restarted node is told of its members: the one in force at the base, and those that follow."""
        settled = max(place for place, (index, _) in enumerate(self.changes) if index <= self.base_index)
        return tuple(self.changes[settled:])

    def append(self, entry_terms: tuple[int, ...], payloads: tuple[object, ...]) -> None:
        """Write entries behind the last."""
        added = list(zip(entry_terms, payloads, strict=True))
        self._note_changes(added, len(self.entries) + 1)
        self.entries += added
        self._pending += added

    def truncate(self, from_index: int) -> None:
        """Drop the entries from `from_index` on."""
        del self.entries[from_index - 1 :]
        self._pending.append(from_index)
        while self.changes[-1][0] >= from_index:
            self.changes.pop()

    def read(self, prev_index: int, last_index: int) -> tuple[object, ...]:
        """The payloads behind `prev_index`, which must not be forgotten."""
        if prev_index < self.base_index:
            raise Violation(f"expected entries behind {self.base_index} to be sent, found those behind {prev_index}")
        return tuple([payload for _, payload in self.entries[prev_index:last_index]])

    def take_snapshot(self, index: int) -> None:
        """Make a snapshot of the entries up to `index` durable."""
        self.snapshot = self.entries[:index]

    def compact(self, index: int) -> None:
        """Forget the entries up to `index`, which the snapshot has."""
        self.base_index = index

    def sync(self, writes: int) -> None:
        """Make the first `writes` pending writes durable."""
        durable = self.durable
        for write in self._pending[:writes]:
            if isinstance(write, int):
                del durable[write - 1 :]
            else:
                durable.append(write)
        del self._pending[:writes]

    def crash(self, random: Random) -> None:
        """Lose the pending writes, all but a beginning of random length; a log that lacks the snapshot's end goes, too."""
        self.sync(int(random.random() * (len(self._pending) + 1)))
        self._pending.clear()
        index = len(self.snapshot)
        if index > len(self.durable) or (index and self.durable[index - 1][0] != self.snapshot[-1][0]):
            self.durable = list(self.snapshot)
            self.base_index = index
        self.entries = list(self.durable)
        del self.changes[1:]
        self._note_changes(self.entries, 1)

    def log_terms(self) -> LogTerms:
        """What a restarted node is told of the log."""
        base = self.base_index
        terms = LogTerms(base_index=base, base_term=self.entries[base - 1][0] if base else 0)
        for term, _ in self.entries[base:]:
            terms.append(term)
        return terms

    def _note_changes(self, entries: list[Entry], first_index: int) -> None:
        for index, (_, payload) in enumerate(entries, first_index):
            if isinstance(payload, Membership):
                self.changes.append((index, payload))
