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
    ),
    max_size=12,
)


def built(operations: list[tuple[str, object]]) -> tuple[LogTerms, list[int]]:
    """The same changes made to both; `extend` is given by how much each term grows."""
    log, plain = LogTerms(), []
    for _, argument in operations:
        if isinstance(argument, int):
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
    assert [log.term_at(index) for index in range(len(plain) + 1)] == [0, *plain]
    assert log.term_at(len(plain) + 1) is None
    assert log.term_at(-1) is None
    for first in range(1, len(plain) + 1):
        for last in range(first, len(plain) + 1):
            assert log.terms_between(first, last) == tuple(plain[first - 1 : last])
    copy = log.copy()
    assert (copy.runs, copy.last_index) == (log.runs, log.last_index)


@settings(max_examples=200, deadline=None)
@given(OPERATIONS, st.integers(0, 14), st.integers(0, 12))
def test_last_at_most_is_the_last_index_that_qualifies(
    operations: list[tuple[str, object]], index: int, term: int
) -> None:
    log, plain = built(operations)
    expected = [one for one in range(1, min(index, len(plain)) + 1) if plain[one - 1] <= term]
    assert log.last_at_most(index, term) == (expected[-1] if expected else 0)


def test_a_copy_changes_on_its_own() -> None:
    log = LogTerms([(1, 1)], 2)
    log.copy().append(5)
    assert (log.last_index, log.last_term) == (2, 1)


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
