"""One stretch of code being read: where it stands, what its names mean, and who called it."""

from __future__ import annotations

import ast
import builtins
import enum
import functools
import inspect
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from cdep.lint.names import HARMLESS
from cdep.lint.naming import code_of, code_of_call
from cdep.lint.source import SourceFile
from cdep.lint.values import CONSTANT, FLOAT, ITERATOR, NUMBER, SET, SINGLE, TEXT, UNKNOWN, Value, joined
from cdep.service import StateField

if TYPE_CHECKING:
    from cdep.lint.program import Program

MODULE_VARIABLE, CLOSURE_VARIABLE, CLASS_ATTRIBUTE, SELF = (
    "module variable",
    "closure variable",
    "class attribute",
    "self",
)
CODE_OF_KEEPER = {
    MODULE_VARIABLE: "global",
    CLOSURE_VARIABLE: "global",
    CLASS_ATTRIBUTE: "class-attribute",
    SELF: "attribute",
}
"""The code for changing what something keeps beyond the command, by the first words of `Value.shared`."""
CHOICES_MAX = 64
_INNER = ("__func__", "py_func", "func", "__wrapped__", "fget")
_WRAPPERS_MAX = 16


@dataclass(slots=True)
class Place:
    """Where code stands: its file, the names around it, and the classes of `self` and of the method itself."""

    file: SourceFile
    names: dict[str, Any]
    """The module's variables."""
    chain: tuple[str, ...]
    closure: dict[str, Value] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    """Names that are local, whether or not anything was bound to them so far."""
    receiver: Value | None = None
    defined_in: type | None = None
    is_constant: bool = False
    """Whether this gave a variable its value: what is named there matters where it is used, what is called there at once."""
    function: ast.AST | None = None
    """The function that is read, if it is one."""


class Unit(ABC):
    """The names in a stretch of code and what was found there; how it is read is in the classes above this one."""

    def __init__(self, program: Program, place: Place, variables: dict[str, Value] | None = None) -> None:
        self.program = program
        self.place = place
        self.variables = dict(variables or {})

    @abstractmethod
    def evaluate(self, node: ast.expr) -> Value:
        """What an expression gives, having reported what is in it."""

    @abstractmethod
    def comprehension(self, node: Any, *, ordered: bool) -> Value:
        """What a comprehension gives; `ordered`: the order of what it goes through shows in it."""

    @abstractmethod
    def store_attribute(self, node: ast.AST, base: Value, name: str, value: Value) -> None:
        """Look at `base.name = value`."""

    def found(self, node: ast.AST, code: str, what: str) -> None:
        """Report what stands at a node."""
        self.program.found(self.place, node, code, what)

    def changed(self, node: ast.AST, value: Value, what: str) -> None:
        """Report a change of what lives longer than the command."""
        if value.shared and value.kind != "field":
            self.found(node, code_of_keeper(value.shared), f"{what} {value.shared}")

    def judge(self, node: ast.AST, value: Value) -> Value:
        """Report a value that no handler should touch."""
        if self.place.is_constant and value.kind in {"known", "choice"}:
            return value
        return self.judge_called(node, value)

    def judge_called(self, node: ast.AST, value: Value) -> Value:
        """Report a value that no handler should call."""
        for each in value.of if value.kind == "choice" else (value,):
            name = self.dotted(each)
            code = code_of(name) if name else HARMLESS
            if code:
                self.found(node, code, name)
        return value

    def judge_call(self, node: ast.AST, value: Value, arguments: int) -> None:
        """Report a call of what is only harmless when told enough."""
        name = self.dotted(value)
        code = code_of_call(name, arguments) if name else HARMLESS
        if code:
            self.found(node, code, f"{name} with {arguments or 'no'} argument{'s' * (arguments != 1)}")

    def dotted(self, value: Value) -> str:
        """The dotted name of something that is not the service's own; empty for anything else."""
        if value.kind == "name":
            return "" if self.program.scope.has(str(value.of).partition(".")[0]) else str(value.of)
        if value.kind != "known" or isinstance(value.of, ModuleType):
            return ""
        inner = value.of.func if isinstance(value.of, functools.partial) else value.of
        home = getattr(inner, "__module__", None)
        if isinstance(home, str) and self.program.scope.has(home):
            return ""
        return self.program.naming.name_of(inner)

    def lookup(self, node: ast.Name) -> Value:
        """What a name means here."""
        name = node.id
        if name in self.variables:
            return self.variables[name]
        if name in self.place.own:
            return UNKNOWN
        if name in self.place.closure:
            return self.place.closure[name]
        if name in self.place.names:
            return self.program.module_variable(self, node, self.place.names, name)
        return known(getattr(builtins, name)) if hasattr(builtins, name) else UNKNOWN

    def bind(self, name: str, value: Value) -> None:
        """Let a name mean a value from here on."""
        self.variables[name] = value

    def learn(self, container: ast.expr, value: Value) -> None:
        """Remember what was put into a list or dict of the command's own."""
        before = self.variables.get(container.id) if isinstance(container, ast.Name) else None
        if before is None or before.shared or before.kind not in {"list", "dict", "set"} or value.kind == "unknown":
            return
        inner = joined(before.inner, value) if before.inner and before.inner.kind != "unknown" else value
        self.bind(container.id, replace(before, inner=inner))  # type: ignore[attr-defined]

    def merge(self, others: list[dict[str, Value]]) -> None:
        """Go on with what names may mean after several ways through the code."""
        merged = dict(others[0])
        for other in others[1:]:
            for name, value in other.items():
                merged[name] = joined(merged[name], value) if name in merged else value
        self.variables = merged


