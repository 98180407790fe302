"""`StateMachine`, the base of every service, and `Service`, what is known of one once its class is defined.

Everything is checked while the class statement runs: a wrong annotation is a DeclarationError there, not a wrong
answer later.
"""

from __future__ import annotations

import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import BuiltinMethodType, FunctionType
from typing import Any, NoReturn

import xxhash

from cdep.command import Access, Command, CommandKind, Dependency, Parameter
from cdep.errors import CallError, DeclarationError
from cdep.inspection import commands_of
from cdep.staging import early_domains, placed
from cdep.writing import meant

__all__ = [
    "Access",
    "Command",
    "CommandKind",
    "Dependency",
    "Parameter",
    "Service",
    "StateField",
    "StateMachine",
    "fields_of",
    "service_of",
]

STRICT, COMMUTATIVE = ORDERS = ("strict", "commutative")
LIMIT_OF_COMMANDS = 65535

_OPTIONS = ("version", "spread_reads", "order")
_SERVICE = "__cdep_service__"
_OWN_COMMANDS = "__cdep_own_commands__"


class StateField(ABC):
    """A declaration of state, as a class attribute of a `StateMachine`: the base of maps, arrays and tables."""

    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        # The first name stays: a field with two names is refused when the service is built.
        self.name = self.name or name

    @abstractmethod
    def specification(self) -> str:
        """One canonical line: kind, types, capacity. It is part of the service's fingerprint."""


@dataclass(frozen=True)
class Service:
    """A service's commands, numbered, and its state: what both ends of a connection must agree on."""

    name: str
    module: str
    qualname: str
    version: int
    commands: tuple[Command, ...]
    state: tuple[tuple[str, str], ...]
    spread_reads: tuple[str, ...]
    order: str
    doc: str

    def command(self, name: str) -> Command:
        """The command called `name`; raises CallError, listing the known ones, if there is none."""
        found = self._by_name.get(name)
        if found is None:
            raise CallError(f"{self.name} has no command {name!r}; use one of: {', '.join(self._by_name)}")
        return found

    def specification(self) -> str:
        """The canonical text: all that fixes wire format, relation and groups, and no docstring or module name."""
        return "\n".join(
            [
                f"service {self.name} version {self.version}",
                *(command.specification() for command in self.commands),
                *(f"state {name} {text}" for name, text in self.state),
                *(f"spread_reads {domain}" for domain in self.spread_reads),
                *([] if self.order == STRICT else [f"order {self.order}"]),
            ]
        )

    @property
    def is_staged(self) -> bool:
        """Whether any command has an early stage."""
        return any(command.early is not None for command in self.commands)

    @cached_property
    def early_domains(self) -> frozenset[str]:
        """The domains that early stages are ordered by."""
        return early_domains(self.commands)

    @cached_property
    def fingerprint(self) -> int:
        """xxh3-64 of the specification: travels in every batch, so that mismatched ends never misread each other."""
        return int(xxhash.xxh3_64_intdigest(self.specification().encode()))

    @cached_property
    def _by_name(self) -> dict[str, Command]:
        return {command.name: command for command in self.commands}


class StateMachine:
    """Base of a service: a deterministic, sequential class whose public methods are its commands.

    Class keywords: `version` tells apart specifications that would otherwise be equal; `spread_reads` names domains
    whose reads go to one group each, wherever, and whose writes go to all groups; `order="commutative"` lets the commands of
    a batch that go to several groups be executed after its others (`cdep.execution_order`), for a batch is answered as a
    whole: never where the order in which one client's calls arrive means something. A subclass inherits commands, state,
    spread domains and order; what it inherits is numbered first.
    """

    now_us: int
    """Inside a handler: when the command was ordered, in microseconds since 1970; the same on every replica."""

    def __init_subclass__(
        cls, *, version: int = 1, spread_reads: Iterable[str] = (), order: str | None = None, **keywords: Any
    ) -> None:
        if keywords and isinstance(super().__init_subclass__, BuiltinMethodType):  # no other base has options
            _refuse_option(cls.__name__, next(iter(keywords)))
        super().__init_subclass__(**keywords)
        setattr(cls, _SERVICE, _build(cls, version, spread_reads, order, _names_around_class()))


def _refuse_option(name: str, word: str) -> NoReturn:
    raise DeclarationError(
        f"{name}: has no option {word!r}{meant(word, _OPTIONS)}; write class {name}(StateMachine, version=2)"
    )


def service_of(cls: type[StateMachine]) -> Service:
    """The service that a class declares; raises DeclarationError for a base without commands, and for what is no such class."""
    if not (isinstance(cls, type) and issubclass(cls, StateMachine)):
        raise DeclarationError(f"expected a class that inherits StateMachine, found {cls!r}; give the class itself")
    service = vars(cls).get(_SERVICE)
    if not isinstance(service, Service) or not service.commands:
        raise DeclarationError(f"{cls.__name__}: declares no command; add an annotated method")
    return service


