"""Arguments that collide: small pools for each kind of value, from the code's own constants, the state and a workload."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from types import CodeType, FunctionType
from typing import Any

from cdep import Parameter, Service, StateMachine, ValueType
from cdep.service import fields_of
from psmr.verification.machine import FIRST_STAMP_US, Call

_SMALL = (0, 1, 2, 3, 4, 5, 7, 10)
_BOUNDARIES = tuple(
    edge for bits in (7, 8, 15, 16, 31, 32, 63, 64) for edge in ((1 << bits) - 1, 1 << bits, -(1 << bits), -1)
)
_BYTES = (b"", b"a", b"b", b"ab", b"c", b"\0", b"a\0")
_FLOATS = (0.0, 1.0, 0.5, -1.0, 0.1, 0.2, 1e16, -0.0, float("inf"), float("nan"))
_SEEN_MAX = 64
_NAMED = 0.3
_NAMED_MAX = 8
"""How often an argument is one that a parameter of the same name has had on the way to the state, and of how many."""


def constants_of(owner: type[StateMachine]) -> tuple[list[int], list[bytes]]:
    """The integers and bytes that stand in a service's code, with capacities: what its branches compare with."""
    integers: dict[int, None] = {}
    content: dict[bytes, None] = {}
    for value in _constants(owner):
        if isinstance(value, bytes):
            content[value] = None
        elif isinstance(value, int):
            integers.update(dict.fromkeys((int(value), int(value) - 1, int(value) + 1)))
    return list(integers), list(content)


def _constants(owner: type[StateMachine]) -> Iterator[Any]:
    for field in fields_of(owner).values():
        yield getattr(field, "capacity", 1) - 1
    for base in owner.__mro__:
        for member in vars(base).values():
            if isinstance(member, FunctionType) and base.__module__ not in ("cdep.service", "builtins"):
                yield from _constants_of_code(member.__code__, member.__globals__)
            elif isinstance(member, int | bytes):
                yield member


def _constants_of_code(code: CodeType, names: dict[str, Any]) -> Iterator[Any]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _constants_of_code(constant, names)
        else:
            yield from constant if isinstance(constant, tuple | frozenset) else [constant]
    for name in code.co_names:
        value = names.get(name)
        if isinstance(value, type) and issubclass(value, int):
            yield from getattr(value, "__members__", {}).values()
        elif inspect.isfunction(value):
            yield from (constant for constant in value.__code__.co_consts if not isinstance(constant, CodeType))
        else:
            yield value


class Pools:
    """All that arguments are drawn from; `palette` chooses the few values that one round plays with."""

    def __init__(self, owner: type[StateMachine], service: Service, examples: Sequence[Call], chance: Random) -> None:
        self.service = service
        self._chance = chance
        self._integers, self._bytes = constants_of(owner)
        self._examples: dict[str, list[Call]] = {}
        for call in examples:
            self._examples.setdefault(call.command, []).append(call)
        self._names = sorted(self._examples)

    def palette(self) -> Palette:
        """The values of one round."""
        chance = self._chance
        integers = chance.sample(_SMALL, chance.choice((1, 2, 2, 3, 4)))
        content = chance.sample(_BYTES, chance.choice((1, 2, 2, 3)))
        examples = [chance.choice(self._examples[name]) for name in self._names for _ in range(2)]
        if self._integers:
            integers += chance.choices(self._integers, k=chance.choice((0, 1, 2, 4)))
        if self._bytes:
            content += chance.choices(self._bytes, k=chance.choice((0, 1, 2)))
        if chance.random() < 0.3:
            integers += chance.choices(_BOUNDARIES, k=2)
        if chance.random() < 0.5:
            for call in examples:
                integers += [value for value in call.arguments if isinstance(value, int)][:2]
                content += [value for value in call.arguments if isinstance(value, bytes)][:2]
        return Palette(chance, self.service, integers, content, examples, self._integers)


