"""Which followers a leader sends to at once, and which a little later.

A commit needs a majority. What more followers do before it takes processors and links from those that it waits for, so
entries go to a bare majority at once; the others, and word of the commit, follow within `defer_us`, several at a time. After
the thrifty optimisation of EPaxos (Moraru, Andersen, Kaminsky, SOSP 2013): it changes when messages are sent, never what is
committed. A follower that answers clients itself, or lags, or is being probed, is never made to wait.
"""

from __future__ import annotations

from psmr.core.raft.progress import Progress

NEVER_US = 1 << 62
SERVING_US = 100_000
"""So long after it last passed on what a client wanted a follower counts as one that answers clients."""


class Quorum:
    """Chosen anew whenever a commit came without one of the chosen. `due_us`: when what was put off is to be sent.

    `progress` has every follower, learners too, and is the leadership's own: `change` follows each change of its keys.
    """

    __slots__ = ("_chosen", "_defer_us", "_lag_entries", "_progress", "_serving_until_us", "_voting", "due_us")

    def __init__(self, progress: dict[int, Progress], defer_us: int, lag_entries: int) -> None:
        self._progress = progress
        self._voting: tuple[int, ...] = ()
        self._chosen: set[int] = set()
        self._defer_us = defer_us
        self._lag_entries = lag_entries
        self._serving_until_us: dict[int, int] = {}
        self.due_us = NEVER_US

    def change(self, voting: tuple[int, ...], needed: int) -> None:
        """From now on `needed` of the followers `voting` make a commit; whoever was chosen and still votes stays so."""
        kept = [peer for peer in voting if peer in self._chosen]
        others = [peer for peer in voting if peer not in self._chosen]
        others.sort(key=lambda peer: -self._progress[peer].match_index)
        self._voting = voting
        self._chosen = set((kept + others)[:needed])
        self._serving_until_us = {peer: self._serving_until_us.get(peer, 0) for peer in self._progress}

    def serves(self, peer: int, now_us: int) -> None:
        """The follower passed on what a client wanted: it is to hear of everything at once."""
        if peer in self._serving_until_us:
            self._serving_until_us[peer] = now_us + SERVING_US

    def wants_entries(self, peer: int, last_index: int, now_us: int) -> bool:
        """Whether entries go to this follower at once."""
        progress = self._progress[peer]
        return (
            peer in self._chosen
            or progress.probing
            or self.wants_commit(peer, now_us)
            or last_index - progress.match_index > self._lag_entries
        )

    def wants_commit(self, peer: int, now_us: int) -> bool:
        """Whether this follower is told of commits at once."""
        return self._defer_us == 0 or now_us < self._serving_until_us[peer]

    def put_off(self, now_us: int) -> None:
        """Something is left to be sent later."""
        self.due_us = min(self.due_us, now_us + self._defer_us)

    def committed(self, index: int) -> None:
        """A majority has `index`: whoever is chosen and has not makes way for one that has."""
        late = [peer for peer in self._chosen if self._progress[peer].match_index < index]
        if late:
            spare = [peer for peer in self._voting if self._progress[peer].match_index >= index]
            for peer, better in zip(late, (peer for peer in spare if peer not in self._chosen), strict=False):
                self._chosen.remove(peer)
                self._chosen.add(better)
