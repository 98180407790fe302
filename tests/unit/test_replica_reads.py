"""Reads at a replica: held until they are confirmed and everything before them is there; refused, malformed, overdue."""

from __future__ import annotations

import numpy as np
import pytest

from apps.kv import IntegerKV
from cdep import service_of
from proxies.encoding import CommandEncoder, widened
from proxies.layout import layout_of
from psmr.core import sessions as at
from psmr.core.batch import KIND_READ, Batch, MalformedBatch, encode, parse_whole
from psmr.core.sessions import Sessions
from psmr.errors import Refused
from psmr.replica import reads as module
from psmr.replica.reads import Read, ReadCheck, Reads

SERVICE = service_of(IntegerKV)
LAYOUT = layout_of(SERVICE)
SESSION = 65_536


def rows(command: str, *columns: object) -> bytes:
    layout = next(layout for layout in LAYOUT.commands if layout.command.name == command)
    encoded = CommandEncoder(SERVICE, layout).columns(columns)
    return widened(encoded.records, encoded.count, LAYOUT.stride)


KEYS = np.arange(3, dtype=np.uint64)


def read_batch(number: int, sequence: int = 0, session: int = SESSION, records: bytes | None = None) -> Batch:
    records = rows("get", KEYS) if records is None else records
    count = len(records) // LAYOUT.stride
    fingerprint = SERVICE.fingerprint
    return parse_whole(encode(KIND_READ, fingerprint, session, sequence, number, LAYOUT.stride, records, count, b""))


def held(number: int, sequence: int = 0, session: int = SESSION, due_us: int = 1_000) -> Read:
    return Read(b"client", read_batch(number, sequence, session), due_us)


def sessions_at(last: int) -> Sessions:
    sessions = Sessions()
    sessions.handle(at.Open(1, 0))
    for sequence in range(1, last + 1):
        assert isinstance(sessions.handle(at.Submit(SESSION, sequence, 0)), at.Execute)
    return sessions


def numbers(reads: list[Read]) -> list[int]:
    return [read.number for read in reads]


def test_one_question_serves_all_reads_that_wait() -> None:
    reads = Reads()
    for number in (1, 2):
        reads.take(held(number))
    token = reads.ask()
    reads.take(held(3))
    assert reads.wants_confirmation
    other = reads.ask()
    assert not reads.wants_confirmation
    assert reads.ready(9, sessions_at(0)) == []
    reads.confirm(other, 5)
    assert numbers(reads.ready(9, sessions_at(0))) == [3]
    reads.confirm(token, 5)
    assert numbers(reads.ready(9, sessions_at(0))) == [1, 2]
    assert reads.ready(9, sessions_at(0)) == []
    assert reads.confirmations == 2


def test_a_read_waits_for_the_index_and_for_its_sessions_batches() -> None:
    reads = Reads()
    for number, sequence in ((1, 0), (2, 1), (3, 2)):
        reads.take(held(number, sequence))
    reads.confirm(reads.ask(), 7)
    assert reads.ready(6, sessions_at(2)) == []
    assert numbers(reads.ready(7, sessions_at(1))) == [1, 2]
    assert reads.ready(8, sessions_at(1)) == []
    assert numbers(reads.ready(8, sessions_at(2))) == [3]


def test_a_read_of_a_session_that_is_gone_waits_for_nothing() -> None:
    reads = Reads()
    reads.take(held(1, sequence=3, session=SESSION + 1))
    reads.confirm(reads.ask(), 7)
    assert numbers(reads.ready(7, sessions_at(0))) == [1]


def test_a_lost_question_is_asked_again() -> None:
    reads = Reads()
    reads.take(held(1))
    reads.confirm(reads.ask(), None)
    assert reads.wants_confirmation
    assert reads.confirmations == 0
    reads.confirm(reads.ask(), 3)
    assert numbers(reads.ready(3, sessions_at(0))) == [1]


def test_with_nobody_to_ask_those_without_a_question_are_let_go() -> None:
    reads = Reads()
    reads.take(held(1))
    token = reads.ask()
    reads.take(held(2))
    assert numbers(reads.refuse_new()) == [2]
    reads.confirm(token, 3)
    assert numbers(reads.ready(3, sessions_at(0))) == [1]


def test_a_read_is_overdue_wherever_it_waits() -> None:
    reads = Reads()
    for number, due_us in ((1, 100), (2, 200), (3, 100), (4, 300), (5, 100)):
        reads.take(held(number, due_us=due_us))
        if number in (2, 4):
            token = reads.ask()
            if number == 2:
                reads.confirm(token, 50)
    assert reads.next_due_us == 100
    assert reads.overdue(99) == []
    assert sorted(numbers(reads.overdue(100))) == [1, 3, 5]
    assert reads.next_due_us == 200
    reads.confirm(token, 50)
    assert numbers(reads.ready(50, sessions_at(0))) == [2, 4]
    assert reads.next_due_us > 1 << 60


def test_more_than_may_be_held_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_BYTES_MAX", 2 * read_batch(1).size_bytes)
    reads = Reads()
    for number in (1, 2):
        reads.take(held(number))
    with pytest.raises(Refused, match="reads wait already"):
        reads.take(held(3))
    reads.confirm(reads.ask(), 1)
    reads.ready(1, sessions_at(0))
    reads.take(held(3))


def test_only_commands_that_are_declared_as_reading_are_reads() -> None:
    check = ReadCheck(SERVICE, LAYOUT.stride)
    check.check(read_batch(1))
    mixed = rows("get", KEYS) + rows("put", KEYS, KEYS) + rows("get", KEYS)
    with pytest.raises(MalformedBatch, match=r'declared with access="read".* row 3'):
        check.check(read_batch(1, records=mixed))
    with pytest.raises(MalformedBatch, match="row 0"):
        check.check(read_batch(1, records=b"\xff" * LAYOUT.stride))


def test_a_read_may_be_as_narrow_as_its_commands() -> None:
    layout = LAYOUT.command("get")
    assert layout.stride < LAYOUT.stride
    records = CommandEncoder(SERVICE, layout).columns((KEYS,)).records
    narrow = encode(KIND_READ, SERVICE.fingerprint, 0, 0, 1, layout.stride, records, len(KEYS), b"")
    ReadCheck(SERVICE, LAYOUT.stride).check(parse_whole(narrow))


def test_a_read_of_another_service_is_malformed() -> None:
    records = rows("get", KEYS)
    other = parse_whole(encode(KIND_READ, 1, 0, 0, 1, LAYOUT.stride, records, 3, b""))
    with pytest.raises(MalformedBatch, match="a batch of service"):
        ReadCheck(SERVICE, LAYOUT.stride).check(other)
    wide = parse_whole(
        encode(KIND_READ, SERVICE.fingerprint, 0, 0, 1, LAYOUT.stride + 8, bytes(LAYOUT.stride + 8), 1, b"")
    )
    with pytest.raises(MalformedBatch, match=f"records of at most {LAYOUT.stride} bytes"):
        ReadCheck(SERVICE, LAYOUT.stride).check(wide)