def fields_of(cls: type[StateMachine]) -> dict[str, StateField]:
    """The state declarations of a class by name, inherited ones first."""
    return {name: field for base in _lineage(cls) for name, field in _own_fields(base).items()}


def _build(
    cls: type[StateMachine], version: int, spread_reads: Iterable[str], order: str | None, names: Mapping[str, object]
) -> Service:
    found = {name: command for base in _lineage(cls) for name, command in _own_commands(base, names).items()}
    fields = fields_of(cls)
    _check_members(cls, found, fields)
    if len(found) > LIMIT_OF_COMMANDS:
        raise DeclarationError(
            f"{cls.__name__}: has {len(found)} commands, and an op has 16 bits; use at most {LIMIT_OF_COMMANDS}"
        )
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise DeclarationError(f"{cls.__name__}: {version!r} is no version; use a whole number from 1 on")
    commands = placed(cls.__name__, tuple(replace(command, op=op) for op, command in enumerate(found.values())))
    _check_domains(cls.__name__, commands)
    service = Service(
        name=cls.__name__,
        module=cls.__module__,
        qualname=cls.__qualname__,
        version=version,
        commands=commands,
        state=tuple((name, field.specification()) for name, field in fields.items()),
        spread_reads=_spread_domains(cls, commands, spread_reads),
        order=_order(cls, order),
        doc=inspect.cleandoc(cls.__doc__ or ""),
    )
    if service.is_staged and (service.spread_reads or service.order != STRICT):
        raise DeclarationError(
            f"{cls.__name__}: early stages go with neither spread_reads nor commutative order; remove one or the other"
        )
    return service


def _lineage(cls: type) -> list[type]:
    """The class and what it inherits from, the oldest first, so that a later definition replaces an earlier one."""
    return [base for base in reversed(cls.__mro__) if base not in (object, StateMachine)]


def _own_fields(base: type) -> dict[str, StateField]:
    return {name: member for name, member in vars(base).items() if isinstance(member, StateField)}


def _own_commands(base: type, names: Mapping[str, object]) -> dict[str, Command]:
    """The commands in a class's own body; kept, because the names around the class are gone when a subclass comes."""
    known = vars(base).get(_OWN_COMMANDS)
    if isinstance(known, dict):
        return known
    found = commands_of(base.__name__, vars(base), names, _own_fields(base))
    if issubclass(base, StateMachine):
        setattr(base, _OWN_COMMANDS, found)
    return found


def _names_around_class() -> dict[str, object]:
    """The names that are visible where the class statement stands: types may be local to a function."""
    frame = sys._getframe(2)
    while frame.f_code.co_name == "__init_subclass__" and frame.f_back is not None:
        frame = frame.f_back
    return dict(frame.f_locals)


def _check_members(cls: type, commands: Mapping[str, Command], fields: Mapping[str, StateField]) -> None:
    for name in commands:
        if not isinstance(inspect.getattr_static(cls, name), FunctionType):
            raise DeclarationError(f"{cls.__name__}.{name}: hides an inherited command; give it another name")
    for name, field in fields.items():
        if inspect.getattr_static(cls, name) is not field:
            raise DeclarationError(f"{cls.__name__}.{name}: hides inherited state; give it another name")
        if field.name != name:
            raise DeclarationError(
                f"{cls.__name__}.{name}: is the same state as {field.name!r}; declare each name with a field of its own"
            )


def _check_domains(class_name: str, commands: tuple[Command, ...]) -> None:
    """Equal keys must be equal values: an integer and bytes of one domain could never meet."""
    first: dict[str, tuple[str, str | None]] = {}
    for command in commands:
        for key in command.touched:
            kind = command.parameter(key.parameter).type.key_kind
            other, known = first.setdefault(key.domain, (f"{command.name}({key.parameter})", kind))
            if kind != known:
                raise DeclarationError(
                    f"{class_name}.{command.name}: key {key.parameter!r} of domain {key.domain!r} is {kind}, "
                    f"but {other} is {known}; give them one type, or name another domain: domain=..."
                )


def _order(cls: type, given: str | None) -> str:
    if given is None:
        inherited = (getattr(vars(base).get(_SERVICE), "order", STRICT) for base in cls.__bases__)
        return max(inherited, key=ORDERS.index)
    if given not in ORDERS:
        raise DeclarationError(f"{cls.__name__}: {given!r} is no order; use one of: {', '.join(map(repr, ORDERS))}")
    return given


def _spread_domains(cls: type, commands: tuple[Command, ...], given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise DeclarationError(f"{cls.__name__}: spread_reads is a string; write spread_reads=({given!r},)")
    wanted = tuple(given)
    domains = sorted({key.domain for command in commands for key in command.touched})
    for domain in wanted:
        if domain not in domains:
            known = ", ".join(domains) or "it has none"
            raise DeclarationError(
                f"{cls.__name__}: spread_reads names {domain!r}, which is no domain; use one of: {known}"
            )
    inherited = [domain for base in cls.__bases__ for domain in getattr(vars(base).get(_SERVICE), "spread_reads", ())]
    return tuple(sorted({*wanted, *inherited} & set(domains)))
