"""The three answers to "does this command's order matter?", given at the handler.

    @independent                                             against nothing
    @partially_dependent("source", "target", domain="account")   against commands that touch an equal key
    @dependent                                               against everything

A decorator returns the handler itself, with a frozen `Annotation` attached: it can be called as before.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, overload

from cdep.command import Access, CommandKind, Dependency, Stage
from cdep.errors import DeclarationError
from cdep.writing import written_as

F = TypeVar("F", bound=Callable[..., Any])

_ATTRIBUTE = "__cdep_annotation__"


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a decorator said of a handler."""

    kind: CommandKind
    access: Literal["none", "read", "write"]
    dependencies: tuple[Dependency, ...] = ()
    stage: Stage | None = None


def annotation_of(function: object) -> Annotation | None:
    """The annotation attached to a handler, None where there is none."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, Annotation) else None


@written_as("@independent, without brackets")
def independent(function: F) -> F:
    """The command commutes with every command, itself included; replicas may execute it in any order."""
    if isinstance(function, str):
        raise DeclarationError(f"@independent({function!r}) takes no key; write @partially_dependent({function!r})")
    return _attach(function, Annotation("independent", "none"))


@overload
def dependent(function: F, /) -> F: ...


@overload
def dependent(*, access: Access = "write") -> Callable[[F], F]: ...


@written_as('@dependent or @dependent(access="read")')
def dependent(function: Any = None, /, *, access: Access = "write") -> Any:
    """The command touches the whole state: ordered against everything, or, if it only reads, against all writes."""
    if isinstance(function, str):
        raise DeclarationError(f"@dependent({function!r}) takes no key; write @partially_dependent({function!r})")

    def decorate(handler: F) -> F:
        _check_access(where_of(handler), access)
        return _attach(handler, Annotation("dependent", access))

    return decorate if function is None else decorate(function)


@written_as('@partially_dependent("key", domain="...", access="read" or "write", stage=...)')
def partially_dependent(
    *parameters: str,
    domain: str | Mapping[str, str] | None = None,
    access: Access | Mapping[str, Access] = "write",
    stage: Literal["early", "exact"] | None = None,
) -> Callable[[F], F]:
    """The command touches one variable for each of `parameters`: the one that the parameter's value names.

    Parameters of one `domain` name the same variables; a parameter's own name is its domain unless another is given,
    for all parameters or, as a mapping, for some. `access` likewise says what the command does to them. `stage` is for
    services in which commands have early stages (`cdep.staging`): "early" runs with those, "exact" once all before it is complete.
    """

    first: object = parameters[0] if parameters else None
    if inspect.isfunction(first):
        where = where_of(first)
        raise DeclarationError(
            f'{where}: @partially_dependent names no parameter; write @partially_dependent("...") with those that are its keys'
        )

    def decorate(handler: F) -> F:
        where = where_of(handler)
        keys = keys_of(where, parameters, domain, access)
        if stage not in (None, "early", "exact"):
            raise DeclarationError(f'{where}: {stage!r} is no stage; use "early" or "exact", or leave it out')
        written: Access = "write" if any(key.access == "write" for key in keys) else "read"
        return _attach(handler, Annotation("partial", written, keys, stage))

    return decorate


def keys_of(
    where: str,
    parameters: tuple[str, ...],
    domain: str | Mapping[str, str] | None,
    access: Access | Mapping[str, Access],
) -> tuple[Dependency, ...]:
    """What an annotation's parameters, domains and accesses say; raises DeclarationError for what is wrong with them."""
    _check_parameters(where, parameters)
    domains = _spread(where, "domain", parameters, domain, {name: name for name in parameters})
    accesses = _spread(where, "access", parameters, access, dict.fromkeys(parameters, "write"))
    return tuple(_dependency(where, name, domains[name], accesses[name]) for name in parameters)


def _attach(function: F, annotation: Annotation) -> F:
    where = where_of(function)
    if not inspect.isfunction(function):
        raise DeclarationError(f"{where}: the annotation is on a {type(function).__name__}; put it on a plain method")
    if annotation_of(function) is not None:
        raise DeclarationError(f"{where}: has two annotations; keep the one that is true of it")
    setattr(function, _ATTRIBUTE, annotation)
    return function


def where_of(function: object) -> str:
    """`Class.method`, without the functions around the class."""
    name = getattr(getattr(function, "fget", function), "__qualname__", repr(function))
    return str(name).rpartition("<locals>.")[2]


def _check_parameters(where: str, parameters: tuple[object, ...]) -> None:
    if not parameters:
        raise DeclarationError(
            f"{where}: @partially_dependent() names no parameter; name its keys, or use @dependent or @independent"
        )
    for place, name in enumerate(parameters):
        if not isinstance(name, str):
            raise DeclarationError(
                f'{where}: @partially_dependent({name!r}) names no parameter; write names: @partially_dependent("key")'
            )
        if name in parameters[:place]:
            raise DeclarationError(f"{where}: @partially_dependent names {name!r} twice; name it once")


def _spread(
    where: str, word: str, parameters: tuple[str, ...], given: object, default: dict[str, str]
) -> dict[str, object]:
    """The value of `domain` or `access` for each parameter, from one value for all or a mapping for some."""
    if given is None:
        return dict(default)
    if not isinstance(given, Mapping):
        return dict.fromkeys(parameters, given)
    for name in given:
        if name not in parameters:
            known = ", ".join(parameters)
            raise DeclarationError(f"{where}: {word} is given for {name!r}, which is no key of it; use one of: {known}")
    return {**default, **given}


def _dependency(where: str, parameter: str, domain: object, access: object) -> Dependency:
    if not isinstance(domain, str) or not domain.isidentifier():
        raise DeclarationError(f'{where}: {domain!r} is no domain; use a plain name, such as "account"')
    return Dependency(parameter, domain, _check_access(where, access))


def _check_access(where: str, access: object) -> Access:
    if access == "read":
        return "read"
    if access == "write":
        return "write"
    raise DeclarationError(f'{where}: {access!r} is no access; use "read" or "write"')
