"""Which term each entry of a log has, run-length encoded: all that Raft itself needs to know of the log.

1 ── forgotten, in a snapshot ── base_index │ base_index + 1 ── entries whose terms are known ── last_index
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from operator import lt

from psmr.errors import Violation


class LogTerms:
    """The terms of entries `base_index + 1` to `last_index`, as runs (first index, term) of growing index and term.

    `last_index` is `base_index` when the log is empty. Entries up to `base_index` are gone; of them only the last one's term is
    known. Without any, the base is index 0, the position before the log, of term 0.
    """

    __slots__ = ("_firsts", "_terms", "base_index", "base_term", "last_index")

    def __init__(
        self,
        runs: Iterable[tuple[int, int]] = (),
        last_index: int | None = None,
        base_index: int = 0,
        base_term: int = 0,
    ) -> None:
        pairs = tuple(runs)
        self.base_index = base_index
        self.base_term = base_term
        self._firsts = [first for first, _ in pairs]
        self._terms = [term for _, term in pairs]
        self.last_index = base_index if last_index is None else last_index
        self.validate()

    @property
    def last_term(self) -> int:
        """The term of the last entry; `base_term` when the log is empty."""
        return self._terms[-1] if self._terms else self.base_term

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """(first index, term) of every run."""
        return tuple(zip(self._firsts, self._terms, strict=True))

    def copy(self) -> LogTerms:
        """An equal log that changes on its own."""
        return LogTerms(self.runs, self.last_index, self.base_index, self.base_term)

    def term_at(self, index: int) -> int | None:
        """The term of the entry at `index`; `base_term` at the base; None below it and behind the end."""
        if index > self.last_index or index <= self.base_index:
            return self.base_term if index == self.base_index else None
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
        """The greatest index of at most `index` whose term is at most `term`.

        Entries up to the base, of which nothing is known, are taken to qualify: the answer lies in the log if it can.
        """
        index = min(index, self.last_index)
        run = bisect_right(self._terms, term) - 1
        if run < 0 or index <= self.base_index:
            return min(index, self.base_index)
        end = self._firsts[run + 1] - 1 if run + 1 < len(self._firsts) else self.last_index
        return min(index, end)

    def append(self, term: int, count: int = 1) -> None:
        """Add `count` entries of `term`, which is no smaller than the last one's."""
        if not self._terms or self._terms[-1] != term:
            self._firsts.append(self.last_index + 1)
            self._terms.append(term)
        self.last_index += count

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
        self.last_index = min(self.last_index, from_index - 1)

    def compact(self, index: int) -> None:
        """Forget the entries up to `index`, the new base; nothing changes when they are gone. They must be in the log."""
        if index <= self.base_index:
            return
        term = self.term_at(index)
        if term is None:
            raise Violation(f"expected to forget entries up to at most {self.last_index}, the last, found {index}")
        keep = bisect_right(self._firsts, index) - 1
        del self._firsts[:keep], self._terms[:keep]
        self._firsts[0] = index + 1
        if (len(self._firsts) > 1 and self._firsts[1] == index + 1) or index == self.last_index:
            del self._firsts[0], self._terms[0]
        self.base_index, self.base_term = index, term

    def validate(self) -> None:
        """Raise `Violation` unless runs start behind the base and grow in index and term, none beginning after the end."""
        firsts, terms = self._firsts, self._terms
        growing = all(map(lt, firsts, firsts[1:])) and all(map(lt, terms, terms[1:]))
        first = firsts[0] if firsts else self.last_index + 1
        follows = first == self.base_index + 1 and (not terms or terms[0] >= max(self.base_term, 1))
        has_base = (self.base_index == 0) == (self.base_term == 0) and self.base_index >= 0
        if not (growing and follows and has_base and (not firsts or firsts[-1] <= self.last_index)):
            raise Violation(
                f"expected runs of terms from index {self.base_index + 1} on, growing in index and term from term "
                f"{self.base_term} on, up to index {self.last_index}; found {self.runs}; restore the log from another "
                "replica"
            )
