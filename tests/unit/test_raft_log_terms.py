"""The run-length encoded terms against a plain list of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psmr.core.raft import LogTerms
from psmr.errors import Violation

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("extend"), st.lists(st.integers(0, 2), min_size=1, max_size=4)),
        st.tuples(st.just("truncate"), st.integers(1, 12)),
        st.tuples(st.just("compact"), st.integers(0, 12)),
    ),
    max_size=12,
)


def built(operations: list[tuple[str, object]]) -> tuple[LogTerms, list[int]]:
    """The same changes made to both; `extend` is given by how much each term grows."""
    log, plain = LogTerms(), []
    for name, argument in operations:
        if name == "compact":
            log.compact(min(argument, log.last_index))
        elif isinstance(argument, int):
            argument = max(argument, log.base_index + 1)
            log.truncate(argument)
            del plain[argument - 1 :]
        else:
            term, terms = plain[-1] if plain else 1, []
            for growth in argument:
                term += growth
                terms.append(term)
            log.extend(tuple(terms))
            plain += terms
        log.validate()
    return log, plain


@settings(max_examples=300, deadline=None)
@given(OPERATIONS)
def test_equals_a_plain_list_of_terms(operations: list[tuple[str, object]]) -> None:
    log, plain = built(operations)
    assert log.last_index == len(plain)
    assert log.last_term == (plain[-1] if plain else 0)
    base = log.base_index
    assert [log.term_at(index) for index in range(base, len(plain) + 1)] == [0, *plain][base:]
    assert log.term_at(len(plain) + 1) is None
    assert log.term_at(base - 1) is None
    for first in range(base + 1, len(plain) + 1):
        for last in range(first, len(plain) + 1):
            assert log.terms_between(first, last) == tuple(plain[first - 1 : last])
    copy = log.copy()
    assert (copy.runs, copy.last_index, copy.base_index) == (log.runs, log.last_index, base)


@settings(max_examples=200, deadline=None)
@given(OPERATIONS, st.integers(0, 14), st.integers(0, 12))
def test_last_at_most_is_the_last_index_that_qualifies(
    operations: list[tuple[str, object]], index: int, term: int
) -> None:
    log, plain = built(operations)
    base = log.base_index
    qualify = [one for one in range(1, len(plain) + 1) if one <= base or plain[one - 1] <= term]
    expected = [one for one in qualify if one <= index]
    assert log.last_at_most(index, term) == (expected[-1] if expected else 0)


def test_a_copy_changes_on_its_own() -> None:
    log = LogTerms([(1, 1)], 2)
    log.copy().append(5)
    assert (log.last_index, log.last_term) == (2, 1)


def test_what_is_compacted_is_gone_but_for_the_term_at_the_base() -> None:
    log = LogTerms([(1, 1), (4, 3)], 6)
    log.compact(4)
    assert (log.base_index, log.base_term, log.runs, log.last_index) == (4, 3, ((5, 3),), 6)
    log.compact(2)
    assert log.base_index == 4, "it does not come back"
    log.compact(6)
    assert (log.runs, log.last_index, log.last_term) == ((), 6, 3)
    log.append(3)
    assert (log.runs, log.last_index) == (((7, 3),), 7)
    with pytest.raises(Violation, match="at most 7"):
        log.compact(8)


@pytest.mark.parametrize(("runs", "last_index"), [([(1, 1)], 5), ([(5, 1)], 4), ([(5, 1)], 6), ([], 5), ([(6, 2)], 6)])
def test_runs_that_no_log_can_have_behind_its_base_are_refused(runs: list[tuple[int, int]], last_index: int) -> None:
    LogTerms([(5, 2)], 6, 4, 2).validate()
    with pytest.raises(Violation, match="from index 5 on"):
        LogTerms(runs, last_index, 4, 2)


@pytest.mark.parametrize(
    ("runs", "last_index"),
    [
        ([(2, 1)], 2),
        ([(1, 1), (1, 2)], 2),
        ([(1, 2), (2, 1)], 2),
        ([(1, 1), (2, 1)], 2),
        ([(1, 0)], 1),
        ([(1, 1), (3, 2)], 2),
        ([], 1),
    ],
)
def test_runs_that_no_log_can_have_are_refused(runs: list[tuple[int, int]], last_index: int) -> None:
    with pytest.raises(Violation, match="expected runs of terms"):
        LogTerms(runs, last_index)
