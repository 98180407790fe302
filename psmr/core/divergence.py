"""Which replicas have parted, where, and who of them is to stop: told rolling digests, compared. Pure.

    Progress, Voters ─┐                          ┌─► Send: tell, ask, answer
    Received ─────────┼─► Divergence.handle(event)┤
                      ┘                          └─► Parted: this replica is to stop

Each tells the others its rolling digest (`psmr.core.rolling`) at some entry; who hears it compares with its own there. Digests
that are equal at an entry are equal at all before it, and those that differ differ at all behind it. So where one differs, the
first entry is found by asking for digests in between, some at a time.

**The verdict** is about the first entry *d* at which somebody differs, and counts voters. A majority that did the same there is
right. Who is not among them, and knows it, stops. Where no majority can have done the same, whoever knows it stops: nobody can say
who is right, and clients must not be told one of several truths. While too few are known all go on as before (*undecided*).

Messages may be lost, repeated and late, and any replica may start again: all that is kept of a peer is a fact about two logs.
"""

from __future__ import annotations

from msgspec import Struct

from psmr.core.divergence_messages import DigestsAsked, DigestsGiven, DigestTold
from psmr.core.rolling import FORM, Rolling

CHECKPOINT_ENTRIES = 64
CHECKPOINT_US = 50_000
"""A replica tells its digest after so many entries, or so long after the last time if there are any new ones."""
ASKED_AT_ONCE = 32
PATIENCE_US = 200_000
"""Without an answer for so long, it is asked again."""
_MASK = (1 << 64) - 1
_NEVER_US = 1 << 62


class Progress(Struct, frozen=True, gc=False):
    """Time has passed, and `Rolling.through` may have."""

    now_us: int


class Voters(Struct, frozen=True):
    """Who belongs to the cluster, and who of them votes, this replica included where it does."""

    members: frozenset[int]
    voters: frozenset[int]


class Received(Struct, frozen=True, gc=False):
    """A message of a peer."""

    sender: int
    message: DigestTold | DigestsAsked | DigestsGiven


Event = Progress | Voters | Received


class Send(Struct, frozen=True, gc=False):
    """Send a message to a peer."""

    to: int
    message: DigestTold | DigestsAsked | DigestsGiven


class Parted(Struct, frozen=True, gc=False):
    """This replica is to stop. `index`: the first entry that differs (`is_exact`, else it may have been an earlier one).

    `right`: the voters of a majority that did the same there; none where there is no such majority. `others`: with whom to compare.
    """

    index: int
    is_exact: bool
    right: tuple[int, ...]
    others: tuple[int, ...]


Effect = Send | Parted


class Difference(Struct, frozen=True, gc=False):
    """A peer that differs from this replica: where first (`is_exact`), and whether a majority does as this replica does."""

    peer: int
    index: int
    is_exact: bool
    is_wrong: bool


class _Peer:
    """What is known of a peer. `shift`: its digest less this replica's wherever both did the same; None: not known yet.

    It did the same up to entry `agreed`, and another thing by entry `differs`, where its digest, as this replica would have it, is
    `value`. Up to `floor` nobody can say. `is_found`: it has confirmed that, and nothing is between the two.
    """

    __slots__ = ("agreed", "asked_us", "differs", "early", "floor", "is_found", "late", "origin", "shift", "value")

    def __init__(self, origin: int) -> None:
        self.origin = origin
        self.shift: int | None = None
        self.agreed = -1
        self.floor = -1
        self.differs: int | None = None
        self.value = 0
        self.is_found = False
        self.asked_us = -_NEVER_US
        self.early: DigestTold | None = None  # the first told that this replica has not reached, and the last
        self.late: DigestTold | None = None

    @property
    def is_exact(self) -> bool:
        """Whether the entry found is the first."""
        return self.differs is not None and self.agreed == self.differs - 1


