"""What the log by Raft promises beyond the port: members that go and come back, disks, refusals, bytes from outside."""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from log_groups import CLUSTER_ID, Group, framed, raft_group

from psmr.core.raft import AppendEntries, Message
from psmr.errors import InvalidCall, Refused
from psmr.log import raft_log
from psmr.storage import encode
from psmr.transport.outgoing import Outgoing
from psmr.transport.peers import ConfirmAnswered, PeerLinks


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Group]:
    """Three members."""
    yield from _open(raft_group(3, tmp_path))


@pytest.fixture
def single(tmp_path: Path) -> Iterator[Group]:
    """A group of one."""
    yield from _open(raft_group(1, tmp_path))


def _open(group: Group) -> Iterator[Group]:
    group.open()
    yield group
    group.close()


# Who leads


def test_without_a_leader_appending_is_refused(trio: Group) -> None:
    trio.close(2, 3)
    for log in trio.logs.values():
        with pytest.raises(Refused, match="no leader is known: a majority of replicas must be running"):
            log.append(b"nobody orders this")


def test_a_follower_forwards_to_the_leader(trio: Group) -> None:
    leader = trio.wait_leader()
    followers = [member for member in trio.ids if member != leader]
    payloads = [framed(number, bytes(number)) for number in range(40)]
    for number, follower in enumerate(followers):
        trio.order(payloads[20 * number : 20 * number + 20], at=follower)
    assert set(trio.frames()) == set(payloads)


def test_a_majority_is_enough(trio: Group) -> None:
    trio.close(3)
    trio.order([framed(1)])
    trio.open(3)
    trio.drive_until(trio.level, "the third to catch up")


def test_an_append_at_a_leader_that_lost_its_followers_is_not_committed(trio: Group) -> None:
    leader = trio.wait_leader()
    trio.order([framed(1)])
    before = trio.logs[leader].committed
    trio.close(*(member for member in trio.ids if member != leader))
    with suppress(Refused):
        trio.logs[leader].append(framed(2))
    trio.drive_until(lambda: trio.logs[leader].status().leader is None, "the leader to step down")
    assert trio.logs[leader].committed == before
    with pytest.raises(Refused):
        trio.logs[leader].append(framed(3))


def test_a_new_leader_keeps_what_was_committed(trio: Group) -> None:
    payloads = [framed(number, b"before") for number in range(30)]
    trio.order(payloads)
    leader = trio.wait_leader()
    term = trio.logs[leader].status().term
    trio.close(leader)
    trio.drive_until(lambda: trio.leader() is not None, "another leader")
    successor = trio.wait_leader()
    assert trio.logs[successor].status().term > term
    trio.order([framed(100, b"after")])
    trio.open(leader)
    trio.drive_until(trio.level, "the first leader to catch up")
    assert set(trio.frames()) == {*payloads, framed(100, b"after")}


def test_a_tail_that_was_never_committed_gives_way(trio: Group) -> None:
    leader = trio.wait_leader()
    trio.order([framed(1)])
    others = [member for member in trio.ids if member != leader]
    trio.close(*others)
    # On a slow machine it may have noticed before it takes them: then they are refused or dropped, and there is no tail.
    for number in range(2, 6):
        with suppress(Refused):
            trio.logs[leader].append(framed(number, b"too late"))
        trio.logs[leader].step(trio.clock_us())
    trio.close(leader)
    trio.open(*others)
    trio.order([framed(10, b"instead")])
    trio.open(leader)
    trio.drive_until(trio.level, "the first leader to give up its tail")
    trio.order([framed(11, b"and on")])
    assert set(trio.frames()) == {framed(1), framed(10, b"instead"), framed(11, b"and on")}


# Disks


def test_all_members_restarted_give_the_same_entries(trio: Group) -> None:
    payloads = [framed(number, bytes(number * 100)) for number in range(30)]
    trio.order(payloads)
    known = len(trio.history)
    for turn in range(3):
        trio.close()
        trio.open()
        assert all(log.committed <= known + turn for log in trio.logs.values())
        trio.drive_until(lambda least=known + turn: len(trio.history) > least, "a term of its own")
        trio.drive_until(trio.level, "every member to give again what it gave before")
    trio.order([framed(100)])
    assert set(trio.frames()) == {*payloads, framed(100)}


