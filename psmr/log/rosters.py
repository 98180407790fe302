"""The log's own entries: which roster is in force where, the newest one in it, committed or not, versions, overrides."""

from __future__ import annotations

from collections.abc import Sequence

from psmr.core.batch import Buffer
from psmr.core.control import Kind, kind_of
from psmr.core.override import decode_override
from psmr.core.raft import Membership
from psmr.core.roster import Roster, decode_roster


class Rosters:
    """(index from which it is in force, roster), oldest first; the first is what log or snapshot began with."""

    def __init__(self, known: Sequence[tuple[int, Roster]]) -> None:
        self._known = list(known)
        self._versions: list[int] = []
        self._overrides: list[tuple[int, int]] = []

    @property
    def newest_version(self) -> int:
        """The index of the newest entry at which a version takes over; 0 while there is none behind the log's beginning."""
        return self._versions[-1] if self._versions else 0

    def has_override(self, fingerprint: int) -> bool:
        """Whether an entry behind the log's beginning, committed or not, says that this service runs all the same."""
        return any(known == fingerprint for _, known in self._overrides)

    @property
    def newest(self) -> Roster:
        """The roster in force."""
        return self._known[-1][1]

    @property
    def memberships(self) -> tuple[tuple[int, Membership], ...]:
        """The same without addresses, for the core."""
        return tuple((index, membership_of(roster)) for index, roster in self._known)

    def at(self, index: int) -> Roster:
        """The roster in force at a place of the log."""
        return next(roster for since, roster in reversed(self._known) if since <= index)

    def take(self, index: int, payload: Buffer) -> None:
        """The entry at `index`, the newest, is one of the log's own. Raises MalformedControl."""
        if kind_of(payload) is Kind.ROSTER:
            self._known.append((index, decode_roster(payload)))
        elif kind_of(payload) is Kind.VERSION:
            self._versions.append(index)
        else:
            self._overrides.append((index, decode_override(payload).fingerprint))

    def truncate(self, from_index: int) -> None:
        """The entries from `from_index` on are gone."""
        while len(self._known) > 1 and self._known[-1][0] >= from_index:
            self._known.pop()
        while self._versions and self._versions[-1] >= from_index:
            self._versions.pop()
        while self._overrides and self._overrides[-1][0] >= from_index:
            self._overrides.pop()


def membership_of(roster: Roster) -> Membership:
    """What the core is told of a roster."""
    return Membership(roster.voters, roster.learners)
