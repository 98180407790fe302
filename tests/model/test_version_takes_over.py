"""At one place of the log one version ends and another begins: with its state, its sessions, and every reply that was given."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from version_services import First, Second, Third

from cdep import Service, StateMachine, service_of
from proxies.encoding import CommandEncoder, widened
from proxies.layout import layout_of
from psmr.core.batch import KIND_COMMANDS, encode, encode_open
from psmr.core.reply import BatchStatus, Reply, parse_reply
from psmr.core.service_version import ServiceVersion, encode_version
from psmr.core.sessions import Sessions
from psmr.errors import ConfigurationError, LogDamaged
from psmr.execution.capture import CaptureResult
from psmr.execution.engine import Engine
from psmr.log.port import Entry
from psmr.replica.delivery import Delivery
from psmr.replica.replay import Replay
from psmr.storage import LogStore, decode_unchecked
from psmr.storage import encode as encode_record

FIRST, SECOND, THIRD = (service_of(holder.Book) for holder in (First, Second, Third))
TAKES_OVER = encode_version(ServiceVersion(SECOND.fingerprint, FIRST.fingerprint, "Book", 2))
SESSION = 65_536


def write(service: Service, sequence: int, key: int, value: int, answered: int = 0) -> bytes:
    layout = layout_of(service)
    columns = (np.array([key], np.uint64), np.array([value], np.uint64))
    encoded = CommandEncoder(service, layout.commands[0]).columns(columns)
    records = widened(encoded.records, 1, layout.stride)
    return encode(KIND_COMMANDS, service.fingerprint, SESSION, sequence, answered, layout.stride, records, 1, b"")


def value_of(reply: Reply) -> int:
    return int(np.frombuffer(reply.records, "<u8")[1])


class Bench:
    """A delivery that is fed by hand."""

    def __init__(self, engine: Engine, sessions: Sessions, delivered: int) -> None:
        self.engine = engine
        self.delivery = Delivery(sessions, engine, delivered)

    def deliver(self, *payloads: bytes) -> list[Reply]:
        first = self.delivery.delivered + 1
        self.delivery.deliver(
            [Entry(index, 1_000 * index, memoryview(payload)) for index, payload in enumerate(payloads, first)]
        )
        replies: list[Reply] = []
        while True:
            replies += [parse_reply(answer.reply) for answer in self.delivery.collect()]
            if self.delivery.idle:
                return replies
            if self.engine.want_bell():
                assert select.select([self.engine.bell, *self.engine.sentinels], [], [], 60)[0]
                self.engine.silence_bell()


@contextmanager
def bench(owner: type[StateMachine], before: Taken | None = None) -> Iterator[Bench]:
    engine = Engine(owner, 1, compiled=False, ring_bytes=1 << 20)
    try:
        if before is not None:
            engine.restore(memoryview(before.body), before.result.digest, before.result.fields)
        engine.start()
        sessions = Sessions()
        if before is not None:
            sessions.restore(*before.sessions)
        yield Bench(engine, sessions, before.index if before is not None else 0)
    finally:
        engine.close()


class Taken:
    """What a snapshot holds."""

    def __init__(self, of: Bench) -> None:
        self.body = bytearray()
        self.sessions = of.delivery.sessions.remembered()
        self.index = of.delivery.delivered
        self.result: CaptureResult = of.engine.capture().write(lambda _, piece: self.body.extend(piece))
        of.engine.end_capture()


@pytest.fixture(scope="module")
def taken() -> Taken:
    """Six entries of the first version, the last of which says that the second takes over; more would follow."""
    with bench(First.Book) as first:
        entries = [write(FIRST, 1, 5, 50), write(FIRST, 2, 6, 60), write(FIRST, 3, 4000, 7, answered=1)]
        opened, *replies = first.deliver(encode_open(FIRST.fingerprint, 9), *entries)
        assert (opened.session, [value_of(reply) for reply in replies]) == (SESSION, [50, 60, 7])
        before = first.engine.digest()
        assert first.deliver(b"", TAKES_OVER, write(FIRST, 4, 5, 99)) == []
        assert (first.delivery.delivered, first.engine.digest()) == (6, before)
        assert first.delivery.successor is not None
        assert not first.delivery.wants_entries
        return Taken(first)


def test_the_second_version_goes_on_with_state_and_sessions_of_the_first(taken: Taken) -> None:
    with bench(Second.Book, taken) as second:
        # A batch that the first version executed gets its reply again; one that it did not is executed by nobody.
        (again,) = second.deliver(write(FIRST, 3, 4000, 7))
        assert (again.status, value_of(again)) == (BatchStatus.EXECUTED, 7)
        (refused,) = second.deliver(write(FIRST, 4, 5, 99))
        assert refused.status is BatchStatus.MALFORMED
        assert "which the cluster runs" in refused.text()
        (repeated,) = second.deliver(write(FIRST, 4, 5, 99))
        assert repeated.text() == refused.text()
        # Entries are there, totals are there, and a page behind zeros too; what the first version alone had is passed over.
        replies = second.deliver(*(write(SECOND, 5 + at, key, 1) for at, key in enumerate((5, 6, 4000, 7))))
        assert [value_of(reply) for reply in replies] == [50_051, 60_061, 7_008, 1]


def test_what_was_restored_is_the_same_as_if_it_had_been_captured_again(taken: Taken) -> None:
    with bench(Second.Book, taken) as second:
        later = Taken(second)
        with bench(Second.Book, later) as again:
            assert again.engine.digest() == second.engine.digest() == later.result.digest
            assert again.delivery.sessions.digest() == second.delivery.sessions.digest()
    assert [field.name for field in later.result.fields] == ["totals", "marks", "entries"]


def test_a_field_of_another_form_is_named(taken: Taken) -> None:
    with pytest.raises(ConfigurationError) as raised, bench(Third.Book, taken):
        pass
    assert "field 'entries' was Map(u64, u64, capacity=1000) and is Map(u64, u64, capacity=2000) now" in str(
        raised.value
    )


@pytest.mark.parametrize("place", [3, -3, 0])
def test_damage_in_what_is_passed_over_is_found_too(taken: Taken, place: int) -> None:
    damaged = bytearray(taken.body)
    damaged[place] ^= 4
    engine = Engine(Second.Book, 1, compiled=False, ring_bytes=1 << 20)
    empty = engine.digest()
    try:
        with pytest.raises(LogDamaged, match="captured state"):
            engine.restore(memoryview(damaged), taken.result.digest, taken.result.fields)
        assert engine.digest() == empty
    finally:
        engine.close()


@pytest.mark.parametrize(("content_bytes", "body_bytes"), [(-8, 8), (16, 8), (0, 1 << 40)])
def test_lengths_that_cannot_be_are_refused(taken: Taken, content_bytes: int, body_bytes: int) -> None:
    gone, *others = taken.result.fields
    wrong = type(gone)(gone.name, gone.specification, content_bytes, body_bytes)
    engine = Engine(Second.Book, 1, compiled=False, ring_bytes=1 << 20)
    try:
        with pytest.raises(LogDamaged, match="a field that is gone"):
            engine.restore(memoryview(taken.body), taken.result.digest, [wrong, *others])
    finally:
        engine.close()


def test_who_began_with_the_wrong_source_stops_at_the_version_that_shows_it() -> None:
    with bench(Third.Book) as third, pytest.raises(ConfigurationError, match="began with the wrong source"):
        third.deliver(b"", TAKES_OVER)


def test_a_replay_goes_up_to_the_version_that_it_does_not_run(tmp_path: Path) -> None:
    payloads: list[Any] = [
        encode_open(FIRST.fingerprint, 9),
        write(FIRST, 1, 5, 50),
        TAKES_OVER,
        write(SECOND, 2, 5, 1),
    ]
    with LogStore(tmp_path, False, cluster_id=1) as store:
        store.append([decode_unchecked(encode_record(at, 1, at, each)) for at, each in enumerate(payloads, 1)])
    for last in (3, 4):
        replay = Replay(First.Book, compiled=False)
        try:
            answers = []
            with LogStore(tmp_path, False, cluster_id=1) as store:
                if last == 4:
                    with pytest.raises(ConfigurationError, match=r"Book version 2 .* takes over behind entry 3"):
                        answers.extend(replay.run(store, last))
                else:
                    answers.extend(replay.run(store, last))
                    assert len(answers) == 2
        finally:
            replay.close()
