"""Simulated clients, and what each of their calls has come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from psmr.checking import Operation
from psmr.client.failures import Failure
from psmr.client.settings import ServiceIdentity
from psmr.core.reply import Reply
from psmr.core.submission_events import FailureKind, Parts
from psmr.simulation.cluster.conditions import ClusterConditions
from psmr.simulation.cluster.connection import SimulatedConnection
from psmr.simulation.cluster.service import ADD, FINGERPRINT, GET, NAMES, PUT, RECORD, REPLY, STRIDE
from psmr.simulation.cluster.trace import ClusterTrace
from psmr.simulation.conditions import Delay
from psmr.simulation.invariants import InvariantViolated
from psmr.simulation.scheduler import Scheduler

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


class SimulatedClient(SimulatedConnection):
    """Calls commands of the version with that fingerprint at random moments, several under way."""

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
        self.fingerprint = fingerprint
        self._trace = trace
        self._calls = calls
        self.is_active = True
        identity = ServiceIdentity("simulated", fingerprint, STRIDE)
        addresses = [f"sim://{member}" for member in range(replicas)]
        random.shuffle(addresses)
        super().__init__(me, addresses, identity, scheduler, random, conditions, deliver)
        self._think()
        self._arm()

    def calm_down(self, delay: Delay) -> None:
        """From now on nothing is lost, nothing takes longer than `delay`, and no command is called by itself."""
        self.is_active = False
        self._delay, self._drop_rate = delay, 0.0

    def dial(self, address: str) -> None:
        """Talk to another replica: a new connection."""
        super().dial(address)
        self._trace.note(self._scheduler.now_us, f"client {self.me} dials replica {self._member}")

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

    def _think(self) -> None:
        self._scheduler.after(self._conditions.think.draw_us(self._random), self._call_some)

    def _call_some(self) -> None:
        if self.is_active:
            for _ in range(self._random.choice((1, 1, 2))):
                self.call(self._random.choice(_COMMANDS), int(self._random.random() * self._conditions.keys))
            self._think()


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