def test_what_the_disk_remembers_as_committed_is_delivered_before_anybody_leads(single: Group) -> None:
    single.order([framed(number) for number in range(30)])
    known = len(single.history)
    single.close()
    single.open()
    (log,) = single.logs.values()
    assert (log.status().leader, log.committed) == (None, known)
    assert [entry.index for entry in log.read(1, 1 << 20)] == list(range(1, known + 1))


def test_a_member_with_a_peers_log_of_later_terms_takes_part_again(trio: Group, tmp_path: Path) -> None:
    """What the error about a damaged log advises: its own term is behind that log."""
    trio.order([framed(0)])
    trio.close()
    kept = (tmp_path / "1" / "hard-state").read_bytes()
    for number in (1, 2):
        trio.open()
        trio.order([framed(number)])
        trio.close()
    for path in (tmp_path / "1").iterdir():
        path.unlink()
    (tmp_path / "1" / "hard-state").write_bytes(kept)
    for path in (tmp_path / "2").glob("log-[0-9]*.seg"):
        (tmp_path / "1" / path.name).write_bytes(path.read_bytes())
    trio.open()
    trio.order([framed(3)])
    assert list(trio.frames()) == [framed(number) for number in range(4)]


def test_one_member_restarted_gives_the_same_entries(single: Group) -> None:
    single.order([framed(number, b"one" * number) for number in range(20)])
    single.close()
    single.open()
    single.order([framed(100)])
    assert set(single.frames()) == {framed(100), *(framed(number, b"one" * number) for number in range(20))}


def test_a_member_far_behind_catches_up(trio: Group) -> None:
    trio.close(3)
    trio.order([framed(number, bytes(30_000)) for number in range(400)])
    trio.order([framed(1000 + number, bytes(10)) for number in range(5)])
    trio.open(3)
    trio.drive_until(trio.level, "the third to catch up")


def test_what_is_on_its_way_to_a_member_that_hangs_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raft_log, "IN_FLIGHT_BYTES_MAX", 1_000_000)
    sent_bytes: dict[int, int] = dict.fromkeys((1, 2, 3), 0)
    send = PeerLinks.send

    def counting(links: PeerLinks, peer: int, message: Message | None, payloads: Sequence[bytes] = ()) -> bool:
        sent_bytes[peer] += sum(map(len, payloads))
        return send(links, peer, message, payloads)

    monkeypatch.setattr(PeerLinks, "send", counting)
    for trio in _open(raft_group(3, tmp_path)):
        leader = trio.wait_leader()
        hanging = next(member for member in trio.ids if member != leader)
        payloads = [framed(number, bytes(300_000)) for number in range(20)] + [framed(20, bytes(2_000_000))]
        with trio.paused(hanging):
            for payload in payloads:
                trio.order([payload], at=leader)
            assert sent_bytes[hanging] <= 1_000_000
        trio.drive_until(trio.level, "the member that hung to catch up")
        trio.order([framed(21)])


# Refusals


def test_more_than_may_wait_is_refused_until_it_is_committed(trio: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raft_log, "UNCOMMITTED_BYTES_MAX", 1 << 20)
    log = trio.logs[trio.wait_leader()]
    payloads = [framed(number, bytes(100_000)) for number in range(11)]
    for payload in payloads:
        log.append(payload)
    with pytest.raises(Refused, match="bytes wait to be committed; try again"):
        log.append(framed(11))
    trio.order([*payloads, framed(11)])


