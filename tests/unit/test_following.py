"""Who follows events asks one replica after another, and gets each event once."""

from __future__ import annotations

import pytest

from cdep import Service, service_of
from psmr import Event, StateMachine, dependent, u32
from psmr.client.following import IDLE_ANSWERS, SILENCE_US, Following
from psmr.core.event_format import HEAD
from psmr.core.event_frame import FrameHead, encode_frame
from psmr.errors import ClusterUnavailable, EventsGone, InvalidCall, Refused, ServiceMismatch
from psmr.transport import client_protocol as protocol

TIMEOUT_US = 5_000_000
ADDRESSES = ["ipc://@one", "ipc://@two"]


class Ringing(StateMachine):
    """Two kinds of events."""

    rang = Event(bell=u32)
    stopped = Event()

    @dependent
    def ring(self) -> None:
        """Never called."""


SERVICE: Service = service_of(Ringing)


def following(position: int = 0, kinds: list[str] | None = None) -> Following:
    return Following(SERVICE, ADDRESSES, position, kinds, TIMEOUT_US)


def frame(position: int, bells: list[int | None], fingerprint: int = SERVICE.fingerprint) -> bytes:
    """A bell that rings for each number, and one that stops for each None."""
    events = [
        HEAD.pack(1, 8, row) if bell is None else HEAD.pack(0, 16, row) + bell.to_bytes(8, "little")
        for row, bell in enumerate(bells)
    ]
    content = b"".join(events)
    return encode_frame(FrameHead(len(bells), len(content), 7, position, 11, 12, 13, fingerprint), content)


def answer(position: int, *frames: bytes, earliest: int = 0) -> list[bytes]:
    return protocol.encode_control(protocol.EventsAre(position, earliest, 1 << 40, b"".join(frames)))


def asked(follower: Following, now_us: int) -> int:
    """The position that the follower asks from now; it says hello first."""
    hello, ask = map(protocol.decode_request, follower.outgoing(now_us))
    assert isinstance(hello, protocol.Hello)
    assert isinstance(ask, protocol.AskEvents)
    assert ask.fingerprint == SERVICE.fingerprint
    return ask.position


class Silent(StateMachine):
    """No events."""

    @dependent
    def ring(self) -> None:
        """Never called."""


def test_a_service_that_declares_no_events_is_told_how_to() -> None:
    with pytest.raises(InvalidCall, match="expected a service that declares some, found Silent without: declare one"):
        Following(service_of(Silent), ADDRESSES, 0, None, TIMEOUT_US)


def test_events_come_decoded_and_the_next_question_begins_behind_them() -> None:
    follower = following()
    assert follower.dial(0) == ADDRESSES[0]
    assert asked(follower, 0) == 0
    follower.receive(answer(0, frame(0, [5, None]), frame(2, [6])), 10)
    found = list(follower.take())
    assert [(event.position, event.row, event.name, event.fields) for event in found] == [
        (0, 0, "rang", {"bell": 5}),
        (1, 1, "stopped", {}),
        (2, 0, "rang", {"bell": 6}),
    ]
    assert (found[0].index, found[0].now_us, found[0].session, found[0].sequence) == (7, 11, 12, 13)
    assert follower.dial(10 * SILENCE_US) is None  # however long the caller took over them
    assert asked(follower, 10 * SILENCE_US) == 3


def test_one_may_begin_within_a_frame_and_want_some_kinds_only() -> None:
    follower = following(1, ["stopped"])
    follower.dial(0)
    assert asked(follower, 0) == 1
    follower.receive(answer(1, frame(0, [5, 6, None, 7])), 10)
    assert [(event.position, event.name) for event in follower.take()] == [(2, "stopped")]
    assert follower.position == 4


