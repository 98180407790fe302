"""Pieces of a ring that are out never overlap and always lie inside it; room that is given back is found again."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psmr.execution.ring import ALIGNMENT, Ring, place_beside

SIZE = 32 * ALIGNMENT
SOFT = 8 * ALIGNMENT

place = place_beside.py_func
"""The rule as plain Python: what compiled code does with these numbers is the same."""


def assert_apart(pieces: list[tuple[int, int]]) -> None:
    """Pieces as (start, end), those without bytes left out."""
    held = sorted(piece for piece in pieces if piece[0] < piece[1])
    assert all(start >= 0 and end <= SIZE for start, end in held)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(held)), held


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(("take", "take", "give back", "take back")), st.integers(0, SIZE)), max_size=60)
)
def test_a_ring_hands_out_what_is_free(steps: list[tuple[str, int]]) -> None:
    ring = Ring(SIZE, SOFT)
    pieces: list[tuple[int, int]] = []
    for what, size in steps:
        if what == "take":
            start = ring.take(size)
            assert start is not None or pieces, "an empty ring has room for everything"
            if start is not None:
                pieces.append((start, start + size))
        elif pieces and what == "give back":
            ring.give_back()
            pieces.pop(0)
        elif pieces:
            ring.take_back()
            pieces.pop()
        assert_apart(pieces)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, SIZE // 2), st.integers(0, 7)), max_size=80))
def test_replies_shorter_than_expected_and_slots_without_any(steps: list[tuple[int, int]]) -> None:
    # As workers use the rule: room is asked for the most that a slot's replies can need, what they took in the end counts,
    # and a slot that another worker executed alone leaves an empty piece. Negative: the oldest slots are collected.
    pieces: list[tuple[int, int]] = []
    free = 0
    for size, spared in steps:
        if size < 0:
            pieces = pieces[-size:]
            continue
        if size == 0:
            pieces.append((free, free))
            continue
        need = -(-(size + spared) // ALIGNMENT) * ALIGNMENT
        start = place(free, pieces[0][0], need, SIZE, SOFT) if pieces else 0
        if start >= 0:
            pieces.append((start, start + size))
            free = -(-(start + size) // ALIGNMENT) * ALIGNMENT
        assert_apart(pieces)


def test_a_piece_that_ends_where_the_oldest_begins_is_refused() -> None:
    # It would leave "full" and "nothing below the oldest" looking the same, and the next piece would go over both.
    assert place(ALIGNMENT, 3 * ALIGNMENT, 2 * ALIGNMENT, SIZE, SOFT) == -1
    assert place(ALIGNMENT, 3 * ALIGNMENT, ALIGNMENT, SIZE, SOFT) == ALIGNMENT
    assert place(SIZE, 3 * ALIGNMENT, 3 * ALIGNMENT, SIZE, SOFT) == -1
    assert place(SIZE, 3 * ALIGNMENT, 2 * ALIGNMENT, SIZE, SOFT) == 0


def test_a_ring_goes_back_to_its_start_early() -> None:
    assert place(SOFT, SOFT, ALIGNMENT, SIZE, SOFT) == SOFT
    assert place(SOFT + ALIGNMENT, SOFT, ALIGNMENT, SIZE, SOFT) == 0


def test_pieces_without_bytes_are_pieces() -> None:
    ring = Ring(SIZE, SOFT)
    assert [ring.take(0) for _ in range(3)] == [0, ALIGNMENT, 2 * ALIGNMENT]
    ring.give_back()
    assert ring.take(SIZE - 3 * ALIGNMENT) == 3 * ALIGNMENT
    assert ring.take(0) is None


def test_a_piece_that_can_never_have_room_is_an_error() -> None:
    ring = Ring(SIZE, SOFT)
    with pytest.raises(ValueError, match=f"at most {SIZE} bytes"):
        ring.take(SIZE + 1)
    assert ring.take(SIZE) == 0


def test_compiled_and_plain_agree() -> None:
    cases = [(free, oldest, need) for free in range(9) for oldest in range(9) for need in range(1, 9)]
    for case in cases:
        scaled = [ALIGNMENT * number for number in (*case, 8, 3)]
        assert place_beside(*scaled) == place(*scaled), case