def test_a_leader_drops_what_is_forwarded_when_it_would_refuse_it(trio: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = trio.wait_leader()
    with stranger(trio, leader) as links, monkeypatch.context() as limits:
        limits.setattr(raft_log, "UNCOMMITTED_BYTES_MAX", -1)
        trio.drive_until(lambda: links.send(leader, None, [framed(1)]), "the stranger to be connected")
        links.send(leader, AppendEntries(1, 1, 0, 0, (1,), 0), [])
        trio.drive_until(lambda: trio.logs[leader].status().malformed == 1, "what was sent after it to be counted")
    trio.order([framed(2)])
    assert set(trio.frames()) == {framed(2)}


def test_what_no_entry_can_hold_is_the_callers_fault(single: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raft_log, "MAX_PAYLOAD_BYTES", 1000)
    single.wait_leader()
    with pytest.raises(InvalidCall, match="a payload of at most 1000 bytes, found 1001"):
        single.logs[1].append(bytes(1001))
    single.append(bytes(1000))


# Reading


def test_without_a_leader_nothing_is_confirmed(trio: Group) -> None:
    with pytest.raises(Refused, match="no leader is known"):
        trio.logs[1].confirm(1)


def test_a_question_that_gets_lost_is_given_back(trio: Group) -> None:
    leader = trio.wait_leader()
    follower = trio.logs[next(member for member in trio.ids if member != leader)]
    follower.confirm(7)
    trio.close(leader)
    answers: list[tuple[int, int | None]] = []

    def answered() -> bool:
        answers.extend(follower.take_confirmed())
        return bool(answers)

    trio.drive_until(answered, "the question to end")
    assert answers == [(7, None)]


def test_an_answer_to_no_question_of_this_start_is_dropped(trio: Group) -> None:
    leader = trio.wait_leader()
    with stranger(trio, leader) as links:
        trio.drive_until(lambda: links.send(leader, ConfirmAnswered(1, 99), []), "the stranger to be connected")
        links.send(leader, AppendEntries(1, 1, 0, 0, (1,), 0), [])
        trio.drive_until(lambda: trio.logs[leader].status().malformed == 1, "what was sent after it to be counted")
    assert trio.logs[leader].take_confirmed() == []


# Bytes from outside


@contextmanager
def stranger(group: Group, leader: int) -> Iterator[PeerLinks]:
    """Links that speak to the leader as one of its followers does."""
    follower = next(member for member in group.ids if member != leader)
    address = group.addresses[leader]
    with closing(PeerLinks(follower, CLUSTER_ID, {leader: address, follower: f"{address}-stranger"})) as links:
        yield links


def nonsense() -> dict[str, list[bytes]]:
    """Messages that no member sends."""
    encode_head = msgspec.msgpack.encode
    append = AppendEntries(term=9, round=1, prev_index=0, prev_term=0, entry_terms=(9,), commit=1)
    good = encode(1, 9, 1, b"a record")
    damaged = good[:-1] + b"x"
    head = encode_head([CLUSTER_ID, 2, append])
    return {
        "nothing": [b""],
        "text": [b"GET / HTTP/1.1\r\n"],
        "other types": [encode_head({"cluster": "?"})],
        "a message of no kind": [encode_head([CLUSTER_ID, 2, [99, 1, 2]])],
        "a message with too few fields": [encode_head([CLUSTER_ID, 2, [5, 1]])],
        "nested deeper than the stack": [
            encode_head([CLUSTER_ID, 2, None])[:-1] + b"\xc0" + b"\x91" * 100_000 + b"\xc0"
        ],
        "too many fields, nested deeper than the stack": [
            b"\x94" + encode_head(CLUSTER_ID) + b"\x02\xc0" + b"\x91" * 1_000_000 + b"\xc0"
        ],
        "another cluster": [encode_head([CLUSTER_ID + 1, 2, None]), framed(66)],
        "no member": [encode_head([CLUSTER_ID, 77, None]), framed(66)],
        "the receiver itself": [encode_head([CLUSTER_ID, 1, None]), framed(66)],
        "a damaged record": [head, damaged],
        "a cut record": [head, good[:-8]],
        "another record than announced": [head, encode(2, 9, 1, b"a record")],
        "a record of another term": [head, encode(1, 8, 1, b"a record")],
        "fewer records than announced": [head],
        "more records than announced": [head, good, encode(2, 9, 1, b"a record")],
    }


def test_what_no_member_sends_is_counted_and_changes_nothing(trio: Group) -> None:
    trio.order([framed(1)])
    with select.epoll() as epoll, ExitStack() as stack:
        outgoing = Outgoing(trio.addresses[1], epoll)
        stack.callback(outgoing.hang_up)

        def is_counted(least: int) -> bool:
            for _, events in epoll.poll(0):
                outgoing.react(events)
            return trio.logs[1].status().malformed >= least

        for counted, (what, frames) in enumerate(nonsense().items(), start=1):
            assert outgoing.send(frames)
            trio.drive_until(lambda least=counted: is_counted(least), f"{what} to be counted")
            assert trio.logs[1].status().malformed == counted, what
    trio.order([framed(2)])
    assert set(trio.frames()) == {framed(1), framed(2)}


def test_a_forwarded_payload_that_no_entry_can_hold_is_dropped(trio: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raft_log, "MAX_PAYLOAD_BYTES", 1000)
    leader = trio.wait_leader()
    with stranger(trio, leader) as links:
        trio.drive_until(lambda: links.send(leader, None, [bytes(1001)]), "the stranger to be connected")
        trio.drive_until(lambda: trio.logs[leader].status().malformed == 1, "the payload to be counted")
    trio.order([framed(1)])
    assert set(trio.frames()) == {framed(1)}
