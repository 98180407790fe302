"""A client's `Submission` and the cluster's `Sessions` over a network that loses, reorders and duplicates.

The network keeps two bags, requests and replies, from which messages are taken in any order, once, twice or never.
The cluster is a log: delivering a request appends it, deciding is `Sessions`' part, executing may come any time later.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from psmr.core import sessions as log
from psmr.core import submission_events as events
from psmr.core.reply import BatchStatus, encode_reply, parse_reply
from psmr.core.submission import Limits, Submission
from psmr.core.submission_events import FailureKind, Parts, SendBatch, SendOpen

LIMITS = Limits(window_batches=4, queue_batches=12, retry_us=1_000, retry_us_max=4_000, pause_us=100)
PATIENCE_US = 20_000
NEVER_US = 1 << 60


@dataclass
class Request:
    """A message to the cluster. One of which a copy was delivered may no longer be refused: its sender was promised."""

    content: SendOpen | SendBatch
    delivered: bool = False


@dataclass
class Answer:
    """A message to the client. A refusal is delivered once at most: it answers one attempt."""

    content: bytes
    once: bool = False


@dataclass
class World:
    """The client, the network, and two replicas that deliver one log."""

    submission: Submission[int]
    replicas: tuple[log.Sessions, log.Sessions]
    patience_us: int
    now_us: int = 0
    index: int = 0
    connected: bool = False
    tickets: int = 0
    bad: set[int] = field(default_factory=set)
    requests: list[Request] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    executing: list[tuple[int, int, int]] = field(default_factory=list)
    delivered: list[tuple[int, int]] = field(default_factory=list)  # (session, ticket), in log order
    resolved: dict[int, int] = field(default_factory=dict)
    failed: dict[int, FailureKind] = field(default_factory=dict)

    def client(self, event: events.Event[int]) -> None:
        """Let the client handle `event` and do what it says."""
        for effect in self.submission.handle(event):
            if isinstance(effect, SendOpen | SendBatch):
                assert self.connected
                self.requests.append(Request(effect))
            elif isinstance(effect, events.Resolve):
                self.told(effect.ticket)
                self.resolved[effect.ticket] = int(bytes(effect.reply.blob))
            elif isinstance(effect, events.Fail):
                self.told(effect.ticket)
                self.failed[effect.ticket] = effect.kind
            else:
                self.connected = False
        self.submission.validate()

    def told(self, ticket: int) -> None:
        """Each ticket is told its outcome once."""
        assert ticket not in self.resolved
        assert ticket not in self.failed

    def both(self, event: log.Event) -> log.Decision:
        """Deliver to both replicas, which must decide alike."""
        first, second = (replica.handle(event) for replica in self.replicas)
        assert first == second
        return first

    def submit(self, bad: bool) -> None:
        self.tickets += 1
        if bad:
            self.bad.add(self.tickets)
        parts = Parts(bytes(8), 1, str(self.tickets).encode())
        self.client(events.Submit(self.tickets, parts, self.now_us + self.patience_us, self.now_us))

    def deliver_request(self, request: Request) -> None:
        content = request.content
        request.delivered = True
        if isinstance(content, SendOpen):
            self.index += 1
            opened = self.both(log.Open(self.index, 0))
            assert isinstance(opened, log.Opened)
            self.answers.append(Answer(encode_reply(opened.session, content.nonce, BatchStatus.OPENED)))
        elif int(content.parts.blob) in self.bad:
            self.answer(content.session, content.sequence, BatchStatus.MALFORMED)
        else:
            self.deliver_batch(content)

    def deliver_batch(self, batch: SendBatch) -> None:
        self.index += 1
        decision = self.both(log.Submit(batch.session, batch.sequence, batch.answered))
        if isinstance(decision, log.Execute):
            self.delivered.append((batch.session, int(batch.parts.blob)))
            self.executing.append((batch.session, batch.sequence, int(batch.parts.blob)))
        elif isinstance(decision, log.Duplicate):
            if decision.reply is not None:
                self.answers.append(Answer(decision.reply))
        elif isinstance(decision, log.OutOfOrder):
            self.answer(batch.session, decision.expected, BatchStatus.OUT_OF_ORDER)
        else:
            assert isinstance(decision, log.Unknown)
            self.answer(batch.session, batch.sequence, BatchStatus.UNKNOWN_SESSION)

    def answer(self, session: int, sequence: int, status: BatchStatus, once: bool = False) -> None:
        self.answers.append(Answer(encode_reply(session, sequence, status), once))

    def refuse(self, request: Request) -> None:
        if isinstance(request.content, SendOpen):
            self.answer(request.content.nonce, 0, BatchStatus.REFUSED, once=True)
        else:
            self.answer(request.content.session, request.content.sequence, BatchStatus.REFUSED, once=True)

    def execute(self, position: int) -> None:
        session, sequence, ticket = self.executing.pop(position)
        reply = encode_reply(session, sequence, BatchStatus.EXECUTED, blob=str(ticket).encode())
        self.both(log.Executed(session, sequence, reply))
        self.answers.append(Answer(reply))

    def deliver_answer(self, answer: Answer) -> None:
        self.client(events.ReplyReceived(parse_reply(answer.content), self.now_us))

    def connect(self) -> None:
        self.connected = True
        self.client(events.Connected(LIMITS.window_batches, self.now_us))

    def pass_time(self, us: int) -> None:
        self.now_us += us
        self.client(events.TimePassed(self.now_us))

    def settle(self) -> None:
        """The network heals: everything under way arrives, until nothing is."""
        for _ in range(100):
            if not self.connected:
                self.connect()
            while self.requests:
                self.deliver_request(self.requests.pop(0))
            while self.executing:
                self.execute(0)
            while self.answers:
                self.deliver_answer(self.answers.pop(0))
            if not (self.submission.pending or self.requests or self.executing):
                return
            self.pass_time(LIMITS.pause_us)
        raise AssertionError(f"{self.submission.pending} tickets are still pending on a network without faults")


def take_request(world: World, position: int, *, keep: bool) -> Request | None:
    if not world.requests:
        return None
    position %= len(world.requests)
    return world.requests[position] if keep else world.requests.pop(position)


def deliver(world: World, position: int) -> None:
    if request := take_request(world, position, keep=False):
        world.deliver_request(request)


def deliver_copy(world: World, position: int) -> None:
    if request := take_request(world, position, keep=True):
        world.deliver_request(request)


def drop(world: World, position: int) -> None:
    take_request(world, position, keep=False)


def refuse(world: World, position: int) -> None:
    request = take_request(world, position, keep=True)
    if request and not request.delivered:
        world.requests.remove(request)
        world.refuse(request)


def execute(world: World, position: int) -> None:
    if world.executing:
        world.execute(position % len(world.executing))


def answer(world: World, position: int) -> None:
    if world.answers:
        world.deliver_answer(world.answers.pop(position % len(world.answers)))


def answer_copy(world: World, position: int) -> None:
    if world.answers:
        chosen = world.answers[position % len(world.answers)]
        if chosen.once:
            world.answers.remove(chosen)
        world.deliver_answer(chosen)


def drop_answer(world: World, position: int) -> None:
    if world.answers:
        world.answers.pop(position % len(world.answers))


def toggle_connection(world: World, position: int) -> None:
    if not world.connected:
        world.connect()
    else:
        world.connected = False
        world.client(events.Disconnected())


def evict(world: World, position: int) -> None:
    world.index += 1
    world.both(log.Open(world.index, 0))


ACTIONS: dict[str, Callable[[World, int], None]] = {
    "submit": lambda world, position: world.submit(bad=False),
    "deliver": deliver,
    "deliver a copy": deliver_copy,
    "drop": drop,
    "refuse": refuse,
    "execute": execute,
    "answer": answer,
    "answer with a copy": answer_copy,
    "drop an answer": drop_answer,
    "connect or disconnect": toggle_connection,
    "wait": lambda world, position: world.pass_time(position * 40),
    "wait long": lambda world, position: world.pass_time(position * 1_000),
    "evict": evict,
    "submit a malformed batch": lambda world, position: world.submit(bad=True),
}
COMMON = ["submit", "deliver", "execute", "answer"]
Schedule = list[tuple[str, int]]


def steps(names: list[str], longest: int) -> st.SearchStrategy[Schedule]:
    """Schedules: what happens, and to which message (0 is the oldest)."""
    return st.lists(st.tuples(st.sampled_from(names), st.integers(0, 15) | st.just(0)), min_size=20, max_size=longest)


def run(schedule: Schedule, capacity: int, patience_us: int) -> World:
    """Play a schedule, heal the network, check what holds of every run."""
    nonces = iter(range(1_000_000, 2_000_000))
    replicas = (log.Sessions(capacity), log.Sessions(capacity))
    world = World(Submission(LIMITS, lambda: next(nonces)), replicas, patience_us)
    world.connect()
    for name, position in schedule:
        ACTIONS[name](world, position)
        for replica in replicas:
            replica.validate()
    world.settle()
    assert replicas[0].digest() == replicas[1].digest()
    check(world)
    return world


def check(world: World) -> None:
    """Every ticket told once, executed at most once, in its session's order; what was told is true."""
    times = Counter(ticket for _, ticket in world.delivered)
    assert set(world.resolved) | set(world.failed) == set(range(1, world.tickets + 1))
    assert all(count == 1 for count in times.values())
    for ticket, echoed in world.resolved.items():
        assert echoed == ticket
        assert times[ticket] == 1
    for ticket, kind in world.failed.items():
        assert kind is FailureKind.UNKNOWN or times[ticket] == 0
    for owner in {session for session, _ in world.delivered}:
        order = [ticket for session, ticket in world.delivered if session == owner]
        assert order == sorted(order)


