"""How many bytes are on their way to each follower: the core counts entries, which may be of 40 bytes or of 16 MiB.

Without a bound in bytes a follower that hangs makes its leader hold, in sockets' queues, as many large entries as the
core sends ahead. What does not fit is not sent, and the core is told so; it asks again when the follower answers. Then
nothing is sent before everything on its way has arrived, or the core would repeat with each answer what is still on
its way.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple


class _Sent(NamedTuple):
    round: int
    last_index: int
    size_bytes: int


@dataclass(slots=True)
class _Peer:
    sent: deque[_Sent] = field(default_factory=deque)
    size_bytes: int = 0
    is_full: bool = False


class InFlight:
    """For each peer, messages with entries that were neither answered nor lost; about `limit_bytes` at most."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._peers: dict[int, _Peer] = {}

    def room_bytes(self, peer: int) -> int:
        """How much may be sent now; an entry larger than that is to be sent alone, when everything else has arrived."""
        if self.is_nothing(peer):
            return self._limit_bytes
        state = self._peers[peer]
        return 0 if state.is_full else max(0, self._limit_bytes - state.size_bytes)

    def is_nothing(self, peer: int) -> bool:
        """Whether nothing is on its way."""
        state = self._peers.get(peer)
        return state is None or not state.sent

    def send(self, peer: int, at_round: int, last_index: int, size_bytes: int) -> None:
        """A message of that round, with entries up to `last_index`, is on its way."""
        state = self._peers.get(peer)
        if state is None:
            state = self._peers[peer] = _Peer()
        state.sent.append(_Sent(at_round, last_index, size_bytes))
        state.size_bytes += size_bytes

    def hold(self, peer: int) -> None:
        """Something did not fit: there is no room any more until everything has arrived."""
        self._peers.setdefault(peer, _Peer()).is_full = True

    def answered(self, peer: int, at_round: int, durable_index: int) -> None:
        """The peer has answered in that round: whatever was sent before that round began has arrived or is lost."""
        state = self._peers.get(peer)
        if state is None:
            return
        while state.sent and (state.sent[0].round < at_round or state.sent[0].last_index <= durable_index):
            state.size_bytes -= state.sent.popleft().size_bytes
        if not state.sent:
            state.is_full = False

    def clear(self) -> None:
        """Another term: nothing is known to be on its way."""
        self._peers.clear()
