"""A client of a virtual cluster: the production conversation in virtual time, every call kept for the history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proxies.decoding import ReplyDecoder
from proxies.layout import NONE, RAISED
from psmr.checking import Operation
from psmr.client.failures import Failure
from psmr.core.reply import Reply
from psmr.core.submission_events import FailureKind, Parts
from psmr.errors import CommandRaised
from psmr.simulation.cluster.connection import SimulatedConnection
from psmr.testing.calls import Calls, Written
from psmr.verification.machine import Call

_NOT_EXECUTED = (FailureKind.REFUSED, FailureKind.UNAVAILABLE, FailureKind.INVALID)


@dataclass(frozen=True, slots=True)
class Raised:
    """In place of a reply: the handler raised, `Type: message`. Equal to any other: a model need not know the words."""

    text: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Raised)

    def __hash__(self) -> int:
        return hash(Raised)


@dataclass(slots=True, eq=False)
class Calling:
    """One call, as its client sees it; `Conversation` tells it once what became of it."""

    client: int
    call: Call
    invoked_us: int
    clock_us: Callable[[], int]
    decoder: ReplyDecoder
    is_read: bool
    returned_us: int | None = None
    reply: Any = None
    failure: Failure | None = None
    when_told: Callable[[], None] | None = None

    @property
    def is_told(self) -> bool:
        """Whether it is known what became of it, or that this will never be known."""
        return self.returned_us is not None or self.failure is not None

    def resolve(self, reply: Reply) -> None:
        """It was executed."""
        self.returned_us = self.clock_us()
        status, value = self.decoder.one(reply.records, reply.blob)
        self.reply = Raised(value) if status == RAISED else None if status == NONE else value
        self._tell()

    def fail(self, failure: Failure) -> None:
        """It will not be answered."""
        self.failure = failure
        self._tell()

    def _tell(self) -> None:
        if self.when_told is not None:
            self.when_told()

    def operation(self) -> Operation | None:
        """As the checker has it; None for one that was not executed, or may have been and changes nothing."""
        kind = self.failure.kind if self.failure else None
        if kind in _NOT_EXECUTED or (kind is not None and self.is_read):
            return None
        return Operation(
            self.client, self.invoked_us, self.returned_us, self.call.command, self.call.arguments, self.reply
        )

    def result(self) -> Any:
        """The reply; raises CommandRaised if the handler did, and what a client raises that got none."""
        if self.failure is not None:
            raise self.failure.error()
        if isinstance(self.reply, Raised):
            raise CommandRaised(self.reply.text)
        return self.reply


class Connection(SimulatedConnection):
    """One client's end."""

    def submit(self, calling: Calling, parts: Parts) -> None:
        """Have a call executed."""
        now_us = self._scheduler.now_us
        deadline_us = now_us + self._conditions.client.timeout_us
        self._conversation.submit(calling, parts, deadline_us, now_us, is_read=calling.is_read)
        self._arm()


class VirtualClient:
    """A client as a test uses it: `client.deposit(1, 5)` runs the cluster's time until it is answered.

    Raises what a client of a real cluster raises: InvalidCall, CommandRaised, OutcomeUnknown, ClusterUnavailable, Refused.
    """

    def __init__(self, calls: Calls, call: Callable[[Written], Any]) -> None:
        self._calls = calls
        self._call = call

    def __getattr__(self, command: str) -> Callable[..., Any]:
        if command.startswith("_"):
            raise AttributeError(command)

        def call(*arguments: Any) -> Any:
            __tracebackhide__ = True
            return self._call((command, *arguments))

        self._calls.proxy(command)
        return call