def test_a_silent_replica_is_left_for_the_next_at_the_same_position() -> None:
    follower = following()
    follower.dial(0)
    asked(follower, 0)
    follower.receive(answer(0, frame(0, [5])), 10)
    list(follower.take())
    asked(follower, 20)
    assert follower.dial(20 + SILENCE_US - 1) is None
    assert follower.dial(20 + SILENCE_US) == ADDRESSES[1]
    assert asked(follower, 20 + SILENCE_US) == 1
    follower.receive(answer(0, frame(0, [5])), 20 + SILENCE_US)  # late, and of the question before
    assert list(follower.take()) == []
    follower.receive(answer(1, frame(1, [6])), 20 + SILENCE_US)
    assert [event.position for event in follower.take()] == [1]


def test_a_replica_without_news_is_left_after_a_while() -> None:
    follower = following()
    now_us = 0
    assert follower.dial(now_us) == ADDRESSES[0]
    for _ in range(IDLE_ANSWERS):
        assert asked(follower, now_us) == 0
        now_us += 100_000
        follower.receive(answer(0), now_us)
        assert list(follower.take()) == []
    assert follower.dial(now_us) == ADDRESSES[1]


def test_what_is_damaged_is_asked_of_another() -> None:
    follower = following()
    follower.dial(0)
    asked(follower, 0)
    damaged = bytearray(frame(0, [5]))
    damaged[-1] ^= 1
    follower.receive(answer(0, bytes(damaged)), 10)
    assert list(follower.take()) == []
    assert follower.dial(10) == ADDRESSES[1]
    asked(follower, 10)
    follower.receive(answer(0, frame(1, [5])), 20)
    with pytest.raises(Refused, match="expected a frame with the event at position 0"):
        follower.dial(20)


def test_members_that_a_replica_names_are_asked_too() -> None:
    follower = following()
    follower.dial(0)
    asked(follower, 0)
    follower.receive(protocol.encode_welcome("c", 1, 1, [(1, "ipc://@one"), (3, "ipc://@three")]), 5)
    assert follower.dial(SILENCE_US) == ADDRESSES[1]
    asked(follower, SILENCE_US)
    assert follower.dial(2 * SILENCE_US) == "ipc://@three"


def test_gone_events_are_an_error_once_every_replica_has_said_so() -> None:
    follower = following(3)
    follower.dial(0)
    asked(follower, 0)
    follower.receive(answer(3, earliest=50), 10)
    follower.dial(10)
    asked(follower, 10)
    follower.receive(answer(3, earliest=40), 20)
    with pytest.raises(EventsGone, match="from 40 on; found 3") as gone:
        follower.dial(20)
    assert gone.value.earliest == 40


def test_no_answer_at_all_is_an_error_after_a_while() -> None:
    follower = following()
    for now_us in range(0, TIMEOUT_US, SILENCE_US):
        follower.dial(now_us)
        asked(follower, now_us)
    with pytest.raises(
        ClusterUnavailable, match="expected an answer within 5 s, found none from ipc://@one, ipc://@two"
    ):
        follower.dial(TIMEOUT_US)


def test_a_refusal_by_all_is_passed_on() -> None:
    follower = following()
    for now_us in (0, 1):
        follower.dial(now_us)
        asked(follower, now_us)
        follower.receive(protocol.encode_error("the service declares no events"), now_us + 1)
    with pytest.raises(Refused, match="declares no events"):
        follower.dial(2)


def test_another_service_or_version_is_an_error() -> None:
    follower = following()
    follower.dial(0)
    with pytest.raises(ServiceMismatch, match="another"):
        follower.receive(protocol.encode_mismatch("another"), 1)
    asked(follower, 1)
    follower.receive(answer(0, frame(0, [5], fingerprint=9)), 2)
    with pytest.raises(ServiceMismatch, match="the event at position 0 is of service 0x0000000000000009"):
        list(follower.take())


def test_a_kind_that_is_not_declared_is_refused() -> None:
    with pytest.raises(InvalidCall, match=r"Ringing, which has rang, stopped; found \['rung'\]"):
        following(kinds=["rung"])
    with pytest.raises(InvalidCall, match="expected a position from 0 on, found -1"):
        following(-1)
