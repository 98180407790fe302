"""Commands in two stages: an early one, ordered by keys of its own, and the main one, which is the command's handler.

    @partially_dependent("instrument")
    def order(self, instrument: u32, client: u32, amount: u64, carried: Carried) -> u64: ...

    @early(order, "client")
    def _reserve(self, client: u32, amount: u64) -> i64: ...

A command is its early stage, then its main stage with what the early one returned: that is what it means. What a service
promises, so that main stages may run after the early stages of commands behind them: for commands i before j,

- the early stage of j answers and writes the same whichever part of the main stage of i is done, a word at a time, or
  returns `WAIT`;
- no word is written by early and by main stages, and main stages read none that early stages write;
- a main stage that raises has written nothing yet that early stages read: it would be taken back.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

import numpy as np

from cdep.annotations import annotation_of, keys_of, where_of
from cdep.command import Command, Dependency, EarlyStage, Parameter, Stage
from cdep.errors import DeclarationError
from cdep.types import ValueType, i64, value_type
from cdep.writing import written_as

F = TypeVar("F", bound=Callable[..., Any])

_ATTRIBUTE = "__cdep_early__"


@dataclass(frozen=True, slots=True)
class _CarriedMark:
    """What tells the parameter `carried` from those that travel."""


_MARK = _CarriedMark()
Carried = Annotated[i64, _MARK]
"""The type of a staged command's last parameter: what its early stage returned; no part of the record."""

WAIT = np.int64(-(1 << 63))
"""What an early stage returns that cannot tell before every command before it is complete; what it wrote before is taken back.

It is asked again when that is so. If it returns WAIT then, the main stage gets WAIT: "no" was the answer.
"""


@dataclass(frozen=True, slots=True)
class EarlyAnnotation:
    """What `early` said of a method: the command whose early stage it is, and its keys."""

    command: str
    dependencies: tuple[Dependency, ...]


@written_as('@early(handler, "key", domain="...")')
def early(
    handler: Callable[..., Any], *parameters: str, domain: str | Mapping[str, str] | None = None
) -> Callable[[F], F]:
    """The private method below is the early stage of the command `handler`, ordered by the values of `parameters`.

    It takes any of the command's parameters, by name, and returns an i64: what the main stage gets as `carried`, or WAIT.
    """
    where = where_of(handler)
    if annotation_of(handler) is None:
        raise DeclarationError(f"{where}: has an early stage, but is no command; annotate it, above its early stage")

    def decorate(method: F) -> F:
        if not inspect.isfunction(method) or not method.__name__.startswith("_"):
            raise DeclarationError(
                f"{where_of(method)}: is an early stage; make it a plain method, its name with a '_'"
            )
        dependencies = keys_of(where_of(method), parameters, domain, "write")
        setattr(method, _ATTRIBUTE, EarlyAnnotation(handler.__name__, dependencies))
        return method

    return decorate


def early_annotation_of(member: object) -> EarlyAnnotation | None:
    """What `early` said of a method, None where it said nothing."""
    found = getattr(member, _ATTRIBUTE, None)
    return found if isinstance(found, EarlyAnnotation) else None


def is_carried(hint: object) -> bool:
    """Whether a parameter's type is `Carried`."""
    return typing.get_origin(hint) is Annotated and _MARK in typing.get_args(hint)[1:]


def early_stage(
    where: str, method: Callable[..., Any], hints: Mapping[str, object], command: Command, annotation: EarlyAnnotation
) -> EarlyStage:
    """The early stage of a command from its method, checked against the command's parameters."""
    known = {parameter.name: parameter for parameter in command.parameters}
    names = list(inspect.signature(method).parameters)[1:]
    for name in names:
        if name not in known or name not in hints or _type_of(hints[name]) != known[name].type:
            expected = ", ".join(f"{p.name}: {p.type.name}" for p in command.parameters)
            raise DeclarationError(
                f"{where}: parameter {name!r} is none of {command.name}; take any of: {expected}, with these types"
            )
    if hints.get("return") is not i64 and not is_carried(hints.get("return")):
        raise DeclarationError(f"{where}: an early stage returns what main gets as carried; write '-> i64'")
    for key in annotation.dependencies:
        if key.parameter not in names:
            raise DeclarationError(
                f"{where}: key {key.parameter!r} is no parameter of it; use one of: {', '.join(names)}"
            )
        check_key(where, known[key.parameter])
    return EarlyStage(method.__name__, tuple(names), annotation.dependencies)


def check_key(where: str, parameter: Parameter) -> None:
    """Raise DeclarationError for a parameter that cannot be a key."""
    if parameter.type.key_kind is None:
        raise DeclarationError(
            f"{where}: key {parameter.name!r} is an f64, and floats make no keys (NaN, -0.0); "
            "use an integer, bool or bytes as the key"
        )


def _type_of(hint: object) -> ValueType | None:
    try:
        return value_type(hint)
    except DeclarationError:
        return None


def early_domains(commands: tuple[Command, ...]) -> frozenset[str]:
    """The domains that early stages are ordered by."""
    return frozenset(key.domain for command in commands if command.early for key in command.early.dependencies)


def placed(class_name: str, commands: tuple[Command, ...]) -> tuple[Command, ...]:
    """The commands of a service, each with the stage that it belongs to; as they are in a service without early stages.

    Raises DeclarationError for one that has no place, or does not say which of two.
    """
    domains = early_domains(commands)
    return tuple(replace(command, stage=_stage(class_name, command, domains)) for command in commands)


def _stage(class_name: str, command: Command, domains: frozenset[str]) -> Stage | None:
    where = f"{class_name}.{command.name}"
    if not domains:
        if command.stage is not None:
            raise DeclarationError(
                f"{where}: says stage={command.stage!r}, but no command has an early stage; leave it out"
            )
        return None
    inside = {key.domain in domains for key in command.dependencies}
    if command.early is not None:
        return _stage_of_staged(where, command, touches_early=True in inside)
    if command.stage == "early" and inside != {True}:
        known = ", ".join(sorted(domains))
        raise DeclarationError(f"{where}: stage='early' is for keys of early stages' domains alone ({known})")
    if command.stage is not None:
        return command.stage
    if inside == {True}:
        raise DeclarationError(
            f"{where}: early stages have its domain; say stage='early' if main stages before it never matter to it, "
            "else stage='exact'"
        )
    return "exact" if command.kind == "dependent" or True in inside else "main"


def _stage_of_staged(where: str, command: Command, *, touches_early: bool) -> Stage:
    if command.kind == "dependent" or command.stage is not None or command.access == "read":
        raise DeclarationError(
            f"{where}: has an early stage; make its main stage @partially_dependent or @independent, without stage= and "
            "access='read'"
        )
    if touches_early:
        raise DeclarationError(
            f"{where}: its main stage depends on a domain of early stages; name its other keys, or use @independent"
        )
    return "main"
