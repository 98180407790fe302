"""A service on traced state: calls in, replies and touched cells out, every change undone at will."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np

from cdep import Call as DeclaredCall
from cdep import CallError, Service, StateMachine, ValueType, service_of
from cdep.service import StateField, fields_of
from psmr.errors import ConfigurationError
from psmr.state.access import Access, encoder, seen_as
from psmr.state.array import Array, Table
from psmr.state.map import Map
from psmr.state.scratch import Scratch
from psmr.verification.cells import VALUE, WRITE, Cell, Recorder, Touched
from psmr.verification.traced_map import TracedMap
from psmr.verification.traced_rows import TracedColumn, TracedTable

FIRST_STAMP_US = 1_700_000_000_000_000


class Call(NamedTuple):
    """One call: integers, floats, booleans and bytes, in the order of the command's parameters; and when it was ordered."""

    command: str
    arguments: tuple[Any, ...]
    now_us: int = FIRST_STAMP_US


class Outcome(NamedTuple):
    """What one call came to.

    `reply` is the reply, None, or the `Type: message` of what the handler raised (`raised`); `answer` is the same in a form
    that `==` compares as the bytes that travel.
    """

    reply: Any
    raised: bool
    answer: bytes
    events: tuple[tuple[str, tuple[bytes, ...]], ...]
    touched: Touched


@runtime_checkable
class _Emitting(Protocol):
    """A declaration of events: nothing of it can be read back."""

    fields: Mapping[str, ValueType]

    def emit(self, *values: Any) -> None: ...


class _TracedEvent:
    def __init__(self, name: str, fields: Mapping[str, ValueType], recorder: Recorder) -> None:
        self._name = name
        self._encoders = [encoder(kind) for kind in fields.values()]
        self._recorder = recorder

    def emit(self, *values: Any) -> None:
        if len(values) != len(self._encoders):
            raise TypeError(f"expected {len(self._encoders)} values; found {len(values)}")
        fields = tuple(encode(value) for encode, value in zip(self._encoders, values, strict=True))
        self._recorder.events.append((self._name, fields))


class _Unbounded:
    """An arena without an end: what a command may read at most is the machine's business, not the service's."""

    def take(self, length: int) -> None:
        """Nothing to count."""


