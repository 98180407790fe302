"""Sessions as bytes: what they decide afterwards is what they would have decided."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmr.core.sessions import Executed, Open, Sessions, Submit
from psmr.core.sessions_record import decode_sessions, encode_sessions
from psmr.errors import LogDamaged, Violation


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40), st.randoms(use_true_random=False))
def test_restored_sessions_are_equal_and_go_on_alike(steps: list[tuple[int, int]], random: object) -> None:
    sessions = Sessions(capacity=3)
    ids: list[int] = []
    for index, (which, answered) in enumerate(steps, 1):
        if which == 0 or not ids:
            opened = sessions.handle(Open(index, 0))
            ids.append(opened.session)  # type: ignore[union-attr]
            continue
        session = ids[-min(which, len(ids))]
        sequence = (sessions.last(session) or 0) + 1
        sessions.handle(Submit(session, sequence, max(0, sequence - 1 - answered)))
        sessions.handle(Executed(session, sequence, b"reply %d" % index))
    restored = Sessions(capacity=3)
    copy = decode_sessions(encode_sessions(*sessions.remembered()))
    restored.restore(*copy.remembered())
    assert restored.digest() == sessions.digest() == copy.digest()
    for session in ids:
        submit = Submit(session, (sessions.last(session) or 0) + 1, 0)
        assert restored.handle(submit) == sessions.handle(submit)
    assert restored.handle(Open(1_000, 1)) == sessions.handle(Open(1_000, 1))


def test_what_is_executing_cannot_be_remembered() -> None:
    sessions = Sessions()
    sessions.handle(Open(1, 0))
    sessions.handle(Submit(65_536, 1, 0))
    with pytest.raises(Violation, match="executing"):
        sessions.remembered()


@pytest.mark.parametrize("data", [b"", b"\xc0", b"\x92\x01\x91\x94\x05\x02\x00\x90", encode_sessions(1, [])[:-1]])
def test_what_is_no_sessions_is_damage(data: bytes) -> None:
    with pytest.raises(LogDamaged):
        decode_sessions(data)
