"""Calls: what is called, with what, and what comes back."""

from __future__ import annotations

import ast
import dataclasses
import enum
from collections import defaultdict
from typing import Any

import numpy as np

from cdep.lint import builtin_calls, floats
from cdep.lint.members import after, class_member, member
from cdep.lint.names import MUTATORS
from cdep.lint.unit import Unit, python_function
from cdep.lint.values import DICT, FLOAT, ITERATOR, KEYS, NUMBER, SINGLE, TEXT, UNKNOWN, Value, element, listed

_IN_ORDER = {"extend", "extendleft", "writelines", "fromkeys", "join", "fromiter", "array", "asarray", "deque"}
_PUTS = {"append", "add", "insert", "appendleft", "extend", "setdefault"}
_CONSTRUCTED = ("__new__", "__init__", "__post_init__")
_PROTOCOL = (
    "__eq__",
    "__lt__",
    "__le__",
    "__gt__",
    "__ge__",
    "__bool__",
    "__len__",
    "__iter__",
    "__next__",
    "__enter__",
    "__exit__",
    "__getitem__",
    "__setitem__",
    "__contains__",
    "__add__",
    "__sub__",
    "__mul__",
)
"""What Python calls of an instance without its name being written; `__hash__` shows only in what is found elsewhere."""


