"""Which roster is in force where in the log: the newest one in it, committed or not."""

from __future__ import annotations

from collections.abc import Sequence

from psmr.core.raft import Membership
from psmr.core.roster import Roster


class Rosters:
    """(index from which it is in force, roster), oldest first; the first is what log or snapshot began with."""

    def __init__(self, known: Sequence[tuple[int, Roster]]) -> None:
        self._known = list(known)

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

    def add(self, index: int, roster: Roster) -> None:
        """The entry at `index`, the newest, puts `roster` in force."""
        self._known.append((index, roster))

    def truncate(self, from_index: int) -> None:
        """The entries from `from_index` on are gone."""
        while len(self._known) > 1 and self._known[-1][0] >= from_index:
            self._known.pop()


def membership_of(roster: Roster) -> Membership:
    """What the core is told of a roster."""
    return Membership(roster.voters, roster.learners)
