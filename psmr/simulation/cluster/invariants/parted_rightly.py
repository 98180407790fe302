"""Who parts from the others stops, and nobody else: at the first entry that differs, at its command; nobody is wrongly accused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psmr.core.divergence import Parted
from psmr.core.rolling import Rolling
from psmr.simulation.cluster.divergences import Wrong
from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.invariants import InvariantViolated

_NAME = "who parts stops"


class PartedRightly:
    """`wrong`: what replicas will do wrong. Everybody else does the same, whatever is lost, late, or from before a restart.

    Nothing is asked any more once it `has_spread`: another replica has caught up with the state of one that does wrong.

    `erred`: those that have done so; `stopped`: those that stopped, with what they were told; `rows`: the command that it was.
    """

    def __init__(self, wrong: Mapping[int, Wrong], voters: int) -> None:
        self.erred: set[int] = set()
        self.has_spread = False
        self.stopped: dict[int, Parted] = {}
        self.rows: dict[int, int] = {}
        self._wrong = wrong
        self._voters = voters
        self._began: dict[int, int] = {}

    @property
    def is_nobody_right(self) -> bool:
        """Whether all have done different things: all are to stop."""
        return len(self._wrong) == self._voters and bool(self.erred)

    @property
    def is_without_majority(self) -> bool:
        """Whether so many have stopped that the others can do nothing any more."""
        return 2 * (self._voters - len(self.stopped)) <= self._voters

    def started(self, replica: Observed) -> None:
        """It begins behind the entries that its snapshot holds: of what was done there only the sum is known."""
        self._began[replica.me] = max(self._began.get(replica.me, 0), replica.delivered)
        own = self._wrong.get(replica.me)
        self.has_spread |= replica.engine.flavour not in (0, own.flavour if own is not None else 0)

    def heard(self, replica: Observed) -> None:
        """A replica was told digests: it suspects nobody who has done nothing wrong, unless it has itself."""
        for each in () if self.has_spread else replica.suspects:
            if replica.me not in self.erred and each.peer not in self.erred:
                raise InvariantViolated(
                    _NAME, f"expected replica {replica.me} to agree with replica {each.peer}, found that it says {each}"
                )

    def parted(self, replica: Observed, parted: Parted) -> None:
        """A replica is about to stop."""
        self.stopped[replica.me] = parted
        if self.has_spread:
            return
        if not replica.engine.flavour:
            raise InvariantViolated(_NAME, f"replica {replica.me} has done what it should, and stops: {parted}")
        if len(self._wrong) == self._voters:
            is_right = not parted.right
        else:
            wrong = self._wrong.get(replica.me)
            is_known = 2 * len(parted.right) > self._voters or (self._is_forgotten(replica) and not parted.is_exact)
            is_right = is_known and all(self._wrong.get(each) != wrong for each in parted.right)
        if not is_right:
            raise InvariantViolated(_NAME, f"expected replica {replica.me} to know who is right, found {parted}")
        self._check_place(replica, parted)

    def _check_place(self, replica: Observed, parted: Parted) -> None:
        first = self._first_wrong(replica)
        if first is None:
            return  # it has begun behind it
        is_known = not self._is_forgotten(replica)
        is_right = parted.index == first if parted.is_exact or is_known else parted.index >= first
        if not is_right or (is_known and not parted.is_exact):
            raise InvariantViolated(
                _NAME, f"expected replica {replica.me} to say that it parted at {first}, found {parted}"
            )

    def _is_forgotten(self, replica: Observed) -> bool:
        """Whether one of those to compare with, or itself, has begun behind its first wrong command: who is with whom is then
        not always known."""
        first = self._first_wrong(replica)
        return first is None or max(self._began.values()) >= first

    def row_found(self, replica: Observed, row: int) -> None:
        """A replica that has stopped found out at which command of the entry it parted."""
        self.rows[replica.me] = row
        rolling, index, erred_at = _rolling_of(replica), self.stopped[replica.me].index, replica.engine.erred_at
        place = None if rolling is None else rolling.rows_of(index)
        if self.has_spread or place is None or erred_at is None or self._first_wrong(replica) != index:
            return
        if place[0] + row != erred_at:
            raise InvariantViolated(
                _NAME,
                f"expected replica {replica.me} to have parted at row {erred_at - place[0]} of {index}, found {row}",
            )

    def is_settled(self, remaining: Iterable[Observed]) -> bool:
        """Whether all that have done wrong have stopped, and nobody is suspected any more who did it in a former life."""
        here = {one.me: one for one in remaining}
        return not any(one.engine.flavour or any(each.peer in here for each in one.suspects) for one in here.values())

    def _first_wrong(self, replica: Observed) -> int | None:
        """The entry of its first wrong command; None where that was not done in this life."""
        rolling, erred_at = _rolling_of(replica), replica.engine.erred_at
        if rolling is None or erred_at is None:
            return None
        for index in range(rolling.oldest + 1, rolling.through + 1):
            place = rolling.rows_of(index)
            if place is not None and place[0] <= erred_at < sum(place):
                return index
        return None


def _rolling_of(replica: Observed) -> Rolling | None:
    return replica.delivery.rolling
