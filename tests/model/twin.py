"""The engine's compiled modules as plain Python, from the same source: with another memory below, and with faults put in."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

_U64 = (1 << 64) - 1


@dataclass(frozen=True)
class Fault:
    """A mistake, by name: in one module one piece of text, which must occur once, is replaced by another."""

    name: str
    module: str
    text: str
    instead: str

    def __str__(self) -> str:
        return self.name


class Twin:
    """Modules executed from their source; what they import of `primitives` is replaced, other twins are their own."""

    def __init__(
        self, modules: set[str], primitives: Mapping[str, Mapping[str, Any]], faults: tuple[Fault, ...] = ()
    ) -> None:
        self._modules = modules
        door = {"compiled": _as_it_is, "inlined": _as_it_is, "int64": signed, **primitives.get("cdep.compiled", {})}
        self._primitives = {
            name: SimpleNamespace(**names) for name, names in {**primitives, "cdep.compiled": door}.items()
        }
        self._faults = faults
        self._made: dict[str, ModuleType] = {}

    def module(self, name: str) -> Any:
        """A twin, made when it is first asked for."""
        if name not in self._made:
            self._made[name] = module = ModuleType(name)
            module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self._import}
            exec(compile(self._source(name), f"twin of {name}", "exec"), module.__dict__)
        return self._made[name]

    def _source(self, name: str) -> str:
        specification = find_spec(name)
        assert specification is not None
        source = Path(str(specification.origin)).read_text(encoding="utf-8")
        for fault in self._faults:
            if fault.module == name:
                assert source.count(fault.text) == 1, f"{fault}: the text to replace is not there once; adapt the fault"
                source = source.replace(fault.text, fault.instead)
        return source

    def _import(self, name: str, *rest: Any) -> Any:
        if name in self._primitives:
            return self._primitives[name]
        return self.module(name) if name in self._modules else builtins.__import__(name, *rest)


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def signed(value: Any) -> int:
    """64 bits as a signed number."""
    bits = int(value) & _U64
    return bits - (1 << 64) if bits >> 63 else bits
