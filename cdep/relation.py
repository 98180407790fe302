"""C-Dep: which commands conflict, and when (Marandi, Bezerra, Pedone, ICDCS 2014, section on command dependencies).

Two commands conflict when they touch the same variable and at least one of them writes it. `conflict` says so of two
calls; `relation` says so of two commands, as a graph whose edges carry the condition under which their calls conflict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cdep.command import Access, Command
from cdep.errors import CallError
from cdep.service import Service
from cdep.types import ValueType

if TYPE_CHECKING:
    import networkx as nx

Condition = Literal["always"] | tuple[tuple[str, str], ...]
"""`always`, or pairs (parameter of a, parameter of b): the calls conflict when the values of any pair are equal."""


@dataclass(frozen=True, slots=True)
class Call:
    """A command with its arguments, by parameter name."""

    command: str
    arguments: Mapping[str, Any]


def relation(service: Service) -> nx.Graph:
    """The graph of a service's commands, self-loops included.

    Nodes carry `kind` and `access`; edges carry `condition`, whose pairs name the lower op's parameter first. Nodes and
    edges come in the order of ops.
    """
    import networkx as nx  # not above: it would be a quarter of what a replica imports before it starts

    graph = nx.Graph()
    for command in service.commands:
        graph.add_node(command.name, kind=command.kind, access=command.access)
    for a in service.commands:
        for b in service.commands[a.op :]:
            found = condition(a, b)
            if found is not None:
                graph.add_edge(a.name, b.name, condition=found)
    return graph


def condition(a: Command, b: Command) -> Condition | None:
    """When a call of `a` conflicts with a call of `b`; None for never.

    A command with an early stage touches what either stage touches. An exact one sees what main stages before it did, of whatever
    key: it conflicts with all that have one, and so with other exact ones, unless both only read.
    """
    if a.commutes or b.commutes:
        return None
    if "dependent" in (a.kind, b.kind):
        return "always" if a.access != "read" or b.access != "read" else None
    if ("exact" in (a.stage, b.stage)) and "early" not in (a.stage, b.stage):
        return "always" if a.access != "read" or b.access != "read" else None
    pairs = tuple(
        (first.parameter, second.parameter)
        for first in a.touched
        for second in b.touched
        if first.domain == second.domain and "write" in (first.access, second.access)
    )
    return pairs or None


def conflict(service: Service, a: Call, b: Call) -> bool:
    """Whether the order of two calls matters; symmetric. Raises CallError for a call that the service does not have."""
    touched_a, touched_b = _touches(service, a), _touches(service, b)
    if condition(service.command(a.command), service.command(b.command)) == "always":
        return True
    return any(
        _same_variable(one, other) and "write" in (one.access, other.access) for one in touched_a for other in touched_b
    )


def key_of(type_: ValueType, value: Any) -> int | bytes:
    """A key as the plain value that decides equality: an int, or the bytes that lie in the record."""
    if type_.key_kind == "integer" and isinstance(value, bool | int | np.integer | np.bool_):
        return int(value)
    if type_.key_kind == "bytes" and isinstance(value, bytes | bytearray | memoryview | np.void):
        content = value.tobytes() if isinstance(value, np.void) else bytes(value)
        if type_.kind == "fixed" and isinstance(value, np.bytes_):
            # NumPy's 'S' scalars have lost their trailing zeros; in the record they are there.
            content = content.ljust(type_.limit, b"\0")
        if len(content) == type_.limit or (type_.kind == "bytes" and len(content) < type_.limit):
            return content
    raise CallError(f"expected a key of type {type_.name}, found {value!r}; convert it before the call")


def argument(command: Command, call: Call, parameter: str) -> int | bytes:
    """The key that `call` carries in `parameter`."""
    if parameter not in call.arguments:
        raise CallError(f"a call of {command.name} has no argument {parameter!r}; give every parameter a value")
    return key_of(command.parameter(parameter).type, call.arguments[parameter])


@dataclass(frozen=True, slots=True)
class _Touched:
    """A variable that a call touches; without a domain it is the whole state, which is every variable."""

    domain: str | None
    key: int | bytes
    access: Access


def _touches(service: Service, call: Call) -> list[_Touched]:
    command = service.command(call.command)
    if command.commutes:
        return []
    if command.kind == "dependent":
        return [_Touched(None, 0, "read" if command.access == "read" else "write")]
    return [_Touched(k.domain, argument(command, call, k.parameter), k.access) for k in command.touched]


def _same_variable(one: _Touched, other: _Touched) -> bool:
    return one.domain is None or other.domain is None or (one.domain == other.domain and one.key == other.key)
