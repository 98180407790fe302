"""A leader's questions about reading: up to which index must a replica have delivered to read what is there now?

After the read-index of Ongaro's thesis (6.4). Whoever is asked now may have been deposed without knowing it, so the answer
waits for a heartbeat round that begins afterwards: a majority that answers it had not yet heard of a later term, so no
later leader can have committed anything before the round began. One round serves all that were asked before it.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from psmr.core.raft.effects import ReadConfirmed, ReadRejected

Request = tuple[int, int]
"""(token, origin), both the runtime's."""


class _Asked(Struct, frozen=True, gc=False):
    """Requests that wait for a majority to answer `round`; `index` is what was committed when it began."""

    round: int
    index: int
    requests: tuple[Request, ...]


class ReadRequests:
    """Requests held by a leader: first without a round, then with one, in the order of rounds."""

    __slots__ = ("_asked", "_held")

    def __init__(self) -> None:
        self._held: list[Request] = []
        self._asked: deque[_Asked] = deque()

    def __len__(self) -> int:
        if not self._asked:
            return len(self._held)
        return len(self._held) + sum([len(asked.requests) for asked in self._asked])

    @property
    def wants_round(self) -> bool:
        """Whether a round should begin for requests that have none; those that come during a round wait for its end."""
        return bool(self._held) and not self._asked

    def hold(self, token: int, origin: int) -> None:
        """Take a request."""
        self._held.append((token, origin))

    def round_begins(self, number: int, commit: int) -> None:
        """A heartbeat round begins, with `commit` committed: it counts for every request held."""
        if self._held:
            self._asked.append(_Asked(number, commit, tuple(self._held)))
            self._held.clear()

    def confirm(self, answered_round: int) -> list[ReadConfirmed]:
        """A majority has answered `answered_round`: what that confirms."""
        confirmed: list[ReadConfirmed] = []
        while self._asked and self._asked[0].round <= answered_round:
            asked = self._asked.popleft()
            confirmed += [ReadConfirmed(token, origin, asked.index) for token, origin in asked.requests]
        return confirmed

    def reject(self) -> list[ReadRejected]:
        """The node no longer leads: whoever does must be asked."""
        requests = [request for asked in self._asked for request in asked.requests] + self._held
        self._asked.clear()
        self._held.clear()
        return [ReadRejected(token, origin) for token, origin in requests]
