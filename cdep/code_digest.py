"""What a compiled function was made of, as one digest: its code, and everything its code can reach by name.

Numba's cache knows a function by its own file alone. A compiled function holds copies of constants and of functions from
other files too, and after a change in one of those it must not be loaded any more.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import Any

import numpy as np
from numba.core.types import Type

_OF_A_VERSION = sys.stdlib_module_names | {"numba", "llvmlite", "numpy"}
"""Packages that change with a version, which whoever uses the digest has to compare besides."""
_PLAIN = (int, float, complex, str, bytes, type(None), type(...), np.generic)


def code_digest(*functions: Callable[..., Any]) -> str:
    """Equal for functions of equal code whose constants, callees and intrinsics are equal, all the way down."""
    walk = _Walk()
    for function in functions:
        walk.visit(function)
    return walk.digest.hexdigest()


class _Walk:
    """Goes through all that a function can reach, each function once."""

    def __init__(self) -> None:
        self.digest = hashlib.blake2b(digest_size=16)
        self._seen: set[Any] = set()

    def visit(self, value: Any) -> None:
        """Add a global, a constant or what a closure holds."""
        value = getattr(value, "py_func", value)  # a compiled function
        value = getattr(value, "_defn", value)  # an intrinsic
        if inspect.isfunction(value):
            self._visit_function(value)
        elif isinstance(value, tuple | list):
            self._add("(")
            for item in value:
                self.visit(item)
            self._add(")")
        elif isinstance(value, frozenset):
            self.visit(sorted(value, key=repr))
        elif isinstance(value, CodeType):
            self._visit_code(value)
        elif isinstance(value, Type):
            self._add(str(value))
        elif isinstance(value, _PLAIN):
            self._add(f"{type(value).__name__} {value!r}")
        else:
            self._add(_name_of(value))

    def _visit_function(self, function: Any) -> None:
        self._add(_name_of(function))
        if function in self._seen or function.__module__.partition(".")[0] in _OF_A_VERSION:
            return
        self._seen.add(function)
        self._visit_code(function.__code__)
        self.visit(function.__defaults__)
        for cell in function.__closure__ or ():
            self.visit(cell.cell_contents)
        for name, value in _reached(function.__code__, function.__globals__):
            self._add(name)
            self.visit(value)

    def _visit_code(self, code: CodeType) -> None:
        self.digest.update(code.co_code)
        self._add(" ".join(code.co_names))
        self.visit(code.co_consts)

    def _add(self, text: str) -> None:
        self.digest.update(text.encode() + b"\0")


def _reached(code: CodeType, names: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The globals that code and the functions in it name, and what they name of modules."""
    for name in code.co_names:
        value = names.get(name)
        if isinstance(value, ModuleType) and value.__name__.partition(".")[0] not in _OF_A_VERSION:
            yield from ((part, vars(value)[part]) for part in code.co_names if part in vars(value))
        elif name in names:
            yield name, value
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _reached(constant, names)


def _name_of(value: Any) -> str:
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"
