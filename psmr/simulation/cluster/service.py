"""The service that simulated replicas run: numbers by key, executed one command after another in plain Python.

`put` emits one event, `add` two of a key that was there before and else one, `get` none.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Any

from psmr.core.batch import MalformedBatch
from psmr.core.reply import BatchStatus, encode_reply

FINGERPRINT = 0x5349_4D55_4C41_5445
NEXT_FINGERPRINT = FINGERPRINT + 1
STRIDE = 32
REPLY_STRIDE = 16
PUT, ADD, GET = 0, 1, 2
NAMES = ("put", "add", "get")

RECORD = Struct("<H6xQqq")
"""Operation code, key, number, and the operation's own number, by which the simulation knows it again."""
REPLY = Struct("<HHIq")
EVENT = Struct("<HHIQq")
"""Kind, length, row, the operation's number, and the key's number behind it; as `psmr.core.event_format` lays it out."""


@dataclass(frozen=True, slots=True)
class _Command:
    op: int
    access: str


@dataclass(frozen=True, slots=True)
class KeyValueService:
    """What ingress and delivery ask of a service."""

    name: str = "simulated"
    fingerprint: int = FINGERPRINT
    version: int = 1
    state: tuple[tuple[str, str], ...] = (("changed", "Event(operation=u64, value=i64)"),)
    commands: tuple[_Command, ...] = (_Command(PUT, "write"), _Command(ADD, "write"), _Command(GET, "read"))


def version_of(fingerprint: int) -> KeyValueService:
    """The version with that fingerprint: both do the same, and neither takes the other's batches."""
    return KeyValueService(fingerprint=fingerprint, version=1 + fingerprint - FINGERPRINT)


class KeyValueModel:
    """The same service, key by key, for the checker. A state is one key's number."""

    initial = 0
    read_only = frozenset(("get",))

    def step(self, state: int, command: str, arguments: tuple[Any, ...], /) -> tuple[int, int]:
        """The number after the command, which is also its reply."""
        if command == "get":
            return state, state
        number: int = arguments[1] if command == "put" else state + arguments[1]
        return number, number

    def key(self, command: str, arguments: tuple[Any, ...], /) -> int:
        """Every command touches one key."""
        key: int = arguments[0]
        return key


def execute(state: dict[int, int], op: int, key: int, number: int) -> int:
    """Execute one command on the state; its reply."""
    if op == PUT:
        state[key] = number
    elif op == ADD:
        state[key] = state.get(key, 0) + number
    return state.get(key, 0)


def events_of(row: int, op: int, operation: int, before: int, result: int) -> list[bytes]:
    """What a command has emitted: of an addition the sum comes last, the number that it was added to first."""
    if op == GET:
        return []
    values = (before, result) if op == ADD and before else (result,)
    return [EVENT.pack(0, EVENT.size, row, operation, value) for value in values]


def reply_of(session: int, sequence: int, results: list[int], *, is_read: bool) -> bytes:
    """The reply to a batch whose commands gave `results`."""
    records = b"".join([REPLY.pack(0, 0, 0, result) for result in results])
    status = BatchStatus.READ if is_read else BatchStatus.EXECUTED
    return encode_reply(session, sequence, status, REPLY_STRIDE, records, len(results))


def check_shape(stride: int) -> None:
    """Raises MalformedBatch for records that are not this service's."""
    if stride != STRIDE:
        raise MalformedBatch(f"records of {STRIDE} bytes", f"{stride} bytes")
