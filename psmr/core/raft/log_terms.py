"""Which term each entry of a log has, run-length encoded: all that Raft itself needs to know of the log."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from operator import lt

from psmr.errors import Violation


class LogTerms:
    """The terms of entries 1 to `last_index`, as runs (first index, term) of growing index and growing term.

    Index 0 stands for the position before the log and has term 0.
    """

    __slots__ = ("_firsts", "_last_index", "_terms")

    def __init__(self, runs: Iterable[tuple[int, int]] = (), last_index: int = 0) -> None:
        pairs = tuple(runs)
        self._firsts = [first for first, _ in pairs]
        self._terms = [term for _, term in pairs]
        self._last_index = last_index
        self.validate()

    @property
    def last_index(self) -> int:
        """The index of the last entry; 0 when the log is empty."""
        return self._last_index

    @property
    def last_term(self) -> int:
        """The term of the last entry; 0 when the log is empty."""
        return self._terms[-1] if self._terms else 0

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """(first index, term) of every run."""
        return tuple(zip(self._firsts, self._terms, strict=True))

    def copy(self) -> LogTerms:
        """An equal log that changes on its own."""
        return LogTerms(self.runs, self._last_index)

    def term_at(self, index: int) -> int | None:
        """The term of the entry at `index`; 0 at index 0; None outside the log."""
        if index > self._last_index or index <= 0:
            return 0 if index == 0 else None
        if index >= self._firsts[-1]:
            return self._terms[-1]
        return self._terms[bisect_right(self._firsts, index) - 1]

    def terms_between(self, first_index: int, last_index: int) -> tuple[int, ...]:
        """The terms of entries `first_index` to `last_index`, all of them in the log."""
        if first_index >= self._firsts[-1]:
            return (self._terms[-1],) * (last_index - first_index + 1)
        found: list[int] = []
        run = bisect_right(self._firsts, first_index) - 1
        while first_index <= last_index:
            end = self._firsts[run + 1] if run + 1 < len(self._firsts) else last_index + 1
            stop = min(end, last_index + 1)
            found.extend([self._terms[run]] * (stop - first_index))
            first_index = stop
            run += 1
        return tuple(found)

    def last_at_most(self, index: int, term: int) -> int:
        """The greatest index of at most `index` whose term is at most `term`; 0 when there is none."""
        index = min(index, self._last_index)
        run = bisect_right(self._terms, term) - 1
        if run < 0 or index <= 0:
            return 0
        end = self._firsts[run + 1] - 1 if run + 1 < len(self._firsts) else self._last_index
        return min(index, end)

    def append(self, term: int, count: int = 1) -> None:
        """Add `count` entries of `term`, which is no smaller than the last one's."""
        if not self._terms or self._terms[-1] != term:
            self._firsts.append(self._last_index + 1)
            self._terms.append(term)
        self._last_index += count

    def extend(self, entry_terms: tuple[int, ...]) -> None:
        """Add one entry for each of these growing terms."""
        if entry_terms[0] == entry_terms[-1]:
            self.append(entry_terms[0], len(entry_terms))
            return
        for term in entry_terms:
            self.append(term)

    def truncate(self, from_index: int) -> None:
        """Drop the entries from `from_index` on."""
        while self._firsts and self._firsts[-1] >= from_index:
            self._firsts.pop()
            self._terms.pop()
        self._last_index = min(self._last_index, from_index - 1)

    def validate(self) -> None:
        """Raise `Violation` unless runs start at 1 and grow in index and term, and none begins after the end."""
        firsts, terms = self._firsts, self._terms
        growing = all(map(lt, firsts, firsts[1:])) and all(map(lt, [0, *terms], terms))
        starts_at_one = firsts[0] == 1 if firsts else self._last_index == 0
        if not (growing and starts_at_one and (not firsts or firsts[-1] <= self._last_index)):
            raise Violation(
                f"expected runs of terms from index 1 on, growing in index and term, up to index {self._last_index}; "
                f"found {self.runs}; restore the log from another replica"
            )
