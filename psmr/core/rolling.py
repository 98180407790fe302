"""What a replica's log did up to each entry, as one word: the *rolling digest*, by which replicas find out that they parted. Pure.

    R(i) = R(i − 1) + (2i + 1) × Σ digest of each batch of entry i that was executed, modulo 2⁶⁴; 0 at the *origin*

A sum, not a chain: what lies between two entries is then a difference of two words, so replicas whose sums begin at different
places (one that restarted from a snapshot without one) can be compared from any entry on that both have.
"""

from __future__ import annotations

from array import array

from msgspec import Struct

KEPT_ENTRIES = 1 << 16
"""How many of the newest rolling digests are kept; what parted longer ago cannot be found exactly."""
FORM = 3
"""How command digests are made. Those of another form say nothing; raise it with whatever changes a digest."""
_MASK = (1 << 64) - 1
_ROOM_ENTRIES = 256
"""For so many there is room at first; it grows as entries come: a replica that starts has none."""
_AT_ONCE = 256
"""So many batches are added at the latest."""


class Mark(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """A rolling digest to go on from: in snapshots."""

    form: int
    origin: int
    total: int


class Rolling:
    """The rolling digests of the newest entries. `origin`: where the sum began; `through`: all up to there is in it."""

    def __init__(self, through: int = 0, mark: Mark | None = None) -> None:
        """Go on behind entry `through`, as `mark` says; without one, or with one of another form, the sum begins there."""
        known = mark if mark is not None and mark.form == FORM else Mark(FORM, through, 0)
        self.origin = known.origin
        self.through = through
        self._first = through
        self._filled = through
        self._total = known.total
        self._rows = 0
        self._taken: list[tuple[int, int, int]] = []  # not yet in the sum: they are added together, when somebody asks
        self._totals = array("Q", bytes(8 * _ROOM_ENTRIES))
        self._rows_through = array("Q", bytes(8 * _ROOM_ENTRIES))
        self._put(through)

    def take(self, index: int, digest: int, count: int) -> None:
        """A batch of entry `index` with `count` commands was executed; batches come in the order of the log."""
        self._taken.append((index, digest, count))
        if len(self._taken) == _AT_ONCE:
            self._settle()

    def _settle(self) -> None:
        for taken in self._taken:
            self._add(*taken)
        self._taken.clear()
        if self.through > self._filled:
            self._fill(self.through)

    def _add(self, index: int, digest: int, count: int) -> None:
        if index > self._filled + 1:
            self._fill(index - 1)
        self._total = (self._total + digest * (2 * index + 1)) & _MASK
        self._rows += count
        self._put(index)
        if index > self._filled:
            self._filled = index

    def complete(self, index: int) -> None:
        """All batches of the entries up to `index` are executed."""
        if index > self.through:
            self.through = index

    def _fill(self, index: int) -> None:
        for each in range(max(self._filled + 1, index - KEPT_ENTRIES), index + 1):
            self._put(each)
        self._filled = max(self._filled, index)

    def _put(self, index: int) -> None:
        place = self._place(index)
        if place >= len(self._totals):
            more = bytes(8 * (min(KEPT_ENTRIES, max(2 * len(self._totals), place + 1)) - len(self._totals)))
            self._totals.frombytes(more)
            self._rows_through.frombytes(more)
        self._totals[place] = self._total
        self._rows_through[place] = self._rows

    def _place(self, index: int) -> int:
        return (index - self._first) % KEPT_ENTRIES

    @property
    def oldest(self) -> int:
        """The first entry whose rolling digest is kept."""
        self._settle()
        return max(self._first, self._filled - KEPT_ENTRIES + 1)

    def at(self, index: int) -> int | None:
        """R(index); None where it is not kept any more, or not complete."""
        return self._totals[self._place(index)] if self.oldest <= index <= self.through else None

    def rows_of(self, index: int) -> tuple[int, int] | None:
        """How many commands were executed since the start before entry `index`, and in it; None as for `at`."""
        if self.at(index) is None or self.at(index - 1) is None:
            return None
        before = self._rows_through[self._place(index - 1)]
        return before, self._rows_through[self._place(index)] - before

    @property
    def mark(self) -> Mark:
        """What a snapshot at `through`, behind which nothing was taken yet, is to say."""
        self._settle()
        return Mark(FORM, self.origin, self._total)
