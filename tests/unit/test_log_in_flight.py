"""A leader's account of the bytes on their way to its followers."""

from __future__ import annotations

from psmr.log.in_flight import InFlight


def test_room_shrinks_with_what_is_sent_and_grows_with_what_is_durable() -> None:
    flights = InFlight(100)
    flights.send(2, at_round=1, last_index=5, size_bytes=30)
    flights.send(2, at_round=1, last_index=9, size_bytes=50)
    assert (flights.room_bytes(2), flights.room_bytes(3)) == (20, 100)
    flights.answered(2, 1, durable_index=5)
    assert flights.room_bytes(2) == 50
    flights.answered(2, 1, durable_index=9)
    assert flights.room_bytes(2) == 100


def test_an_answer_to_a_later_round_tells_that_what_was_sent_before_is_no_longer_under_way() -> None:
    flights = InFlight(100)
    flights.send(2, at_round=1, last_index=5, size_bytes=30)
    flights.send(2, at_round=2, last_index=9, size_bytes=30)
    flights.answered(2, 2, durable_index=0)
    assert flights.room_bytes(2) == 70
    flights.answered(2, 3, durable_index=0)
    assert flights.room_bytes(2) == 100


def test_there_is_never_less_than_no_room() -> None:
    flights = InFlight(100)
    flights.send(2, at_round=1, last_index=5, size_bytes=300)
    assert flights.room_bytes(2) == 0


def test_what_did_not_fit_waits_until_everything_has_arrived() -> None:
    flights = InFlight(100)
    flights.send(2, at_round=1, last_index=5, size_bytes=30)
    flights.send(2, at_round=1, last_index=9, size_bytes=30)
    flights.hold(2)
    flights.answered(2, 1, durable_index=5)
    assert flights.room_bytes(2) == 0
    flights.answered(2, 1, durable_index=9)
    assert flights.room_bytes(2) == 100


def test_a_new_term_begins_with_nothing_under_way() -> None:
    flights = InFlight(100)
    flights.send(2, at_round=1, last_index=5, size_bytes=30)
    flights.hold(2)
    flights.clear()
    assert flights.room_bytes(2) == 100
    flights.answered(2, 1, durable_index=5)
    assert flights.room_bytes(2) == 100