class Calls(Unit):
    """Reads calls."""

    def attribute(self, node: ast.Attribute) -> tuple[Value, Value]:
        """The value before the dot, and the member behind it."""
        if _is_super(node.value) and self.place.receiver is not None and self.place.defined_in is not None:
            return self.place.receiver, after(self, node, self.place.receiver, self.place.defined_in)
        base = self.evaluate(node.value)
        found = member(self, node, base) if base.kind != "choice" else UNKNOWN
        if node.attr == "__hash__" and base.kind not in {"number", "float"}:
            self.found(node, "hash", "__hash__")
        return base, self.judge(node, found)

    def call(self, node: ast.Call) -> Value:
        """What a call gives."""
        base: Value | None = None
        if isinstance(node.func, ast.Attribute):
            base, callee = self.attribute(node.func)
        else:
            callee = self.evaluate(node.func)
        if self.place.is_constant:
            self.judge_called(node.func, callee)
        special = builtin_calls.reader_of(callee)
        if special is not None:
            return special(self, node)
        values, keywords = self.arguments(node)
        self.judge_call(node, callee, len(values) + len(keywords))
        if base is not None and isinstance(node.func, ast.Attribute):
            found = self._method(node, node.func.attr, base, values)
            if found is not None and callee.kind not in {"method", "closure"}:
                return found
        return self.invoke(node, callee, values, keywords)

    def arguments(self, node: ast.Call) -> tuple[list[Value], dict[str, Value]]:
        """The values given, by position and by name; what a star gives is not told apart."""
        values = [self.evaluate(each) for each in node.args]
        return values, {each.arg or "**": self.evaluate(each.value) for each in node.keywords}

    def invoke(self, node: ast.AST, callee: Value, values: list[Value], keywords: dict[str, Value]) -> Value:
        """Follow a call into what the service can be seen to call; the result, as far as it is known."""
        if callee.kind == "choice":
            results = [self.invoke(node, each, values, keywords) for each in callee.of]
            return results[0] if results else UNKNOWN
        if callee.kind == "closure":
            return callee.inner or UNKNOWN
        if callee.kind == "method":
            return self._bound(node, callee, values, keywords)
        if callee.kind != "known":
            return self._foreign(node, callee, values, keywords)
        if isinstance(callee.of, type):
            return self._construct(node, callee.of, values, keywords)
        function = python_function(callee.of)
        if function is not None and self.program.scope.has(function.__module__):
            self._check_compilation(node, callee.of)
            return self.program.call(function, None, values, keywords, self.place.chain)
        if self.program.scope.has(type(callee.of).__module__):
            called = Value("instance", of=type(callee.of), shared=callee.shared)
            return self.invoke(node, class_member(self, node, called.of, "__call__", called), values, keywords)
        return self._foreign(node, callee, values, keywords)

    def _bound(self, node: ast.AST, callee: Value, values: list[Value], keywords: dict[str, Value]) -> Value:
        function = python_function(callee.of) if callee.of is not None else None
        if function is None:
            return callee.inner or UNKNOWN
        self._check_compilation(node, callee.of)
        return self.program.call(function, callee.inner, values, keywords, self.place.chain)

    def _foreign(self, node: ast.AST, callee: Value, values: list[Value], keywords: dict[str, Value]) -> Value:
        """A library's function: it may call what it is given."""
        for given in (*values, *keywords.values()):
            if given.kind in {"method", "choice"} or self._is_own_function(given):
                self.invoke(node, given, [], {})
        if self.dotted(callee) in _GIVES_ITERATOR:
            return ITERATOR
        return UNKNOWN

    def _is_own_function(self, given: Value) -> bool:
        function = python_function(given.of) if given.kind == "known" and not isinstance(given.of, type) else None
        return function is not None and self.program.scope.has(function.__module__)

    def _construct(self, node: ast.AST, owner: type, values: list[Value], keywords: dict[str, Value]) -> Value:
        made = SINGLE if issubclass(owner, enum.Enum) else Value("instance", of=owner)
        if not self.program.scope.has(owner.__module__):
            self._foreign(node, Value("known", of=owner), values, keywords)
            return plain_instance(owner, values)
        for name in (*_CONSTRUCTED, *_PROTOCOL):
            home = next((base for base in owner.__mro__ if name in vars(base)), object)
            function = python_function(vars(home)[name]) if self.program.scope.has(home.__module__) else None
            if function is not None and name in _CONSTRUCTED:
                self.program.call(function, made, values, keywords, self.place.chain)
            elif function is not None:
                self.program.call(function, made, [], {}, self.place.chain)
        if dataclasses.is_dataclass(owner):
            self.program.default_factories(self, owner)
        if any("__del__" in vars(base) for base in owner.__mro__):
            self.found(node, "finalizer", f"{owner.__name__} has __del__")
        return made

    def _check_compilation(self, node: ast.AST, function: Any) -> None:
        """Options of a compiled function that let it add in any order."""
        options = getattr(function, "targetoptions", None)
        for name in ("parallel", "fastmath"):
            if isinstance(options, dict) and options.get(name):
                self.found(node, "float-order", f"a function compiled with {name}")

    def _method(self, node: ast.Call, name: str, base: Value, values: list[Value]) -> Value | None:
        """A method known by its name alone; None where its name says nothing."""
        if name in MUTATORS and base.shared and base.kind != "field":
            self.changed(node, base, f"{name}() on")
        if name in _IN_ORDER and any(value.kind == "set" for value in values):
            self.found(node, "set-order", f"{name}() of a set")
        if base.kind == "set" and name == "pop":
            self.found(node, "set-order", "pop() from a set")
            return element(base)
        if name == "__next__":
            return element(base)
        floats.check_method(self, node, name, base, values)
        if isinstance(node.func, ast.Attribute) and values and name in _PUTS:
            self.learn(node.func.value, values[-1] if name != "extend" else element(values[-1]))
        if base.kind == "field":
            return base.inner if name in {"get", "value_at"} else UNKNOWN
        if base.kind == "dict" and name in {"get", "pop", "setdefault"}:
            found = self._looked_up(node, base)
            return values[-1] if found.kind == "unknown" and len(values) > 1 else found
        if base.kind == "dict" and name == "values":
            return listed(element(base)).kept_by(base.shared)
        if base.kind == "text":
            builtin_calls.check_format(self, node, name, values)
            return TEXT
        if base.kind in {"unknown", "dict"} and name in {"keys", "items"}:
            return Value("keys", inner=Value("pair", inner=base.inner)) if name == "items" and base.inner else KEYS
        return None

    def _looked_up(self, node: ast.Call, base: Value) -> Value:
        return self.judge(node, element(base)) if base.shared else element(base)


_GIVES_ITERATOR = {
    "itertools.count",
    "itertools.cycle",
    "itertools.chain",
    "itertools.repeat",
    "itertools.islice",
    "itertools.accumulate",
}


def plain_instance(owner: type, values: list[Value]) -> Value:
    """What calling a library's class gives."""
    first = values[0] if values else UNKNOWN
    if issubclass(owner, set | frozenset):
        return Value("set", inner=element(first))
    if issubclass(owner, float | np.floating):
        return NUMBER if first.kind == "number" else FLOAT
    if issubclass(owner, bool | int | np.integer | np.bool_ | enum.Enum):
        return SINGLE if issubclass(owner, bool | np.bool_ | enum.Enum) else NUMBER
    if issubclass(owner, str | bytes | bytearray):
        return TEXT
    if issubclass(owner, defaultdict) and first.kind in {"known", "closure"}:
        return Value(
            "dict", inner=plain_instance(first.of, []) if isinstance(first.of, type) else first.inner or UNKNOWN
        )
    if issubclass(owner, dict):
        return DICT
    if issubclass(owner, list | tuple):
        return listed(element(first))
    if hasattr(owner, "__next__"):
        return ITERATOR
    return Value("instance", of=owner)


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args
