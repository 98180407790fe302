"""A client that waits in vain: it asks before it leaves, and what it is told decides, in virtual time."""

from __future__ import annotations

from itertools import pairwise

from conversation_support import said

from psmr.client.conversation import Conversation, Phase
from psmr.client.failures import Failure
from psmr.client.settings import ClientSettings, ServiceIdentity
from psmr.core.reply import BatchStatus, Reply, encode_reply
from psmr.core.submission_events import Parts
from psmr.transport import client_protocol as protocol

MEMBERS = [(0, "tcp://a:7201"), (1, "tcp://b:7201"), (2, "tcp://c:7201")]
SESSION = 65_536
ASK_US, WELCOME_US, RETRY_US = 50, 100, 10_000
DEADLINE_US = 1 << 40
SETTINGS = ClientSettings(
    ask_us=ASK_US, welcome_us=WELCOME_US, retry_us=RETRY_US, retry_us_max=RETRY_US, pause_us=RETRY_US
)


class Ticket:
    """Asks for nothing."""

    def resolve(self, reply: Reply) -> None:
        """It was executed."""

    def fail(self, failure: Failure) -> None:
        """It was not."""


class Talk:
    """A conversation that replica 0, the leader, serves, and all that it does: `said`, oldest first."""

    def __init__(self, *, prefer_leader: bool = True, at: int = 0) -> None:
        self.said: list[str] = []
        self.now_us = 0
        settings = SETTINGS if prefer_leader else ClientSettings(**{**vars_of(SETTINGS), "prefer_leader": False})
        service = ServiceIdentity("Echo", 5, 8)
        self.conversation = Conversation(self, service, [MEMBERS[at][1]], settings, lambda: 7)
        self.conversation.start(0)
        self.welcome(at, 0)
        self.submit()
        self.answer(encode_reply(SESSION, 7, BatchStatus.OPENED))
        self.said.clear()

    def dial(self, address: str) -> None:
        """Part of `Wire`."""
        self.said.append(address.removeprefix("tcp://").removesuffix(":7201"))

    def transmit(self, frames: list[bytes]) -> None:
        """Part of `Wire`."""
        self.said.append(said(frames))

    def submit(self) -> None:
        """One batch more."""
        self.conversation.submit(Ticket(), Parts(bytes(8), 1, b""), DEADLINE_US, self.now_us)

    def welcome(self, replica: int, leader: int | None) -> None:
        """The replica that was dialled last answers a hello."""
        self.conversation.receive(protocol.encode_welcome("bank", replica, leader, MEMBERS), self.now_us)

    def answer(self, reply: bytes) -> None:
        """The replica that was dialled last answers a batch."""
        self.conversation.receive(protocol.encode_reply_message(reply), self.now_us)

    def wait(self, us: int) -> None:
        """Time passes, and every timer fires when it is due."""
        until_us = self.now_us + us
        while (due_us := self.conversation.next_timer_us) is not None and due_us <= until_us:
            self.now_us = due_us
            self.conversation.pass_time(due_us)
        self.now_us = until_us


def vars_of(settings: ClientSettings) -> dict[str, int | bool]:
    """The fields of settings, by name."""
    return {name: getattr(settings, name) for name in ClientSettings.__dataclass_fields__}


def test_a_client_that_waits_for_nothing_asks_nothing() -> None:
    talk = Talk()
    talk.answer(encode_reply(SESSION, 1, BatchStatus.EXECUTED))
    talk.wait(50 * RETRY_US)
    assert talk.said == []
    assert talk.conversation.next_timer_us == DEADLINE_US


def test_a_slow_replica_is_asked_less_and_less_often_and_gets_nothing_twice() -> None:
    talk, asked_at_us = Talk(), []
    while talk.now_us < 600:
        talk.wait(10)
        if talk.said:
            assert talk.said == ["hello"]
            talk.said.clear()
            asked_at_us.append(talk.now_us)
            talk.welcome(0, leader=0)
    assert asked_at_us == [50, 150, 350, 550]
    assert talk.conversation.phase is Phase.READY