class Divergence:
    """One replica's view; `rolling` is its own history, kept up to date by whoever executes. Check it with `validate`."""

    def __init__(self, me: int, rolling: Rolling) -> None:
        self._me = me
        self._rolling = rolling
        self._members: frozenset[int] = frozenset()
        self._voters: frozenset[int] = frozenset()
        self._peers: dict[int, _Peer] = {}
        self._asked_us: dict[int, int] = {}  # when a peer was asked of which nothing is known where others differ
        self._now_us = 0
        self._told = -1
        self._told_us = -CHECKPOINT_US
        self.parted: Parted | None = None

    def handle(self, event: Event) -> list[Effect]:
        """Take in what happened; what is to be done."""
        effects: list[Effect] = []
        if isinstance(event, Progress):
            self._now_us = event.now_us
            self._take_reached()
            effects += self._tell()
        elif isinstance(event, Voters):
            self._members, self._voters = event.members, event.voters
            self._peers = {peer: known for peer, known in self._peers.items() if peer in event.members}
            self._asked_us = {peer: asked_us for peer, asked_us in self._asked_us.items() if peer in event.members}
        elif isinstance(event.message, DigestsAsked):
            effects.append(Send(event.sender, self._answer(event.message)))
        elif event.sender in self._members and event.message.form == FORM:
            self._take(event.sender, event.message)
        if not self._somebody_differs:
            return effects  # there is nothing to look for, to ask or to judge
        return effects + self._search() + self._inquire() + self._judge()

    @property
    def due_us(self) -> int:
        """When to be told of the time again at the latest."""
        tell_us = self._told_us + CHECKPOINT_US if self._told < self._rolling.through else _NEVER_US
        if not self._somebody_differs:
            return tell_us
        waits = [known.asked_us + PATIENCE_US for known in self._peers.values() if self._wants(known)]
        waits += [self._asked_us.get(peer, -_NEVER_US) + PATIENCE_US for peer in self._unheard()]
        return min([tell_us, *waits])

    @property
    def _somebody_differs(self) -> bool:
        for known in self._peers.values():  # a loop: this is asked all the time, and mostly nobody does
            if known.differs is not None:
                return True
        return False

    def differences(self) -> list[Difference]:
        """The peers that differ, as far as is known."""
        return [
            Difference(peer, known.differs, known.is_exact, self._is_wrong(known))
            for peer, known in sorted(self._peers.items())
            if known.differs is not None
        ]

    def _is_wrong(self, known: _Peer) -> bool:
        return known.is_found and known.differs is not None and self._has_majority(self._same_as_me(known.differs))

    # What is told, and what of it is known already.

    def _tell(self) -> list[Effect]:
        through = self._rolling.through
        is_due = through - self._told >= CHECKPOINT_ENTRIES or self._now_us >= self._told_us + CHECKPOINT_US
        total = self._rolling.at(through)
        if through == self._told or not is_due or total is None:
            return []
        self._told, self._told_us = through, self._now_us
        told = DigestTold(FORM, self._rolling.origin, through, total)
        return [Send(peer, told) for peer in sorted(self._members - {self._me})]

    def _answer(self, asked: DigestsAsked) -> DigestsGiven:
        indexes = asked.indexes[:ASKED_AT_ONCE]
        totals = tuple(self._rolling.at(index) for index in indexes)
        return DigestsGiven(FORM, self._rolling.origin, self._rolling.oldest, indexes, totals)

    def _take(self, sender: int, message: DigestTold | DigestsGiven) -> None:
        known = self._peers.get(sender)
        if known is None or known.origin != message.origin:
            known = self._peers[sender] = _Peer(message.origin)
            if message.origin == self._rolling.origin:
                known.shift, known.agreed = 0, message.origin
        if isinstance(message, DigestsGiven):
            self._take_given(known, message)
        elif message.index <= self._rolling.through:
            self._compare(known, message.index, message.total)
        else:
            known.early = known.early or message
            known.late = message

    def _take_reached(self) -> None:
        for known in self._peers.values():
            if known.early is not None and known.early.index <= self._rolling.through:
                self._compare(known, known.early.index, known.early.total)
                known.early, known.late = known.late if known.late != known.early else None, None

    def _compare(self, known: _Peer, index: int, total: int) -> None:
        mine = self._rolling.at(index)
        if mine is None:
            return
        if known.shift is None:
            known.shift, known.agreed = (total - mine) & _MASK, index
        elif (total - mine) & _MASK == known.shift:
            known.agreed = max(known.agreed, index)
            if known.differs is not None and index >= known.differs:
                known.differs, known.is_found = None, False  # it has begun anew, with a state that is right
        elif known.differs is None or index <= known.differs:
            found = index, (total - known.shift) & _MASK
            if found == (known.differs, known.value):
                return
            known.differs, known.value = found
            known.is_found = False
            if index <= known.agreed:  # it has begun anew, and did another thing
                known.agreed = -1

    # Where it began.

    def _take_given(self, known: _Peer, given: DigestsGiven) -> None:
        before = known.differs, known.agreed, known.floor
        answers = zip(given.indexes, given.totals, strict=False)
        for index, total in sorted(answers, key=lambda answer: -answer[0]):
            if total is not None:
                self._compare(known, index, total)
        known.floor = max(self._rolling.oldest, given.oldest) - 1
        if known.differs is not None and known.differs in given.indexes:
            known.is_found = known.differs - 1 <= max(known.agreed, known.floor)
        if (known.differs, known.agreed, known.floor) != before:
            known.asked_us = (
                -_NEVER_US
            )  # else the answer said nothing new, and would not if it were asked again at once

    def _wants(self, known: _Peer) -> bool:
        return known.differs is not None and not known.is_found

    def _search(self) -> list[Effect]:
        effects: list[Effect] = []
        for peer, known in self._peers.items():
            if not self._wants(known) or known.differs is None or self._now_us < known.asked_us + PATIENCE_US:
                continue
            low = max(known.agreed, known.floor, self._rolling.oldest - 1)
            between = range(known.differs, low, -max(1, -(-(known.differs - low) // ASKED_AT_ONCE)))
            known.asked_us = self._now_us
            # Where it differs is asked again as well: what it did may have been told before it began anew.
            effects.append(Send(peer, DigestsAsked(tuple(between) or (known.differs,))))
            mine = self._rolling.at(known.differs)
            if (
                mine is not None
            ):  # it may not know: what it was told may be lost, or it has begun anew, and nothing new may come
                effects.append(Send(peer, DigestTold(FORM, self._rolling.origin, known.differs, mine)))
        return effects

    def _unheard(self) -> dict[int, int]:
        """The voters of whom nothing is known where somebody else differs, and the entry, while there is no verdict."""
        if self.parted is not None:
            return {}
        unheard: dict[int, int] = {}
        for index in sorted(
            known.differs for known in self._peers.values() if known.is_found and known.differs is not None
        ):
            if not self._has_majority(self._same_as_me(index)):
                for peer in self._voters - {self._me} - self._known_at(index):
                    unheard.setdefault(peer, index)
        return unheard

    def _known_at(self, index: int) -> frozenset[int]:
        """The peers of which it is known whether they did the same up to there, or is being asked."""
        return frozenset(
            peer for peer, known in self._peers.items() if known.agreed >= index or known.differs is not None
        )

    def _inquire(self) -> list[Effect]:
        """Ask who says nothing: one that has parted already tells nothing new by itself, and its word may decide."""
        effects: list[Effect] = []
        for peer, index in sorted(self._unheard().items()):
            if self._now_us >= self._asked_us.get(peer, -_NEVER_US) + PATIENCE_US:
                self._asked_us[peer] = self._now_us
                effects.append(Send(peer, DigestsAsked((index,))))
        return effects

    # Who is right.

    def _has_majority(self, group: frozenset[int]) -> bool:
        return 2 * len(group & self._voters) > len(self._voters)

    def _same_as_me(self, index: int) -> frozenset[int]:
        return frozenset({self._me, *(peer for peer, known in self._peers.items() if known.agreed >= index)})

    def _judge(self) -> list[Effect]:
        if self.parted is not None:
            return []
        for index in sorted({known.differs for known in self._peers.values() if known.differs is not None}):
            parted = self._judge_at(index)
            if parted is not None:
                self.parted = parted
                return [parted]
        return []

    def _judge_at(self, index: int) -> Parted | None:
        """What follows from the entry at which some peer, or several, first differ."""
        groups: dict[int, set[int]] = {}
        apart = 0
        for peer, known in self._peers.items():
            if peer in self._voters and known.is_found and known.differs is not None and known.differs <= index:
                if known.differs == index:
                    groups.setdefault(known.value, set()).add(peer)
                else:
                    apart += 1  # parted before: with nobody who had not
        mine = self._same_as_me(index) & self._voters
        if not groups or self._has_majority(mine):
            return None
        found = [known for known in self._peers.values() if known.is_found and known.differs == index]
        is_exact = all(known.is_exact for known in found)
        others = tuple(sorted(peer for group in groups.values() for peer in group))
        for group in groups.values():
            if self._has_majority(frozenset(group)):
                return Parted(index, is_exact, tuple(sorted(group)), tuple(sorted(group)))
        unknown = len(self._voters) - len(mine) - len(others) - apart
        largest = max(len(mine), *(len(group) for group in groups.values()))
        if 2 * (largest + unknown) > len(self._voters):
            return None
        return Parted(index, is_exact, (), others)

    def validate(self) -> None:
        """Raise AssertionError unless what is known of each peer can be true."""
        for peer, known in self._peers.items():
            if known.differs is not None and known.agreed >= known.differs:
                raise AssertionError(f"replica {peer}: agreed at {known.agreed}, differed at {known.differs}")
