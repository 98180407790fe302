"""Simulated clients: the production conversation, with its window, retries and rerouting, over a simulated connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from psmr.checking import Operation
from psmr.client.conversation import Conversation
from psmr.client.failures import Failure
from psmr.client.settings import ServiceIdentity
from psmr.core.reply import Reply
from psmr.core.submission_events import FailureKind, Parts
from psmr.simulation.cluster.conditions import ClusterConditions
from psmr.simulation.cluster.service import ADD, FINGERPRINT, GET, NAMES, PUT, RECORD, REPLY, STRIDE
from psmr.simulation.cluster.trace import ClusterTrace
from psmr.simulation.conditions import Delay
from psmr.simulation.invariants import InvariantViolated
from psmr.simulation.scheduler import Scheduler

_NEVER_US = 1 << 62
_COMMANDS = (PUT, ADD, ADD, GET, GET)


@dataclass(slots=True, eq=False)
class Call:
    """One command, as its client sees it; `Conversation` tells it once what became of it."""

    number: int
    process: int
    op: int
    key: int
    value: int
    invoked_us: int
    fingerprint: int
    clock_us: Callable[[], int]
    trace: ClusterTrace
    returned_us: int | None = None
    reply: int | None = None
    failure: FailureKind | None = None
    tellings: int = 0

    def resolve(self, reply: Reply) -> None:
        """It was executed."""
        self.tellings += 1
        self.returned_us = self.clock_us()
        _, _, _, self.reply = REPLY.unpack(reply.records)
        self.trace.note(self.returned_us, f"{self.text()} → {self.reply}")

    def fail(self, failure: Failure) -> None:
        """It will not be answered."""
        self.tellings += 1
        self.failure = failure.kind
        self.trace.note(self.clock_us(), f"{self.text()} → {failure.kind.value}")

    @property
    def is_certainly_not_executed(self) -> bool:
        """Whether the client was told so. A read is no part of the log, so nothing is promised of it."""
        kinds = FailureKind.REFUSED, FailureKind.UNAVAILABLE, FailureKind.INVALID, FailureKind.MISMATCH
        return self.failure in kinds

    def text(self) -> str:
        """The call in a few words."""
        return f"client {self.process}, operation {self.number}: {NAMES[self.op]}({self.key}, {self.value})"

    def operation(self, executed: Mapping[int, tuple[int, int]]) -> Operation:
        """What the checker is told. What is in the log took effect when it was first executed, wherever that was."""
        arguments = (self.key,) if self.op == GET else (self.key, self.value)
        if self.number not in executed:
            return Operation(self.process, self.invoked_us, self.returned_us, NAMES[self.op], arguments, self.reply)
        at_us, reply = executed[self.number]
        if self.reply is not None:
            reply = self.reply
        return Operation(self.process, at_us, at_us, NAMES[self.op], arguments, reply)


class SimulatedClient:
    """Calls commands of the version with that fingerprint at random moments, several under way.

    `deliver(member, connection, frames)` reaches a replica.

    A connection keeps the order of what it carries and repeats nothing, as TCP does; it may lose anything.
    """

    def __init__(
        self,
        me: int,
        replicas: int,
        scheduler: Scheduler,
        random: Random,
        conditions: ClusterConditions,
        trace: ClusterTrace,
        calls: list[Call],
        deliver: Callable[[int, bytes, list[bytes]], None],
        fingerprint: int = FINGERPRINT,
    ) -> None:
        self.me = me
        self.fingerprint = fingerprint
        self._scheduler = scheduler
        self._random = random
        self._conditions = conditions
        self._trace = trace
        self._calls = calls
        self._deliver = deliver
        self._delay: Delay = conditions.network
        self._drop_rate = conditions.drop_rate
        self._dials = 0
        self._member = 0
        self._free_us = {True: 0, False: 0}
        self._wake_us = _NEVER_US
        self._open = 0
        self.is_active = True
        identity = ServiceIdentity("simulated", fingerprint, STRIDE)
        addresses = [f"sim://{member}" for member in range(replicas)]
        random.shuffle(addresses)
        self._conversation = Conversation(self, identity, addresses, conditions.client, self._draw_nonce)
        self._conversation.start(scheduler.now_us)
        self._think()
        self._arm()

    def calm_down(self, delay: Delay) -> None:
        """From now on nothing is lost, nothing takes longer than `delay`, and no command is called by itself."""
        self.is_active = False
        self._delay, self._drop_rate = delay, 0.0

    def dial(self, address: str) -> None:
        """Talk to another replica: a new connection."""
        self._dials += 1
        self._member = int(address.removeprefix("sim://"))
        self._trace.note(self._scheduler.now_us, f"client {self.me} dials replica {self._member}")

    @property
    def connection(self) -> bytes:
        """By which replicas know the connection of now."""
        return b"%d.%d" % (self.me, self._dials)

    def transmit(self, frames: list[bytes]) -> None:
        """Put a message on its way to the replica dialled last."""
        if self._random.random() >= self._drop_rate:
            delay_us = self._delay_us(outgoing=True)
            self._scheduler.after(delay_us, self._deliver, self._member, self.connection, frames)

    def reply(self, connection: bytes, frames: list[bytes]) -> None:
        """A replica put a message on its way."""
        if self._random.random() >= self._drop_rate:
            self._scheduler.after(self._delay_us(outgoing=False), self._receive, connection, frames)

    def call(self, op: int, key: int) -> Call:
        """Call one command now."""
        now_us, number = self._scheduler.now_us, len(self._calls) + 1
        value = number if op == PUT else 1
        call = Call(
            number, self.me, op, key, value, now_us, self.fingerprint, lambda: self._scheduler.now_us, self._trace
        )
        self._calls.append(call)
        self._trace.note(now_us, f"{call.text()} called")
        parts = Parts(RECORD.pack(op, key, value, number), 1, b"")
        deadline_us = now_us + self._conditions.client.timeout_us
        self._conversation.submit(call, parts, deadline_us, now_us, is_read=op == GET)
        self._arm()
        return call

    def _draw_nonce(self) -> int:
        return int(self._random.random() * 2**62)

    def _think(self) -> None:
        self._scheduler.after(self._conditions.think.draw_us(self._random), self._call_some)

    def _call_some(self) -> None:
        if self.is_active:
            for _ in range(self._random.choice((1, 1, 2))):
                self.call(self._random.choice(_COMMANDS), int(self._random.random() * self._conditions.keys))
            self._think()

    def _delay_us(self, *, outgoing: bool) -> int:
        """How long a message takes; none overtakes another in its direction."""
        arrives_us = self._scheduler.now_us + self._delay.draw_us(self._random)
        arrives_us = max(arrives_us, self._free_us[outgoing])
        self._free_us[outgoing] = arrives_us
        return arrives_us - self._scheduler.now_us

    def _receive(self, connection: bytes, frames: list[bytes]) -> None:
        if connection == self.connection:
            self._conversation.receive(frames, self._scheduler.now_us)
            self._arm()

    def _arm(self) -> None:
        due_us = self._conversation.next_timer_us
        if due_us is not None and due_us < self._wake_us:
            self._wake_us = max(due_us, self._scheduler.now_us)
            self._scheduler.after(self._wake_us - self._scheduler.now_us, self._wake, self._wake_us)

    def _wake(self, due_us: int) -> None:
        if due_us == self._wake_us:
            self._wake_us = _NEVER_US
            self._conversation.pass_time(self._scheduler.now_us)
            self._arm()


def check_tellings(calls: list[Call], executed: Mapping[int, tuple[int, int]]) -> None:
    """Every call was told once; what was answered was executed, and what was refused was not."""
    for call in calls:
        if call.tellings != 1:
            raise InvariantViolated("told once", f"{call.text()}: expected to be told once, found {call.tellings}")
        if call.is_certainly_not_executed and call.number in executed:
            raise InvariantViolated("refused is never executed", f"{call.text()} was refused, and executed")
        if call.returned_us is None:
            continue
        if call.op != GET and call.number not in executed:
            raise InvariantViolated("answered is executed", f"{call.text()} was answered, and executed by nobody")
        at_us = executed.get(call.number, (call.returned_us, 0))[0]
        if not call.invoked_us <= at_us <= call.returned_us:
            raise InvariantViolated(
                "answered is executed", f"{call.text()} was executed at {at_us} µs, answered before"
            )