def test_answers_that_come_are_asked_for_by_nobody() -> None:
    talk = Talk()
    for sequence in range(1, 20):
        talk.submit()
        talk.wait(ASK_US - 1)
        talk.answer(encode_reply(SESSION, sequence, BatchStatus.EXECUTED))
    assert "hello" not in talk.said


def test_a_dead_leader_is_left_for_a_follower_and_not_gone_back_to_on_its_word() -> None:
    talk = Talk()
    talk.wait(2 * ASK_US + WELCOME_US)
    assert talk.said == ["hello", "b", "hello"]
    talk.said.clear()
    talk.welcome(1, leader=0)
    assert talk.said == ["batch 1"]  # served where it is: that replica has not missed its leader yet


def test_what_a_follower_took_for_a_dead_leader_is_sent_again_once_another_leads() -> None:
    talk = Talk()
    talk.wait(2 * ASK_US + WELCOME_US)
    talk.welcome(1, leader=0)
    talk.said.clear()
    talk.wait(ASK_US)
    talk.welcome(1, leader=None)
    assert talk.said == ["hello"]
    talk.wait(ASK_US)
    talk.welcome(1, leader=1)
    assert talk.said == ["hello", "hello", "batch 1"]


def test_the_new_leader_is_gone_to_wherever_it_is() -> None:
    talk = Talk()
    talk.wait(2 * ASK_US + WELCOME_US)
    talk.welcome(1, leader=0)
    talk.said.clear()
    talk.wait(ASK_US)
    talk.welcome(1, leader=2)
    talk.welcome(2, leader=2)
    assert talk.said == ["hello", "c", "hello", "batch 1"]


def test_one_that_reads_from_followers_stays_and_sends_again() -> None:
    talk = Talk(prefer_leader=False, at=1)
    talk.wait(2 * ASK_US)
    talk.welcome(1, leader=2)
    assert talk.said == ["hello", "batch 1"]


def test_a_leader_that_cannot_be_reached_is_not_tried_again_and_again() -> None:
    talk = Talk()
    talk.wait(2 * ASK_US)
    talk.welcome(0, leader=2)  # no longer leads itself
    assert talk.said == ["hello", "c", "hello"]
    talk.said.clear()
    talk.wait(WELCOME_US)
    assert talk.said[:1] == ["a"]
    talk.said.clear()
    for _ in range(5):
        talk.welcome(0, leader=2)
        talk.wait(4 * ASK_US)
    assert "c" not in talk.said


def test_refusals_do_not_keep_it_from_asking_who_leads() -> None:
    talk = Talk()
    talk.wait(40)
    talk.answer(encode_reply(SESSION, 1, BatchStatus.REFUSED, blob=b"no leader"))
    talk.wait(60)
    talk.welcome(0, leader=None)
    talk.wait(ASK_US)
    assert talk.said == ["hello", "hello"]
    talk.welcome(0, leader=0)
    assert talk.said == ["hello", "hello", "batch 1"]  # long before the pause that a refusal calls for


def test_a_far_replica_is_given_the_time_that_its_welcome_takes() -> None:
    talk = Talk()
    talk.wait(ASK_US + WELCOME_US - 1)
    talk.welcome(0, leader=0)
    talk.said.clear()
    talk.wait(2 * ASK_US)
    assert talk.said == ["hello"]
    talk.wait(2 * (WELCOME_US - 1) - 1)
    assert talk.said == ["hello"]
    talk.wait(1)
    assert talk.said == ["hello", "b", "hello"]


def test_patience_grows_while_nobody_answers() -> None:
    talk, dialled_at_us = Talk(), []
    while talk.now_us < 3_000:
        talk.wait(10)
        if talk.said and talk.said[-1] == "hello":
            dialled_at_us.append(talk.now_us)
        talk.said.clear()
    gaps_us = [later - earlier for earlier, later in pairwise(dialled_at_us[1:])]
    assert gaps_us[0] == 2 * WELCOME_US
    assert gaps_us == sorted(gaps_us)