def code_of_keeper(shared: str) -> str:
    """The code for changing something kept."""
    return next(code for words, code in CODE_OF_KEEPER.items() if shared.startswith(words))


def known(value: Any, shared: str = "") -> Value:
    """The value that is known of an object that is there already; `shared` says what keeps it."""
    if isinstance(value, bool | np.bool_ | enum.Enum):
        return SINGLE
    if isinstance(value, int | np.integer):
        return NUMBER
    if isinstance(value, float | np.floating):
        return FLOAT if value != value else CONSTANT
    if isinstance(value, str | bytes):
        return TEXT
    if isinstance(value, StateField):
        return field_value(value)
    if isinstance(value, set | frozenset):
        return SET.kept_by(shared)
    if isinstance(value, list | tuple | dict):
        kind = "dict" if isinstance(value, dict) else "list"
        content = list(value.values() if isinstance(value, dict) else value)
        return Value(kind, inner=_choice(content), shared=shared)
    if callable(value) or isinstance(value, ModuleType):
        is_its_own = isinstance(value, type | ModuleType | FunctionType | BuiltinFunctionType | MethodType)
        return Value("known", of=value, shared="" if is_its_own else shared)
    if hasattr(type(value), "__next__"):
        return ITERATOR.kept_by(shared)
    return Value("known", of=value, shared=shared) if value is not None else UNKNOWN


def field_value(declared: StateField) -> Value:
    """Declared state, with the kind of value that it holds."""
    kind = getattr(getattr(declared, "value", None), "kind", "")
    return Value("field", of=declared, inner=_SEEN_AS.get(kind, UNKNOWN))


def column_value(declared: StateField, name: str) -> Value | None:
    """A column of a table."""
    fields = getattr(declared, "fields", None)
    if not isinstance(fields, dict) or name not in fields:
        return None
    return Value("field", of=fields[name], inner=_SEEN_AS.get(getattr(fields[name], "kind", ""), UNKNOWN))


_SEEN_AS = {"float": FLOAT, "int": NUMBER, "uint": NUMBER, "bool": NUMBER, "bytes": TEXT, "fixed": TEXT}


def _choice(content: list[Any]) -> Value:
    """What looking something up gives where functions are looked up."""
    if not content or len(content) > CHOICES_MAX or not all(callable(each) for each in content):
        return UNKNOWN
    return Value("choice", of=tuple(known(each) for each in content))


def python_function(value: Any) -> FunctionType | None:
    """The Python function inside a method, a compiled function, a partial or a wrapper; None if there is none."""
    for _ in range(_WRAPPERS_MAX):
        if isinstance(value, FunctionType):
            return value
        if isinstance(value, type | BuiltinFunctionType | ModuleType):
            return None
        inner = next((name for name in _INNER if inspect.getattr_static(value, name, None) is not None), None)
        if inner is None:
            return None
        value = getattr(value, inner)
    return None


def argument_names(code: CodeType) -> tuple[str, ...]:
    """A function's parameters, as `source.parameters` lists them."""
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_varnames[:count]
