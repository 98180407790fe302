"""Calls of an application's own workload: arguments that its commands were made for, and how often each occurs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from cdep import Command, Service
from cdep.program import touches_of
from psmr.verification.machine import Call
from psmr.workload import Application, Segment, WorkloadOptions

_CLIENTS = 2
_BATCHES_MAX = 400
_ENOUGH_OF_EACH = 24
_FIRST_CALLS = 48
_FILLED_MAX = 300
_PRELOAD_MAX = 60_000


def example_calls(application: Application, service: Service, seed: int) -> list[Call]:
    """Some calls of every command that the workload has, those that fill the state included."""
    found: dict[str, list[Call]] = {}
    options = WorkloadOptions(seed=seed, clients=_CLIENTS)
    workload = application.workload(options)
    for batch in (*islice(workload.preload(), 2), *islice(workload.batches(0), _BATCHES_MAX)):
        for call in calls_of(service, batch):
            known = found.setdefault(call.command, [])
            if len(known) < _ENOUGH_OF_EACH:
                known.append(call)
        if len(found) == len(service.commands) and all(len(known) == _ENOUGH_OF_EACH for known in found.values()):
            break
    return [call for known in found.values() for call in known]


def beginnings_of(application: Application, service: Service, seed: int) -> list[list[Call]]:
    """Ways into states that the application is meant for: some of what fills it, and what its clients do then.

    Of what fills it, the calls whose keys the clients' first calls name, and a few others: all of it would take long.
    """
    workload = application.workload(WorkloadOptions(seed=seed, clients=_CLIENTS, batch=_FIRST_CALLS))
    used = [call for batch in islice(workload.batches(0), 1) for call in calls_of(service, batch)]
    keys = {command.name: _keys_of(service, command) for command in service.commands}
    named = {variable for call in used for variable in keys[call.command](call)}
    first: list[Call] = []
    filled: list[Call] = []
    seen = 0
    for batch in workload.preload():
        for call in calls_of(service, batch):
            seen += 1
            first += [call] if len(first) < _FIRST_CALLS else []
            if keys[call.command](call) <= named:
                filled.append(call)
        if len(filled) >= _FILLED_MAX or seen >= _PRELOAD_MAX:
            break
    filled = filled[:_FILLED_MAX]
    return [first, filled, [*filled, *used]]


def _keys_of(service: Service, command: Command) -> Callable[[Call], set[tuple[str, Any]]]:
    """A function from a call to the keys that it names; of a command on everything too: parameters called as others' keys."""
    names = [parameter.name for parameter in command.parameters]
    places = [(key.domain, names.index(key.parameter)) for key in touches_of(service, command)]
    return lambda call: {(domain, call.arguments[place]) for domain, place in places}


def workload_calls(application: Application, service: Service, seed: int, count: int) -> list[Call]:
    """The first calls of the workload's clients, by turns, after the state is filled."""
    workload = application.workload(WorkloadOptions(seed=seed, clients=_CLIENTS))
    streams = [workload.batches(client) for client in range(_CLIENTS)]
    found: list[Call] = []
    while streams and len(found) < count:
        for stream in list(streams):
            batch = next(stream, None)
            if batch is None:
                streams.remove(stream)
            else:
                found += calls_of(service, batch)
    return found[:count]


def calls_of(service: Service, batch: Sequence[Segment]) -> Iterator[Call]:
    """A workload's batch, call by call."""
    for segment in batch:
        columns = [segment.columns[parameter.name] for parameter in service.command(segment.command).parameters]
        plain = [_plain(column) for column in columns]
        rows = zip(*plain, strict=True) if plain else iter([()] * segment.count)
        yield from (Call(segment.command, row) for row in rows)


def _plain(column: object) -> list[object]:
    values = column.tolist() if isinstance(column, np.ndarray) else list(column)  # type: ignore[call-overload]
    return [value.tobytes() if isinstance(value, np.void) else value for value in values]
