"""What every `OrderedLog` promises to what stands above it. `Group` checks the rest at each step: see there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from log_groups import Group, framed, memory_group, raft_group

from psmr.core.service_version import ServiceVersion, encode_version
from psmr.errors import Refused
from psmr.log import MemoryLog

ADAPTERS = ("memory", "one member", "three members")


@pytest.fixture(params=ADAPTERS)
def group(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Group]:
    """Each adapter, just opened and not yet driven."""
    made = memory_group() if request.param == "memory" else raft_group(1 + 2 * (request.param[0] == "t"), tmp_path)
    made.open()
    yield made
    made.close()


def test_a_new_log_has_nothing_committed(group: Group) -> None:
    for log in group.logs.values():
        assert log.committed == 0
        assert list(log.read(1, 1 << 20)) == []
        assert log.status().committed == 0


@pytest.mark.parametrize("size_bytes", [1, 7, 8, 9, 4096, 300_000, 5_000_001])
def test_a_payload_is_given_back_unaltered(group: Group, size_bytes: int) -> None:
    payload = random.Random(size_bytes).randbytes(size_bytes)
    group.append(payload)
    group.drive_until(
        lambda: any(seen.payload == payload for seen in group.history), "the payload, as it was handed in"
    )
    group.drive_until(group.level, "every member to have it")


def test_an_empty_payload_disturbs_nothing(group: Group) -> None:
    group.append(b"")
    group.order([framed(1, b"after")])
    group.append(b"")
    group.order([framed(2, b"after")])
    assert set(group.frames()) == {framed(1, b"after"), framed(2, b"after")}


def test_payloads_handed_in_together_stay_whole(group: Group) -> None:
    source = random.Random(7)
    payloads = [framed(number, source.randbytes(source.randrange(20_000))) for number in range(200)]
    group.order(payloads)
    assert set(group.frames()) == set(payloads)


def test_members_read_the_same_in_the_same_order(group: Group) -> None:
    for turn in range(10):
        for member in group.logs:
            group.order([framed(turn * 100 + member, b"from each member in turn")], at=member)
    assert {len(log.read(1, 1 << 30)) for log in group.logs.values()} == {len(group.history)}


def test_reading_gives_at_least_one_entry_and_about_what_was_asked_for(group: Group) -> None:
    for number in range(8):
        group.order([framed(number, bytes(100_000))])
    for log in group.logs.values():
        last = log.committed
        assert len(log.read(last, 1)) == 1
        assert list(log.read(last + 1, 1 << 20)) == []
        for first in range(1, last + 1):
            (entry,) = log.read(first, 1)
            assert entry.index == first
            some = log.read(first, 250_000)
            assert [entry.index for entry in some] == list(range(first, first + len(some)))
            assert len(some) == 1 or sum(len(entry.payload) for entry in some) <= 250_000
            assert first + len(some) > last or sum(len(entry.payload) for entry in some) > 50_000


def test_entries_stay_as_they_were_read(group: Group) -> None:
    group.order([framed(1, b"kept")])
    held = [(log, log.read(1, 1 << 20)) for log in group.logs.values()]
    copies = [[bytes(entry.payload) for entry in entries] for _, entries in held]
    group.order([framed(number, bytes(200_000)) for number in range(2, 12)])
    assert [[bytes(entry.payload) for entry in entries] for _, entries in held] == copies


def test_the_status_tells_where_the_log_stands(group: Group) -> None:
    group.order([framed(1)])
    for log in group.logs.values():
        status = log.status()
        assert status.committed == log.committed
        assert status.last_index >= status.committed > 0
        assert status.role
        assert status.malformed == 0


def confirmed(group: Group, member: int, token: int) -> int:
    """The index that a member gives for a question, asked again while it is refused or lost."""
    log = group.logs[member]
    found: list[int] = []
    asked = False

    def answered() -> bool:
        nonlocal asked
        for returned, index in log.take_confirmed():
            assert returned == token, "answers come with the token of their question"
            asked = False
            found.extend([] if index is None else [index])
        if not asked and not found:
            with suppress(Refused):
                log.confirm(token)
                asked = True
        return bool(found)

    group.drive_until(answered, f"member {member} to be told how far the log is committed")
    (index,) = found
    return index


def test_what_is_confirmed_covers_all_that_was_committed_anywhere(group: Group) -> None:
    for number in range(12):
        group.order([framed(number)])
        for member in group.logs:
            before = max(log.committed for log in group.logs.values())
            assert confirmed(group, member, 100 * number + member) >= before


def test_confirming_adds_nothing_to_the_log(group: Group) -> None:
    group.order([framed(1)])
    ends = {log.status().last_index for log in group.logs.values()}
    for member in group.logs:
        for token in range(10):
            assert confirmed(group, member, token) <= max(ends)
    assert {log.status().last_index for log in group.logs.values()} == ends


def test_an_answer_is_given_once(group: Group) -> None:
    group.order([framed(1)])
    for member, log in group.logs.items():
        confirmed(group, member, 5)
        assert log.take_confirmed() == []


def test_a_version_is_an_entry_of_its_own_that_a_leader_orders(group: Group) -> None:
    group.append(framed(1))
    version = ServiceVersion(2, 1, "Book", 7)
    leader = next(iter(group.logs)) if isinstance(group.logs[1], MemoryLog) else group.wait_leader()
    for member, log in group.logs.items():
        if member != leader:
            with pytest.raises(Refused, match="only the leader"):
                log.take_over(version)
    group.logs[leader].append(framed(2))
    group.logs[leader].take_over(version)
    group.order([framed(3)])
    payloads = [seen.payload for seen in group.history]
    assert payloads.count(encode_version(version)) == 1
    index = payloads.index(encode_version(version)) + 1
    for log in group.logs.values():
        assert log.status().newest_version == index
