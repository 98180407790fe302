"""A disk that forgets at a crash what was not synced, except for as much of its beginning as chance left there."""

from __future__ import annotations

from random import Random

from psmr.core.raft import HardState, LogTerms

Entry = tuple[int, object]
"""The term and the payload of a log entry."""


class SimulatedDisk:
    """One replica's log, term and vote.

    `entries` is the log as written, `durable` as a crash at this moment would leave it at the least. Entry `index`
    stands at `index - 1`. Between them lie the writes not synced yet: an entry appended, or the index truncated from.
    """

    def __init__(self) -> None:
        self.hard_state = HardState()
        self.entries: list[Entry] = []
        self.durable: list[Entry] = []
        self._pending: list[Entry | int] = []

    @property
    def pending(self) -> int:
        """How many writes are not synced."""
        return len(self._pending)

    def append(self, entry_terms: tuple[int, ...], payloads: tuple[object, ...]) -> None:
        """Write entries behind the last."""
        added = list(zip(entry_terms, payloads, strict=True))
        self.entries += added
        self._pending += added

    def truncate(self, from_index: int) -> None:
        """Drop the entries from `from_index` on."""
        del self.entries[from_index - 1 :]
        self._pending.append(from_index)

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
        """Lose the pending writes, all but a beginning of random length."""
        self.sync(int(random.random() * (len(self._pending) + 1)))
        self._pending.clear()
        self.entries = list(self.durable)

    def log_terms(self) -> LogTerms:
        """What a restarted node is told of the log."""
        terms = LogTerms()
        for term, _ in self.entries:
            terms.append(term)
        return terms
