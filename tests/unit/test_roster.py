"""Who belongs to a cluster: as bytes, and how it may change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmr.core.batch import MAGIC
from psmr.core.changes import Action, changed
from psmr.core.control import CONTROL_MAGIC, MalformedControl, is_control
from psmr.core.roster import SEATS_MAX, Roster, Seat, decode_roster, encode_roster
from psmr.errors import Refused


def seat(number: int, *, votes: bool = True) -> Seat:
    return Seat(number, f"tcp://host{number}:1", f"tcp://host{number}:2", votes)


def roster(*voters: int, learners: tuple[int, ...] = ()) -> Roster:
    found = Roster()
    for number in (*voters, *learners):
        found = found.with_seat(seat(number, votes=number not in learners))
    return found


@given(st.sets(st.integers(1, 255), max_size=SEATS_MAX), st.data())
def test_a_roster_survives_as_bytes_and_is_no_batch(ids: set[int], data: st.DataObject) -> None:
    learners = data.draw(st.sets(st.sampled_from(sorted(ids)), max_size=len(ids))) if ids else set()
    there = roster(*(ids - learners), learners=tuple(learners))
    payload = encode_roster(there)
    assert decode_roster(payload) == there
    assert is_control(payload)
    assert not is_control(MAGIC.to_bytes(4, "little") + bytes(60))
    assert not is_control(b"")
    assert (there.voters, there.learners) == (tuple(sorted(ids - learners)), tuple(sorted(learners)))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        CONTROL_MAGIC,
        CONTROL_MAGIC + b"\x02\x01\0\0\x91\x90",
        CONTROL_MAGIC + b"\x01\x02\0\0\x91\x90",
        CONTROL_MAGIC + b"\x01\x01\0\0\xc1",
        CONTROL_MAGIC + b"\x01\x01\0\0" + b"\x91" * 3000,
        encode_roster(Roster((seat(2), seat(1)))),
        encode_roster(Roster((seat(1), seat(1)))),
        encode_roster(Roster((seat(256),))),
        encode_roster(Roster(tuple(seat(number) for number in range(1, SEATS_MAX + 2)))),
        encode_roster(roster(1)) + b"\0",
    ],
)
def test_what_is_no_roster_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedControl):
        decode_roster(payload)


def test_a_replica_is_added_as_a_learner_promoted_and_removed() -> None:
    there = changed(roster(1, 2, 3), Action.ADD, seat(4))
    assert (there.voters, there.learners) == ((1, 2, 3), (4,))
    there = changed(there, Action.PROMOTE, Seat(4, "", ""))
    assert (there.voters, there.learners) == ((1, 2, 3, 4), ())
    assert there.seat(4) == seat(4)
    assert changed(there, Action.REMOVE, Seat(2, "", "")).voters == (1, 3, 4)


@pytest.mark.parametrize(
    ("action", "wanted", "reason"),
    [
        (Action.ADD, seat(1), "a member already"),
        (Action.ADD, Seat(9, "tcp://host2:1", "tcp://elsewhere:2"), "addresses of its own"),
        (Action.PROMOTE, seat(9), "to be a member"),
        (Action.PROMOTE, seat(1), "votes already"),
        (Action.REMOVE, seat(9), "to be a member"),
    ],
)
def test_changes_that_cannot_be_are_refused_with_the_reason(action: Action, wanted: Seat, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        changed(roster(1, 2), action, wanted)


def test_the_last_voter_stays_and_seats_are_limited() -> None:
    with pytest.raises(Refused, match="the only one that votes"):
        changed(roster(1, learners=(2,)), Action.REMOVE, seat(1))
    with pytest.raises(Refused, match="at most"):
        changed(roster(*range(1, SEATS_MAX + 1)), Action.ADD, seat(200))
