"""When a node without a leader stands for election: randomised, but by a seed."""

from __future__ import annotations

_MASK = 2**64 - 1
_LOST_MAX = 3
_GOLDEN = 0x9E3779B97F4A7C15


def mix(value: int) -> int:
    """splitmix64's finalizer (Steele, Lea, Flood, OOPSLA 2014): a bijection on 64 bits."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


class ElectionTimer:
    """A deadline that every sign of a leader pushes back.

    The wait is between one and two election timeouts. It depends on seed, replica, term and attempt, so replicas that
    stood at the same moment once do not do so again. Each election that came to nothing since a leader was heard doubles it,
    up to eight times: on disks and processors so busy that votes take longer than the timeout, one would depose the other
    for ever.
    """

    __slots__ = ("_attempt", "_heard", "_lost", "_me", "_seed", "_shortest_us", "_term", "_wait_us", "deadline_us")

    def __init__(self, seed: int, me: int, election_timeout_us: int) -> None:
        self._seed = seed
        self._me = me
        self._shortest_us = election_timeout_us
        self._attempt = 0
        self._wait_us = 0
        self._heard = True
        self._lost = 0
        self._term = 0
        self.deadline_us = 0
        self.redraw(0)
        self._heard = True

    def redraw(self, term: int) -> None:
        """Draw another wait, for an election after `term`."""
        self._attempt += 1
        # The term moved since the last draw without a leader that was heard of: somebody stood, and nobody won.
        self._lost = 0 if self._heard else min(self._lost + (term > self._term), _LOST_MAX)
        self._heard = False
        self._term = term
        value = self._seed & _MASK
        for part in (self._me, term, self._attempt):
            value = mix((value + _GOLDEN * (part + 1)) & _MASK)
        self._wait_us = self._shortest_us + value % self._shortest_us

    def restart(self, now_us: int) -> None:
        """Wait anew from `now_us` on."""
        self.deadline_us = now_us + (self._wait_us << self._lost)

    def hear(self, now_us: int) -> None:
        """There is a leader, or was one until now: wait anew from `now_us` on, as if no election had been lost."""
        self._heard = True
        self._lost = 0
        self.restart(now_us)