class TracedMachine:
    """The handlers of a service, interpreted, on state that notes every access.

    Raises ConfigurationError for state that it cannot trace, when it is made or when a handler sets an attribute.
    """

    def __init__(self, owner: type[StateMachine]) -> None:
        self.service = service_of(owner)
        _refuse_stages(self.service)
        self.recorder = Recorder()
        self._machine: Any = object.__new__(owner)
        for name, field in fields_of(owner).items():
            setattr(self._machine, name, _traced(owner.__name__, name, field, self.recorder))
        self._containers = dict(vars(self._machine))
        self._columns = {column.name: column for found in self._containers.values() for column in _columns(found)}
        self._scratches = [found for found in self._containers.values() if isinstance(found, Scratch)]
        self._seen = {c.name: [seen_as(parameter.type) for parameter in c.parameters] for c in self.service.commands}
        self._answers = {c.name: encoder(c.reply) if c.reply is not None else None for c in self.service.commands}

    def call(self, call: Call) -> Outcome:
        """Execute one call; what raises changes nothing, and has touched what it touched."""
        seen = self._seen.get(call.command)
        if seen is None or len(seen) != len(call.arguments):
            raise CallError(
                f"{self.service.name}: expected a call of one of its commands, found {call.command}{call.arguments}"
            )
        recorder = self.recorder
        recorder.begin()
        mark = self.mark()
        for scratch in self._scratches:
            scratch.forget()
        self._machine.now_us = call.now_us
        reply: Any
        with np.errstate(over="ignore", divide="raise", invalid="ignore"):
            try:
                arguments = [convert(value) for convert, value in zip(seen, call.arguments, strict=True)]
                reply = getattr(self._machine, call.command)(*arguments)
                answer = b"\0" + self._encoded(call.command, reply)
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is its answer, as it is on a replica
                self.rollback(mark)
                reply = f"{type(error).__name__}: {error}"
                answer = b"\1" + reply.encode()
                recorder.events = []
        self._check_attributes()
        raised = answer[:1] == b"\1"
        plain = reply.item() if isinstance(reply, np.generic) else reply
        return Outcome(plain, raised, answer, tuple(recorder.events), recorder.touched)

    def mark(self) -> int:
        """The present, for `rollback`."""
        return len(self.recorder.undo)

    def rollback(self, mark: int) -> None:
        """Undo all that was changed since `mark`."""
        self.recorder.rollback(mark)

    def content(self) -> dict[Cell, Any]:
        """The whole state: cells that hold something, in a form that `==` compares as digests do."""
        found: dict[Cell, Any] = {}
        for container in self._containers.values():
            if isinstance(container, TracedMap | TracedColumn | TracedTable):
                found.update(container.content())
        return found

    def written(self, touched: Touched) -> dict[Cell, Any]:
        """What the variables that a command has changed hold now, as `content` has it; None for nothing."""
        changed = (cell for cell, how in touched.items() if cell.kind == VALUE and WRITE in how)
        return {cell: self._columns[cell.container].held(cell.key) for cell in changed}

    def container(self, name: str) -> Any:
        """The traced container of that name."""
        return self._containers[name]

    def _encoded(self, command: str, reply: Any) -> bytes:
        encode = self._answers[command]
        declared = self.service.command(command)
        if reply is None or encode is None:
            if reply is not None or (encode is not None and not declared.optional):
                expected = declared.reply.name if declared.reply else "None"
                raise TypeError(f"{command}: expected {expected}, found {reply!r}")
            return b"\0"
        return b"\1" + encode(reply)

    def _check_attributes(self) -> None:
        attributes = vars(self._machine)
        strange = [
            name for name, value in attributes.items() if self._containers.get(name) is not value and name != "now_us"
        ]
        if strange:
            raise ConfigurationError(
                f"{self.service.name}: expected all state in declared containers, found the attribute {strange[0]!r} set by a "
                "handler, which cannot be traced: declare it as a Map, Array or Table"
            )


def _columns(container: Any) -> Sequence[TracedMap | TracedColumn]:
    if isinstance(container, TracedTable):
        return container.columns()
    return [container] if isinstance(container, TracedMap | TracedColumn) else []


def _refuse_stages(service: Service) -> None:
    """Stages of one command are ordered by keys of their own, and promise more than that their cells are apart."""
    staged = [command.name for command in service.commands if getattr(command, "early", None) is not None]
    if staged:
        raise ConfigurationError(
            f"{service.name}: expected commands of one stage, found early stages of {', '.join(staged)}, which traces of whole "
            "commands cannot judge: give a form of the service without them"
        )


def named_call(service: Service, call: Call) -> DeclaredCall:
    """The call as C-Dep knows it."""
    names = [parameter.name for parameter in service.command(call.command).parameters]
    return DeclaredCall(call.command, dict(zip(names, call.arguments, strict=True)))


def _traced(owner: str, name: str, field: StateField, recorder: Recorder) -> Any:
    if isinstance(field, Map):
        return TracedMap(name, field, recorder)
    if isinstance(field, Array):
        return TracedColumn(name, field.value, field, recorder)
    if isinstance(field, Table):
        return TracedTable(name, field, recorder)
    if isinstance(field, Scratch):
        return field.bind(cast(Access, _Unbounded()), 0)
    if isinstance(field, _Emitting):
        return _TracedEvent(name, field.fields, recorder)
    raise ConfigurationError(
        f"{owner}.{name}: expected a Map, Array, Table, Scratch or Event, found a {type(field).__name__}, which cannot be traced: "
        "keep the state in those"
    )
