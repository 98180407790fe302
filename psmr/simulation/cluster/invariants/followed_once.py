"""Followed once: who follows events is given each exactly once and in order, whichever replicas answer or die."""

from __future__ import annotations

from collections.abc import Sequence

from psmr.client.following import ServiceEvent
from psmr.simulation.cluster.invariants.one_position import Emitted
from psmr.simulation.cluster.service import EVENT
from psmr.simulation.invariants import InvariantViolated


class FollowedOnce:
    """Remembers how far each follower has come in `stream`."""

    def __init__(self, stream: Sequence[Emitted]) -> None:
        self._stream = stream
        self._next: dict[int, int] = {}

    def position(self, follower: int) -> int:
        """Behind what it was given last."""
        return self._next.get(follower, 0)

    def given(self, follower: int, event: ServiceEvent) -> None:
        """A follower was given an event."""
        expected = self.position(follower)
        if event.position != expected or expected >= len(self._stream):
            raise InvariantViolated(
                "followed once",
                f"expected follower {follower} to be given event {expected} of {len(self._stream)}, found {event}",
            )
        known = self._stream[expected]
        _, _, row, operation, value = EVENT.unpack(known.record)
        place = known.index, known.session, known.sequence, row, operation, value
        found = (event.index, event.session, event.sequence, event.row, *event.fields.values())
        if found != place:
            raise InvariantViolated(
                "followed once", f"expected follower {follower} to be given {known} at {expected}, found {event}"
            )
        self._next[follower] = expected + 1

    def gone(self, follower: int, earliest: int) -> None:
        """A follower was told that no replica keeps what comes next: only from `earliest` on."""
        if not self.position(follower) < earliest <= len(self._stream):
            raise InvariantViolated(
                "followed once",
                f"follower {follower}, at {self.position(follower)} of {len(self._stream)}, was told to begin at {earliest}",
            )
        self._next[follower] = earliest
