"""Containers made of Python's own: what a service's state means, to run its handlers on without the engine."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from cdep import WAIT, StateMachine, ValueType, service_of
from psmr.state.access import seen_as
from psmr.state.array import Array, Table
from psmr.state.compiled_machine import containers_of
from psmr.state.event import Event
from psmr.state.map import Map
from psmr.state.scratch import Scratch


class PlainColumn:
    """A list; zero at first."""

    def __init__(self, value: ValueType, capacity: int) -> None:
        self.value = value
        zero = b"" if value.kind == "bytes" else bytes(value.limit) if value.kind == "fixed" else 0
        self.rows = [stored(value, zero)] * capacity

    def __getitem__(self, row: Any) -> Any:
        return self.rows[self._checked(row)]

    def __setitem__(self, row: Any, data: Any) -> None:
        self.rows[self._checked(row)] = stored(self.value, data)

    def __len__(self) -> int:
        return len(self.rows)

    def _checked(self, row: Any) -> int:
        if not 0 <= row < len(self.rows):
            raise IndexError(row)
        return int(row)


class PlainMap:
    """A dict, as large as it likes."""

    def __init__(self, key: ValueType, value: ValueType) -> None:
        self.key = key
        self.value = value
        self.entries: dict[Any, Any] = {}

    def get(self, key: Any, default: Any = None) -> Any:
        return self.entries.get(key, None if default is None else seen_as(self.value)(default))

    def put(self, key: Any, data: Any) -> None:
        self.entries[key] = stored(self.value, data)

    def remove(self, key: Any) -> bool:
        return self.entries.pop(key, None) is not None

    def clear(self) -> None:
        self.entries.clear()

    def next(self, cursor: int) -> int:
        return cursor + 1 if cursor + 1 < len(self.entries) else -1

    def key_at(self, cursor: int) -> Any:
        return list(self.entries)[cursor]

    def value_at(self, cursor: int) -> Any:
        return self.entries[self.key_at(cursor)]

    def __contains__(self, key: Any) -> bool:
        return key in self.entries

    def __len__(self) -> int:
        return len(self.entries)


class PlainScratch:
    """A bytearray, once it is begun."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.built: bytearray | None = None

    def begin(self) -> None:
        self.built = bytearray()

    def append(self, data: bytes) -> None:
        if self.built is None or len(self.built) + len(data) > self.limit:
            raise ValueError(f"expected begin(), and at most {self.limit} bytes")
        self.built += data

    def append_byte(self, byte: int) -> None:
        self.append(bytes([byte]))

    def value(self) -> bytes:
        self.append(b"")
        return bytes(self.built or b"")


class PlainEvent:
    """Takes what is emitted, and forgets it."""

    def emit(self, *values: Any) -> None:
        """Nothing."""


def stored(value: ValueType, data: Any) -> Any:
    """What is read back after `data` was written as a value of this type."""
    if value.kind in ("bytes", "fixed"):
        if len(data) > value.limit or (value.kind == "fixed" and len(data) != value.limit):
            raise ValueError(f"{len(data)} bytes for {value.name}")
        return data
    if value.kind in ("int", "uint"):
        data = np.array(int(data) & (1 << 64) - 1, np.uint64).astype(value.dtype).item()
    return seen_as(value)(data)


class PlainService:
    """A service's own handlers on plain state; a model, as `psmr.workload` has it."""

    def __init__(self, owner: type[StateMachine]) -> None:
        self._service = service_of(owner)
        self._machine: Any = object.__new__(owner)
        self._names = list(containers_of(owner))
        for name, container in containers_of(owner).items():
            setattr(self._machine, name, _plain(container))

    def apply(self, command: str, arguments: Sequence[Any]) -> Any:
        """Execute one call; whatever it raises, nothing has changed."""
        for container in vars(self._machine).values():
            if isinstance(container, PlainScratch):
                container.built = None
        found = self._service.command(command)
        seen = [seen_as(parameter.type)(value) for parameter, value in zip(found.parameters, arguments, strict=True)]
        if found.early is not None:
            names = [parameter.name for parameter in found.parameters]
            seen.append(self._call(found.early.method, [seen[names.index(name)] for name in found.early.parameters]))
        return self._call(command, seen)

    def _call(self, method: str, seen: list[Any]) -> Any:
        """Call one stage of a command; what raises changes nothing, nor what has to wait."""
        before = {name: copy.deepcopy(getattr(self._machine, name)) for name in self._names}
        try:
            with np.errstate(over="ignore", divide="raise", invalid="ignore"):
                answer = getattr(self._machine, method)(*seen)
            if method.startswith("_") and answer == WAIT:
                self._go_back_to(before)
            return answer
        except Exception:
            self._go_back_to(before)
            raise

    def _go_back_to(self, before: dict[str, Any]) -> None:
        for name, container in before.items():
            setattr(self._machine, name, container)

    def stamp(self, now_us: int) -> None:
        """Set the time that handlers see."""
        self._machine.now_us = now_us

    def state(self) -> dict[str, Any]:
        """As engines' state is read: dicts, lists, lists by field."""
        found: dict[str, Any] = {}
        for name in self._names:
            container = getattr(self._machine, name)
            if isinstance(container, PlainMap):
                found[name] = container.entries
            elif isinstance(container, PlainColumn):
                found[name] = container.rows
            elif not isinstance(container, PlainScratch | PlainEvent):
                found[name] = {field: column.rows for field, column in vars(container).items()}
        return found


class _PlainTable:
    """Columns as attributes."""


def _plain(container: Any) -> Any:
    if isinstance(container, Map):
        return PlainMap(container.key, container.value)
    if isinstance(container, Array):
        return PlainColumn(container.value, container.capacity)
    if isinstance(container, Scratch):
        return PlainScratch(container.limit)
    if isinstance(container, Event):
        return PlainEvent()
    assert isinstance(container, Table)
    table = _PlainTable()
    for name, value in container.fields.items():
        setattr(table, name, PlainColumn(value, container.capacity))
    return table