LOSSY = [*COMMON * 3, "deliver a copy", "drop", "answer with a copy", "drop an answer", "connect or disconnect", "wait"]
HOSTILE = [*LOSSY, "refuse", "refuse", "wait long", "evict", "submit a malformed batch"]


def check_patient(schedule: Schedule) -> None:
    """Without deadlines, evictions and refusals everything that is submitted is executed and answered."""
    world = run(schedule, capacity=64, patience_us=NEVER_US)
    assert set(world.failed.values()) <= {FailureKind.REFUSED}  # those that found the queue full
    assert {ticket for _, ticket in world.delivered} == set(world.resolved)


@settings(max_examples=100, deadline=None)
@given(steps(LOSSY, 120))
def test_without_eviction_or_deadline_everything_is_executed_once_and_answered(schedule: Schedule) -> None:
    check_patient(schedule)


@settings(max_examples=150, deadline=None)
@given(steps(HOSTILE, 160))
def test_whatever_happens_nothing_is_executed_twice_or_misreported(schedule: Schedule) -> None:
    run(schedule, capacity=2, patience_us=PATIENCE_US)


def test_seeded_schedules_reach_what_shrinking_strategies_seldom_draw() -> None:
    for seed in range(300):
        dice = random.Random(seed)
        names = LOSSY if seed % 2 else HOSTILE
        length = dice.choice((8, 30, 120, 400))
        schedule = [(dice.choice(names), dice.choice((0, 0, dice.randrange(16)))) for _ in range(length)]
        # Then a part without new submissions, in which the newest one's messages get lost too.
        draining = [name for name in names if not name.startswith("submit")]
        schedule += [(dice.choice(draining), dice.choice((0, 0, dice.randrange(16)))) for _ in range(length)]
        try:
            if seed % 2:
                check_patient(schedule)
            else:
                run(schedule, capacity=dice.choice((1, 2, 3)), patience_us=PATIENCE_US)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