class Palette:
    """The few values of one round, so that keys meet; `learn` adds those that the service itself has come up with."""

    def __init__(
        self,
        chance: Random,
        service: Service,
        integers: list[int],
        content: list[bytes],
        examples: list[Call],
        constants: list[int],
    ) -> None:
        self._chance = chance
        self._service = service
        self._integers = integers
        self._constants = constants
        self._bytes = content
        self._examples: dict[str, list[Call]] = {}
        for call in examples:
            self._examples.setdefault(call.command, []).append(call)
        self._learnt: list[Any] = []
        self._named: dict[tuple[str, ValueType], list[Any]] = {}
        """What parameters of a name and type have carried, the latest last."""
        self._keys = {key.parameter for command in service.commands for key in command.touched}

    def learn(self, values: Iterable[Any]) -> None:
        """Replies, stored values and arguments of calls before, to be used as arguments later."""
        for value in values:
            if isinstance(value, int | bytes) and value not in self._learnt:
                self._learnt.append(value)
        if len(self._learnt) > _SEEN_MAX:
            self._learnt = self._learnt[-_SEEN_MAX:]

    def remember(self, call: Call) -> None:
        """A call on the way to the state: parameters of the same names may carry the same again."""
        for parameter, value in zip(self._service.command(call.command).parameters, call.arguments, strict=True):
            known = self._named.setdefault((parameter.name, parameter.type), [])
            if not isinstance(value, bool | float) and value not in known:
                known.append(value)
                del known[:-_NAMED_MAX]

    def call(self, name: str) -> Call:
        """A call of a command."""
        chance = self._chance
        examples = self._examples.get(name)
        parameters = self._service.command(name).parameters
        now_us = FIRST_STAMP_US + chance.choice((0, 0, 1, 1_000_000))
        if examples and chance.random() < 0.5:
            arguments = list(chance.choice(examples).arguments)
            if chance.random() < 0.5:
                for place, parameter in enumerate(parameters):
                    known = self._named.get((parameter.name, parameter.type))
                    if known and (parameter.name in self._keys or chance.random() < _NAMED):
                        arguments[place] = chance.choice(known)
            if parameters and chance.random() < 0.5:
                place = chance.randrange(len(parameters))
                arguments[place] = self._value(parameters[place])
            return Call(name, tuple(arguments), now_us)
        return Call(name, tuple(self._value(parameter) for parameter in parameters), now_us)

    def renamed(self, calls: Sequence[Call]) -> list[Call]:
        """The calls with one of their values replaced by another, everywhere."""
        found = {value for call in calls for value in call.arguments if isinstance(value, int | bytes)}
        values = sorted((value for value in found if not isinstance(value, bool)), key=repr)
        if not values:
            return []
        old = self._chance.choice(values)
        pool: Sequence[Any] = self._bytes if isinstance(old, bytes) else self._integers
        new = self._chance.choice(pool)
        return [self._with(call, old, new) for call in calls]

    def varied(self, call: Call) -> Call:
        """The call with another value of one parameter that is no key, if it has one."""
        parameters = self._service.command(call.command).parameters
        places = [place for place, parameter in enumerate(parameters) if parameter.name not in self._keys]
        if not places:
            return call
        arguments = list(call.arguments)
        place = self._chance.choice(places)
        arguments[place] = self._value(parameters[place])
        return call._replace(arguments=tuple(arguments))

    def _with(self, call: Call, old: Any, new: Any) -> Call:
        parameters = self._service.command(call.command).parameters
        arguments = [
            new if type(value) is type(old) and value == old and _carries(parameter.type, new) else value
            for parameter, value in zip(parameters, call.arguments, strict=True)
        ]
        return call._replace(arguments=tuple(arguments))

    def _value(self, parameter: Parameter) -> Any:
        chance, kind = self._chance, parameter.type
        if kind.kind == "bool":
            return chance.random() < 0.5
        if kind.kind == "float":
            return chance.choice(_FLOATS)
        known = self._named.get((parameter.name, kind))
        if known and chance.random() < _NAMED:
            return chance.choice(known)
        if kind.kind in ("bytes", "fixed"):
            return self._content(kind)
        for _ in range(4):
            value = self._integer(kind)
            if fits(kind, value):
                return value
        return chance.choice((0, 1))

    def _integer(self, kind: ValueType) -> int:
        chance = self._chance
        kept = [value for value in self._learnt if isinstance(value, int)]
        drawn = chance.random()
        if kept and drawn < 0.25:
            return int(chance.choice(kept)) + chance.choice((0, 0, 0, 1, -1))
        if drawn > 0.97:
            return chance.randrange(1 << chance.randint(1, 8 * kind.size_bytes))
        return chance.choice(self._constants if drawn > 0.9 and self._constants else self._integers)

    def _content(self, kind: ValueType) -> bytes:
        chance = self._chance
        kept = [value for value in self._learnt if isinstance(value, bytes)]
        drawn = chance.random()
        if kept and drawn < 0.25:
            value = chance.choice(kept)
        elif drawn > 0.95:
            value = chance.randbytes(chance.randint(0, min(kind.limit, 12)))
        else:
            value = chance.choice(self._bytes)
        if kind.kind == "fixed":
            return value[: kind.limit].ljust(kind.limit, b"\0")
        return value[: kind.limit]


def _carries(kind: ValueType, value: Any) -> bool:
    if isinstance(value, bytes):
        return len(value) == kind.limit if kind.kind == "fixed" else len(value) <= kind.limit
    return fits(kind, value)


def fits(kind: ValueType, value: int) -> bool:
    """Whether an integer parameter can carry the value."""
    bits = 8 * kind.size_bytes
    low, high = (0, (1 << bits) - 1) if kind.kind == "uint" else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    return low <= value <= high
