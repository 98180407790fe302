"""Random services, random calls: the laws that tie C-Dep, C-G and their compiled twin together."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from itertools import combinations_with_replacement
from types import new_class
from typing import Annotated, Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cdep import (
    BytesColumn,
    Call,
    Column,
    Command,
    Max,
    Service,
    Size,
    StateMachine,
    ValueType,
    condition,
    conflict,
    dependent,
    i8,
    i64,
    independent,
    mask,
    masks,
    partially_dependent,
    relation,
    service_of,
    u16,
    u64,
)

INTEGERS: list[Any] = [u64, i64, u16, i8, bool]
BYTES: list[Any] = [Annotated[bytes, Max(20)], Annotated[bytes, Size(3)], Annotated[bytes, Size(8)]]
DOMAINS: dict[str, list[Any]] = {"account": INTEGERS, "order": INTEGERS, "name": BYTES}
CALLS = 6
EXAMPLES = settings(max_examples=120, deadline=None, derandomize=True)

Draw = Callable[[st.SearchStrategy[Any]], Any]


@st.composite
def services(draw: Draw) -> Service:
    """A service of 1 to 6 commands over three domains; some domains have spread reads."""
    body = {f"act_{at}": draw(handlers(f"act_{at}")) for at in range(draw(st.integers(1, 6)))}
    used = {key.domain for command in service_of(_machine(body, ())).commands for key in command.dependencies}
    spread = draw(st.sets(st.sampled_from(sorted(used)))) if used else set()
    return service_of(_machine(body, tuple(spread)))


@st.composite
def handlers(draw: Draw, name: str) -> Callable[..., None]:
    """An annotated handler: up to four parameters, some or all of them its keys."""
    domains = draw(st.lists(st.sampled_from(sorted(DOMAINS)), max_size=4))
    types = {f"p{at}": draw(st.sampled_from(DOMAINS[domain])) for at, domain in enumerate(domains)}
    domain_of = dict(zip(types, domains, strict=True))

    def handler(*arguments: object) -> None: ...

    parameters = [Parameter(p, Parameter.POSITIONAL_OR_KEYWORD) for p in ("self", *types)]
    handler.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    handler.__annotations__ = {**types, "return": None}
    handler.__qualname__ = f"Random.{name}"
    access = st.sampled_from(["read", "write"])
    kind = draw(st.sampled_from(["partial", "partial", "partial", "dependent", "independent"]))
    if kind == "partial" and types:
        keys = draw(st.lists(st.sampled_from(sorted(types)), min_size=1, unique=True))
        return partially_dependent(
            *keys, domain={key: domain_of[key] for key in keys}, access={key: draw(access) for key in keys}
        )(handler)
    return independent(handler) if kind == "independent" else dependent(access=draw(access))(handler)


def _machine(body: dict[str, Any], spread_reads: tuple[str, ...]) -> type[StateMachine]:
    return new_class("Random", (StateMachine,), {"spread_reads": spread_reads}, lambda space: space.update(body))


def values(type_: ValueType) -> st.SearchStrategy[Any]:
    """Values of a type: mostly few, so that keys meet, and now and then any."""
    if type_.kind == "bool":
        return st.booleans()
    if type_.key_kind == "integer":
        limits = np.iinfo(type_.dtype)
        few = st.sampled_from([limits.min, 0, 1, 2, 64, limits.max])
        return few | st.integers(int(limits.min), int(limits.max))
    if type_.kind == "fixed":
        few = st.sampled_from([bytes(type_.limit), b"ab\0".ljust(type_.limit, b"x")])
        return few | st.binary(min_size=type_.limit, max_size=type_.limit)
    return st.sampled_from([b"", b"ab\0", bytes(8), b"ab\0xxxxx"]) | st.binary(max_size=type_.limit)


def calls(command: Command) -> st.SearchStrategy[Call]:
    """Calls of one command."""
    arguments = st.fixed_dictionaries({p.name: values(p.type) for p in command.parameters})
    return arguments.map(lambda given: Call(command.name, given))


def any_calls(service: Service) -> st.SearchStrategy[list[Call]]:
    """A handful of calls of any commands."""
    return st.lists(st.sampled_from(service.commands).flatmap(calls), min_size=2, max_size=CALLS)


positions = st.integers(0, 2**40)


@EXAMPLES
@given(st.data())
def test_masks_of_conflicting_calls_meet_at_any_positions(data: st.DataObject) -> None:
    service = data.draw(services())
    drawn = data.draw(any_calls(service))
    placed = [mask(service, call, data.draw(positions)) for call in drawn]
    for (a, mask_a), (b, mask_b) in combinations_with_replacement(zip(drawn, placed, strict=True), 2):
        assert 0 < mask_a < 1 << 64
        assert not conflict(service, a, b) or mask_a & mask_b, (a, b)


@EXAMPLES
@given(st.data())
def test_a_call_meets_itself_wherever_it_stands(data: st.DataObject) -> None:
    service = data.draw(services())
    call = data.draw(any_calls(service))[0]
    first, second = (mask(service, call, data.draw(positions)) for _ in range(2))
    assert not conflict(service, call, call) or first & second


@EXAMPLES
@given(st.data())
def test_conflict_is_symmetric(data: st.DataObject) -> None:
    service = data.draw(services())
    for a, b in combinations_with_replacement(data.draw(any_calls(service)), 2):
        assert conflict(service, a, b) == conflict(service, b, a)


@EXAMPLES
@given(st.data())
def test_the_graph_agrees_with_the_predicate(data: st.DataObject) -> None:
    service = data.draw(services())
    graph = relation(service)
    for one, other in combinations_with_replacement(data.draw(any_calls(service)), 2):
        a, b = sorted((one, other), key=lambda call: service.command(call.command).op)
        found = graph.edges[a.command, b.command]["condition"] if graph.has_edge(a.command, b.command) else ()
        expected = found == "always" or any(a.arguments[p] == b.arguments[q] for p, q in found)
        assert conflict(service, a, b) == expected


@EXAMPLES
@given(st.data())
def test_conditions_read_the_same_from_both_sides(data: st.DataObject) -> None:
    service = data.draw(services())
    for a, b in combinations_with_replacement(service.commands, 2):
        there, back = condition(a, b), condition(b, a)
        if isinstance(there, tuple) and isinstance(back, tuple):
            assert sorted(there) == sorted((p, q) for q, p in back)
        else:
            assert there == back


@EXAMPLES
@given(st.data())
def test_compiled_columns_agree_with_single_calls(data: st.DataObject) -> None:
    service = data.draw(services())
    command = data.draw(st.sampled_from(service.commands))
    drawn = data.draw(st.lists(calls(command), max_size=CALLS))
    at = data.draw(st.lists(positions, min_size=len(drawn), max_size=len(drawn)))
    columns = {p.name: column(p.type, [call.arguments[p.name] for call in drawn]) for p in command.parameters}
    found = masks(service, command, columns, np.array(at, np.int64))
    assert found.tolist() == [mask(service, call, position) for call, position in zip(drawn, at, strict=True)]


def column(type_: ValueType, rows: list[Any]) -> Column:
    """The rows as a batch would carry them."""
    if type_.kind != "bytes":
        return np.array(rows, type_.dtype)
    lengths = np.array([len(row) for row in rows], np.uint32)
    offsets = np.cumsum(lengths, dtype=np.uint32) - lengths
    return BytesColumn(np.frombuffer(b"".join(rows), np.uint8), offsets, lengths)
