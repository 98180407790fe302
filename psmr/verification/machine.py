"""A service on traced state: calls in, replies and touched cells out, every change undone at will."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np

from cdep import Call as DeclaredCall
from cdep import CallError, Command, Service, StateMachine, ValueType, i64, service_of, value_type
from cdep.service import StateField, fields_of
from cdep.staging import WAIT
from psmr.errors import ConfigurationError
from psmr.state.access import Access, encoder, seen_as
from psmr.state.array import Array, Table
from psmr.state.event import misfit
from psmr.state.map import Map
from psmr.state.scratch import Scratch
from psmr.verification.cells import VALUE, WRITE, Cell, Place, Recorder, Touched
from psmr.verification.raising import place_of
from psmr.verification.traced_map import TracedMap
from psmr.verification.traced_rows import TracedColumn, TracedTable

FIRST_STAMP_US = 1_700_000_000_000_000
_ENCODE_CARRIED = encoder(value_type(i64))
_CARRIES = b"\2"
_WAIT_ANSWER = b"\0" + _CARRIES + _ENCODE_CARRIED(WAIT)


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
    stages: Stages | None = None
    """Of a service with early stages: what each stage came to."""


class Stages(NamedTuple):
    """The stages of one call that were executed; the reply of an early one is what it carries to the main one, or WAIT."""

    early: Outcome | None
    main: Outcome | None


@runtime_checkable
class _Emitting(Protocol):
    """A declaration of events: nothing of it can be read back."""

    fields: Mapping[str, ValueType]

    def emit(self, *values: Any) -> None: ...


class _TracedEvent:
    def __init__(self, name: str, fields: Mapping[str, ValueType], recorder: Recorder) -> None:
        self._name = name
        self._encoders = {name: encoder(kind) for name, kind in fields.items()}
        self._recorder = recorder

    def emit(self, *values: Any, **named: Any) -> None:
        if named or len(values) != len(self._encoders):
            raise misfit(self._encoders, values, named)
        try:
            fields = tuple(encode(value) for encode, value in zip(self._encoders.values(), values, strict=True))
        except TypeError:
            raise misfit(self._encoders, values, named) from None
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
        self.recorder = Recorder()
        self.raised_at: Place | None = None
        """Where the handler was that raised last; None where what it answered was no reply of the command."""
        self._machine: Any = object.__new__(owner)
        for name, field in fields_of(owner).items():
            setattr(self._machine, name, _traced(owner.__name__, name, field, self.recorder))
        self._containers = dict(vars(self._machine))
        self._scratches = [found for found in self._containers.values() if isinstance(found, Scratch)]
        self._seen = {c.name: [seen_as(parameter.type) for parameter in c.parameters] for c in self.service.commands}
        self._answers = {c.name: encoder(c.reply) if c.reply is not None else None for c in self.service.commands}
        self._early_places = {c.name: _places_of_early(c) for c in self.service.commands}
        self._leaves: dict[str, TracedColumn | TracedMap] = {
            leaf.name: leaf
            for container in self._containers.values()
            for leaf in (container.columns() if isinstance(container, TracedTable) else [container])
            if isinstance(leaf, TracedColumn | TracedMap)
        }

    def call(self, call: Call) -> Outcome:
        """Execute one call; what raises changes nothing, and has touched what it touched.

        A command in stages is its early stage, then its main stage with what that carries; each is undone by itself.
        """
        if not self.service.is_staged:
            return self._run(call, call.command, self._arguments(call), self._answer_of_handler)
        early = self.early(call)
        if early is None:
            main = self.main(call, None)
            return main._replace(stages=Stages(None, main))
        if early.raised or self.service.command(call.command).early is None:
            return early._replace(stages=Stages(early, None))
        main = self.main(call, early)
        touched = {cell: {**early.touched.get(cell, {}), **hows} for cell, hows in main.touched.items()}
        return main._replace(
            events=(*early.events, *main.events),
            touched={**early.touched, **touched},
            stages=Stages(early, main),
        )

    def early(self, call: Call) -> Outcome | None:
        """Execute what early stages are ordered with: the call's early stage, or the whole command, if it is one; else None.

        What an early stage returns is in `reply`; of one that answers WAIT nothing is left.
        """
        command = self.service.command(call.command)
        if command.stage == "early":
            return self._run(call, call.command, self._arguments(call), self._answer_of_handler)
        if command.early is None:
            return None
        arguments = self._arguments(call)
        chosen = [arguments[place] for place in self._early_places[call.command]]
        mark = self.mark()
        found = self._run(call, command.early.method, chosen, lambda _, reply: _CARRIES + _ENCODE_CARRIED(reply))
        if waits(found):
            self.rollback(mark)
            return found._replace(events=())
        return found

    def main(self, call: Call, early: Outcome | None) -> Outcome:
        """Execute the call's handler, with what its early stage carries; a command that is decided as a whole has only that."""
        arguments = self._arguments(call)
        if early is not None:
            arguments.append(np.int64(early.reply))
        return self._run(call, call.command, arguments, self._answer_of_handler)

    def _arguments(self, call: Call) -> list[Any]:
        seen = self._seen.get(call.command)
        if seen is None or len(seen) != len(call.arguments):
            raise CallError(
                f"{self.service.name}: expected a call of one of its commands, found {call.command}{call.arguments}"
            )
        return [convert(value) for convert, value in zip(seen, call.arguments, strict=True)]

    def _run(self, call: Call, method: str, arguments: list[Any], encode: Callable[[str, Any], bytes]) -> Outcome:
        recorder = self.recorder
        recorder.begin()
        mark = self.mark()
        for scratch in self._scratches:
            scratch.forget()
        self._machine.now_us = call.now_us
        reply: Any
        with np.errstate(over="ignore", divide="raise", invalid="ignore"):
            try:
                reply = getattr(self._machine, method)(*arguments)
                answer = b"\0" + encode(call.command, reply)
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is its answer, as it is on a replica
                self.rollback(mark)
                self.raised_at = place_of(error)
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
        return {cell: self.held(cell) for cell, how in touched.items() if cell.kind == VALUE and WRITE in how}

    def held(self, cell: Cell) -> Any:
        """What a cell holds that is a value; None for a key that is not there, and for hints, of which replicas may hold others."""
        leaf = self._leaves[cell.container]
        return leaf.held(cell.key) if cell.kind == VALUE else None

    def hold(self, cell: Cell, value: Any) -> None:
        """Have a cell hold another value, as a command that wrote it would; the cell must be there."""
        self._leaves[cell.container].hold(cell.key, value)

    def container(self, name: str) -> Any:
        """The traced container of that name."""
        return self._containers[name]

    def _answer_of_handler(self, command: str, reply: Any) -> bytes:
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


def waits(early: Outcome) -> bool:
    """Whether an early stage has answered that it cannot tell yet. (A whole command that is one has no such answer.)"""
    return early.answer == _WAIT_ANSWER


def _places_of_early(command: Command) -> list[int]:
    """Which of a call's arguments its early stage takes, in its order."""
    names = [parameter.name for parameter in command.parameters]
    return [names.index(name) for name in command.early.parameters] if command.early else []


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
