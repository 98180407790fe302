"""Who belongs to a group, and how that changes: one voter at a time (Ongaro's thesis, 4.1 to 4.3).

A membership is an entry of the log and in force from the moment it is there, committed or not; when the entry goes, the one
before is in force again. Memberships that differ by one voter have no majorities without a common member. For a leader to
know that none but the one it replaces can be in force anywhere, that one must be committed, and so must an entry of the
leader's own term (the correction of 2015: without it, two leaders can each change the same membership in another way).
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import lt

from msgspec import Struct

from psmr.errors import ConfigurationError

_NEVER = 1 << 62


class Membership(Struct, frozen=True):
    """`voters` elect and commit by their majority. `learners` are sent the log, count for nothing and never stand."""

    voters: tuple[int, ...]
    learners: tuple[int, ...] = ()

    @property
    def members(self) -> tuple[int, ...]:
        """Voters, then learners."""
        return self.voters + self.learners

    @property
    def majority(self) -> int:
        """How many voters decide."""
        return len(self.voters) // 2 + 1


class Memberships:
    """What a log says about who belongs to the group: the membership known to be settled, and those that follow it.

    Settled is the newest one that is committed: it cannot be rolled back, and what came before it is forgotten.
    `settles_at`: the commit index that settles another.
    """

    __slots__ = ("_history", "settles_at")

    def __init__(self, memberships: Sequence[tuple[int, Membership]]) -> None:
        indexes = [index for index, _ in memberships]
        if not indexes or indexes[0] < 0 or not all(map(lt, indexes, indexes[1:])):
            raise ConfigurationError(f"expected memberships by growing index, the founding one first; found {indexes}")
        for _, membership in memberships:
            if fault := _fault(membership):
                raise ConfigurationError(fault)
        self._history = list(memberships)
        self.settles_at = _NEVER
        self._note_settles()

    @property
    def latest(self) -> tuple[int, Membership]:
        """The one in force and its index; the same object until another is."""
        return self._history[-1]

    @property
    def first_index(self) -> int:
        """Where the settled one stands."""
        return self._history[0][0]

    def append(self, index: int, membership: Membership) -> None:
        """The log's entry at `index`, behind all before, is this membership."""
        self._history.append((index, membership))
        self._note_settles()

    def truncate(self, from_index: int) -> None:
        """The entries from `from_index` on are dropped, none of them committed."""
        while len(self._history) > 1 and self._history[-1][0] >= from_index:
            self._history.pop()
        self._note_settles()

    def settle(self, commit: int) -> None:
        """Entries up to `commit` are committed."""
        while len(self._history) > 1 and self._history[1][0] <= commit:
            del self._history[0]
        self._note_settles()

    def may_stand(self, me: int) -> bool:
        """Whether `me` may seek election: it votes by a membership that may be in force somewhere.

        Also one that the newest membership removes, until that is committed: it may be the only one to have it, and then
        nobody that lacks it can win (thesis, 4.2.2).
        """
        return any(me in membership.voters for _, membership in self._history)

    def _note_settles(self) -> None:
        self.settles_at = self._history[1][0] if len(self._history) > 1 else _NEVER


def change_fault(old: Membership, new: Membership) -> str | None:
    """Why `new` may not follow `old`, whatever the state of the log; None if it may."""
    if fault := _fault(new):
        return fault
    if not new.voters:
        return "expected at least one voter, found none: keep one"
    differing = set(old.voters) ^ set(new.voters)
    if len(differing) > 1:
        return f"expected at most one voter to come or go, found {sorted(differing)}: make one change after the other"
    for voter in new.voters:
        if voter not in old.members:
            return f"expected new voter {voter} to be a learner, found {old}: add it as a learner first"
    return None


def _fault(membership: Membership) -> str | None:
    members = membership.members
    if len(set(members)) != len(members) or any(member < 0 for member in members):
        return f"expected members that differ and are no less than 0, found {membership}"
    return None
