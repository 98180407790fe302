"""The conversation without sockets: whom it dials when, in virtual time."""

from __future__ import annotations

import pytest
from conversation_support import said

from psmr.client.conversation import Conversation, Phase
from psmr.client.failures import Failure
from psmr.client.settings import ClientSettings, ServiceIdentity, endpoint
from psmr.core.reply import SEQUENCE_CONSUMED, BatchStatus, Reply, encode_reply
from psmr.core.submission_events import FailureKind, Parts
from psmr.errors import ConfigurationError, InvalidCall, ServiceMismatch
from psmr.transport import client_protocol as protocol

MEMBERS = [(0, "a:1"), (1, "b:1"), (2, "c:1")]
SECOND_US = 1_000_000


class Wire:
    """Writes down what it is asked to do."""

    def __init__(self) -> None:
        self.dialled: list[str] = []
        self.said: list[str] = []

    def dial(self, address: str) -> None:
        self.dialled.append(address.removeprefix("tcp://"))

    def transmit(self, frames: list[bytes]) -> None:
        self.said.append(said(frames))


class Outcome:
    """A ticket that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Reply | Failure] = []

    def resolve(self, reply: Reply) -> None:
        self.told.append(reply)

    def fail(self, failure: Failure) -> None:
        self.told.append(failure)


class Talk:
    """A conversation, its wire, and the time."""

    def __init__(self, *addresses: str, prefer_leader: bool = True) -> None:
        settings = ClientSettings(
            retry_us=100, retry_us_max=400, pause_us=10, timeout_us=10_000, prefer_leader=prefer_leader
        )
        self.wire = Wire()
        self.now_us = 0
        service = ServiceIdentity("Echo", 5, 8)
        self.conversation = Conversation(self.wire, service, addresses, settings, lambda: 7)
        self.conversation.start(0)

    def hear(self, frames: list[bytes]) -> None:
        self.conversation.receive(frames, self.now_us)

    def welcome(self, replica: int, leader: int | None) -> None:
        self.hear(protocol.encode_welcome("bank", replica, leader, MEMBERS))

    def wait(self, us: int) -> None:
        self.now_us += us
        self.conversation.pass_time(self.now_us)

    def submit(self, outcome: Outcome, deadline_us: int = SECOND_US) -> None:
        self.conversation.submit(outcome, Parts(bytes(8), 1, b""), deadline_us, self.now_us)

    def open_session(self) -> None:
        self.hear(protocol.encode_reply_message(encode_reply(65_536, 7, BatchStatus.OPENED)))


def test_it_goes_to_the_leader_it_is_told_of() -> None:
    talk = Talk("a:1")
    assert (talk.wire.dialled, talk.wire.said) == (["a:1"], ["hello"])
    talk.welcome(0, leader=2)
    assert talk.wire.dialled == ["a:1", "c:1"]
    assert talk.conversation.phase is Phase.DIALING
    talk.welcome(2, leader=2)
    assert talk.conversation.phase is Phase.READY


def test_two_replicas_that_name_each_other_do_not_send_it_round_in_circles() -> None:
    talk = Talk("a:1")
    talk.welcome(0, leader=1)
    talk.welcome(1, leader=0)
    assert talk.wire.dialled == ["a:1", "b:1"]
    assert talk.conversation.phase is Phase.READY


@pytest.mark.parametrize("leader", [None, 9])
def test_it_stays_where_no_leader_is_known(leader: int | None) -> None:
    talk = Talk("a:1")
    talk.welcome(0, leader)
    assert talk.conversation.phase is Phase.READY


def test_it_stays_where_it_is_if_it_shall() -> None:
    talk = Talk("b:1", prefer_leader=False)
    talk.welcome(1, leader=0)
    assert talk.conversation.phase is Phase.READY


def test_a_leader_that_does_not_answer_is_passed_over() -> None:
    talk = Talk("a:1")
    talk.welcome(0, leader=1)
    talk.wait(100)
    assert talk.wire.dialled == ["a:1", "b:1", "c:1"]
    talk.welcome(2, leader=1)
    assert talk.conversation.phase is Phase.READY


def test_it_follows_a_leader_that_moves_and_takes_its_batches_along() -> None:
    talk = Talk("a:1")
    talk.welcome(0, leader=0)
    talk.submit(Outcome())
    talk.open_session()
    assert talk.wire.said == ["hello", "open", "batch 1"]
    talk.welcome(0, leader=1)
    talk.welcome(1, leader=1)
    assert talk.wire.dialled == ["a:1", "b:1"]
    assert talk.wire.said[3:] == ["hello", "batch 1"]


def test_it_tries_every_address_then_rests() -> None:
    talk = Talk("a:1", "b:1")
    talk.wait(100)
    assert talk.wire.dialled == ["a:1", "b:1"]
    talk.wait(100)
    assert talk.conversation.phase is Phase.RESTING
    assert talk.conversation.next_timer_us == 200 + 20_000
    talk.wait(20_000)
    assert talk.wire.dialled == ["a:1", "b:1", "a:1"]
    assert talk.conversation.account() == "tried tcp://a:1: no answer in 0.1 ms; tcp://b:1: no answer in 0.1 ms"
    assert talk.conversation.unreachable(2_000_000) == (
        "expected a replica to take the client in within 2 s; tried tcp://a:1: no answer in 0.1 ms; "
        "tcp://b:1: no answer in 0.1 ms: start the cluster, or correct the address"
    )


@pytest.mark.parametrize(
    ("frames", "answer"),
    [
        ([b"?"], "no message of this protocol"),
        (protocol.encode_error("go away"), "error (go away)"),
        (protocol.encode_mismatch("expected 1, found 5"), "another service (expected 1, found 5)"),
    ],
)
def test_a_stranger_is_left_at_once(frames: list[bytes], answer: str) -> None:
    talk = Talk("a:1", "b:1")
    talk.hear(frames)
    assert talk.wire.dialled == ["a:1", "b:1"]
    assert f"tcp://a:1: {answer}" in talk.conversation.account()


def test_a_mismatch_is_remembered_for_the_caller() -> None:
    talk = Talk("a:1")
    talk.hear(protocol.encode_mismatch("expected 1, found 5"))
    assert talk.conversation.mismatch == "tcp://a:1: expected 1, found 5"


def test_nonsense_from_the_replica_that_serves_is_passed_over() -> None:
    talk = Talk("a:1")
    talk.welcome(0, leader=0)
    for frames in ([b"?"], protocol.encode_error("what?"), protocol.encode_status({}), [b"", b"", b""]):
        talk.hear(frames)
    assert talk.conversation.phase is Phase.READY
    assert talk.wire.dialled == ["a:1"]


def test_silence_under_load_rotates_over_the_members() -> None:
    talk = Talk("a:1", prefer_leader=False)
    talk.welcome(0, leader=0)
    talk.wait(500)
    assert talk.wire.dialled == ["a:1"]  # nothing asked, nothing missed
    talk.submit(Outcome())
    talk.wait(100)
    assert talk.wire.dialled == ["a:1", "b:1"]
    assert "tcp://a:1: no progress for 0.1 ms" in talk.conversation.account()


def test_what_was_sent_to_nobody_fails_with_an_account_of_who_was_tried() -> None:
    talk = Talk("a:1")
    outcome = Outcome()
    talk.submit(outcome, deadline_us=150)
    talk.wait(100)
    talk.wait(50)
    (failure,) = outcome.told
    assert isinstance(failure, Failure)
    assert failure.kind is FailureKind.UNAVAILABLE
    assert "tried tcp://a:1: no answer in 0.1 ms" in str(failure.error())


def test_a_failure_says_why_the_replica_refused() -> None:
    talk, outcome = Talk("a:1"), Outcome()
    talk.welcome(0, leader=None)
    talk.submit(outcome, deadline_us=50)
    talk.hear(protocol.encode_reply_message(encode_reply(7, 0, BatchStatus.REFUSED, blob=b"no leader")))
    talk.wait(60)
    (failure,) = outcome.told
    assert isinstance(failure, Failure)
    assert failure.text.endswith("; tried tcp://a:1: refused (no leader)")


def test_a_refusal_is_forgotten_once_the_replica_takes_something() -> None:
    talk, outcome = Talk("a:1"), Outcome()
    talk.welcome(0, leader=0)
    talk.submit(outcome, deadline_us=50)
    talk.hear(protocol.encode_reply_message(encode_reply(7, 0, BatchStatus.REFUSED, blob=b"no leader")))
    talk.open_session()
    assert talk.conversation.account() == "tried tcp://a:1: welcome"


def test_a_batch_larger_than_the_replica_takes_is_the_callers_fault() -> None:
    talk = Talk("a:1")
    talk.hear(protocol.encode_welcome("bank", 0, 0, MEMBERS, batch_bytes_max=128))
    with pytest.raises(InvalidCall, match="at most 128 bytes, found 144"):
        talk.conversation.submit(Outcome(), Parts(bytes(80), 10, b""), SECOND_US, 0)


def test_after_the_end_nothing_happens() -> None:
    talk = Talk("a:1")
    talk.welcome(0, leader=0)
    talk.conversation.close()
    outcome = Outcome()
    talk.submit(outcome)
    talk.welcome(0, leader=1)
    talk.wait(SECOND_US)
    assert isinstance(outcome.told[0], Failure)
    assert talk.wire.dialled == ["a:1"]
    assert talk.conversation.next_timer_us is None


@pytest.mark.parametrize(
    ("address", "found"), [("h:1", "tcp://h:1"), ("[::1]:7", "tcp://[::1]:7"), ("ipc://@x", "ipc://@x")]
)
def test_addresses_become_endpoints(address: str, found: str) -> None:
    assert endpoint(address) == found


@pytest.mark.parametrize("address", ["host", ":1", "host:", "host:x", ""])
def test_what_is_no_address_is_named(address: str) -> None:
    with pytest.raises(ConfigurationError, match="host:port"):
        endpoint(address)


def test_no_address_at_all_is_named() -> None:
    with pytest.raises(ConfigurationError, match="at least one"):
        Talk()


def test_when_another_version_runs_what_is_under_way_is_sent_once_more_for_its_reply() -> None:
    talk = Talk("a:1", "b:1", prefer_leader=False)
    talk.welcome(0, leader=0)
    outcomes = [Outcome(), Outcome(), Outcome()]
    for outcome in outcomes[:2]:
        talk.submit(outcome)
    talk.open_session()
    talk.wait(200)  # silence: on to the others
    for _ in range(len(MEMBERS) - 1):
        assert talk.wire.said[-1] == "hello"
        talk.hear(protocol.encode_mismatch("version 2 runs"))
    assert talk.wire.said[-2:] == ["batch 1", "batch 2"]
    talk.submit(outcomes[2])
    talk.hear(protocol.encode_reply_message(encode_reply(65_536, 1, BatchStatus.EXECUTED)))
    talk.hear(
        protocol.encode_reply_message(
            encode_reply(65_536, 2, BatchStatus.MALFORMED, blob=b"another service", detail=SEQUENCE_CONSUMED)
        )
    )
    executed, not_executed, not_sent = (outcome.told[0] for outcome in outcomes)
    assert isinstance(executed, Reply)
    for told, text in ((not_executed, "not executed: another service"), (not_sent, "version 2 runs")):
        assert isinstance(told, Failure)
        assert isinstance(told.error(), ServiceMismatch)
        assert text in told.text
    assert [len(outcome.told) for outcome in outcomes] == [1, 1, 1]


def test_a_replica_of_another_version_among_others_is_passed_by() -> None:
    talk = Talk("a:1", "b:1", prefer_leader=False)
    talk.welcome(0, leader=0)
    outcome = Outcome()
    talk.submit(outcome)
    talk.open_session()
    talk.wait(200)
    talk.hear(protocol.encode_mismatch("version 2 runs"))
    assert (talk.conversation.phase, talk.wire.said[-1]) == (Phase.DIALING, "hello")
    talk.welcome(1, leader=1)
    assert talk.wire.said[-1] == "batch 1"
    talk.submit(Outcome())
    assert talk.wire.said[-1] == "batch 2"
