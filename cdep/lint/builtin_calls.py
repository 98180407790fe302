"""Built-in functions that need a look of their own: those that care for order, and those that do not."""

from __future__ import annotations

import ast
import contextlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cdep.lint import floats
from cdep.lint.members import class_member
from cdep.lint.names import BROAD_EXCEPTIONS
from cdep.lint.unit import python_function
from cdep.lint.values import DICT, NUMBER, TEXT, UNKNOWN, Value, element, listed

if TYPE_CHECKING:
    from cdep.lint.calls import Calls

Reader = Callable[["Calls", ast.Call], Value]
_PASSES_ORDER_ON = {"list", "tuple", "map", "filter", "iter"}


def reader_of(callee: Value) -> Reader | None:
    """How to read a call of this built-in; None for anything else."""
    return _READERS.get(id(callee.of)) if callee.kind == "known" else None


def in_any_order(unit: Calls, node: ast.expr) -> Value:
    """An argument of something that does not care for order: what stands in between may be made from a set."""
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        return unit.comprehension(node, ordered=False)
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _PASSES_ORDER_ON
        and node.args
    ):
        unit.evaluate(node.func)
        *others, last = node.args
        callee = unit.evaluate(others[0]) if others else UNKNOWN
        value = in_any_order(unit, last)
        if node.func.id != "map":
            return value
        return Value(
            value.kind if value.kind == "set" else "list", inner=unit.invoke(node, callee, [element(value)], {})
        )
    return unit.evaluate(node)


def textual(unit: Calls, node: ast.AST, value: Value) -> None:
    """A value made into text."""
    if value.kind == "set":
        unit.found(node, "set-order", "the text of a set")
    elif value.kind in {"closure", "iterator", "method"} or _has_no_text(value):
        unit.found(node, "address", "the text of an object without one of its own")
    elif value.kind == "instance" and isinstance(value.of, type):
        for name in ("__str__", "__repr__"):
            unit.invoke(node, class_member(unit, node, value.of, name, value), [], {})


def check_format(unit: Calls, node: ast.Call, name: str, values: list[Value]) -> None:
    """`"{}".format(...)`."""
    if name == "format":
        for value in values:
            textual(unit, node, value)


def _has_no_text(value: Value) -> bool:
    if value.kind == "known" and not isinstance(value.of, type):
        return python_function(value.of) is not None or _is_plain_object(type(value.of))
    return value.kind == "instance" and isinstance(value.of, type) and _is_plain_object(value.of)


def _is_plain_object(owner: type) -> bool:
    return not any(name in vars(base) for base in owner.__mro__[:-1] for name in ("__repr__", "__str__"))


def _ordered(unit: Calls, node: ast.Call) -> Value:
    """list, tuple, enumerate …: what they give has the order of what they get."""
    values, _ = unit.arguments(node)
    name = getattr(node.func, "id", "")
    if any(value.kind == "set" for value in values):
        unit.found(node, "set-order", f"{name}() of a set")
    for value in values[:1]:
        if name in {"map", "filter"}:
            unit.invoke(node, value, [], {})
    inner = element(values[0]) if values and name not in {"map", "enumerate", "zip"} else UNKNOWN
    if name in {"bytes", "bytearray"}:
        return TEXT
    return listed(inner) if name in {"list", "tuple"} else Value("iterator", inner=inner)


def _next(unit: Calls, node: ast.Call) -> Value:
    values, _ = unit.arguments(node)
    if values and values[0].shared:
        unit.changed(node, values[0], "next() on")
    return element(values[0]) if values else UNKNOWN


def _unordered(unit: Calls, node: ast.Call) -> Value:
    """len, any, all, set …"""
    values = [in_any_order(unit, each) for each in node.args]
    for each in node.keywords:
        unit.evaluate(each.value)
    name = getattr(node.func, "id", "")
    if name in {"set", "frozenset"}:
        return Value("set", inner=element(values[0]) if values else UNKNOWN)
    return NUMBER


def _sorted(unit: Calls, node: ast.Call) -> Value:
    """sorted, min, max: by a key that ties, what comes out depends on what came in first."""
    name = getattr(node.func, "id", "")
    keys = [each.value for each in node.keywords if each.arg == "key"]
    for each in node.keywords:
        value = unit.evaluate(each.value)
        unit.invoke(node, value, [], {}) if each.arg == "key" else None
    values = [unit.evaluate(each) if keys else in_any_order(unit, each) for each in node.args]
    if keys and len(values) == 1 and values[0].kind == "set":
        unit.found(node, "set-order", f"{name}() of a set by a key that may tie")
    if not keys:
        floats.check_order(unit, node, f"{name}()", node.args, values)
    inner = element(values[0]) if len(values) == 1 else (values[0] if values else UNKNOWN)
    return listed(inner) if name == "sorted" else inner


def _sum(unit: Calls, node: ast.Call) -> Value:
    values = [in_any_order(unit, each) for each in node.args]
    inner = element(values[0]) if values else UNKNOWN
    if values and values[0].kind == "set" and inner.kind != "number":
        unit.found(node, "float-order", "sum() over a set")
    return inner if inner.kind in {"number", "float"} else UNKNOWN


def _hash(unit: Calls, node: ast.Call) -> Value:
    values, _ = unit.arguments(node)
    plain = values and (values[0].inner if values[0].kind == "list" else values[0])
    if not plain or plain.kind not in {"number", "float"}:
        unit.found(node, "hash", "hash()")
    return NUMBER


def _text(unit: Calls, node: ast.Call) -> Value:
    values, _ = unit.arguments(node)
    for value in values[:1]:
        textual(unit, node, value)
    return TEXT


def _type(unit: Calls, node: ast.Call) -> Value:
    values, _ = unit.arguments(node)
    if len(values) == 1 and values[0].kind == "instance":
        return Value("known", of=values[0].of)
    return UNKNOWN


def _set_attribute(unit: Calls, node: ast.Call) -> Value:
    values, _ = unit.arguments(node)
    if values:
        unit.store_attribute(node, values[0], _constant(node, 1), values[2] if len(values) > 2 else UNKNOWN)
    return UNKNOWN


def _get_attribute(unit: Calls, node: ast.Call) -> Value:
    name = _constant(node, 1)
    if not name.isidentifier():
        unit.arguments(node)
        return UNKNOWN
    read = ast.Attribute(node.args[0], name, ast.Load())
    for each in node.args[2:]:
        unit.evaluate(each)
    return unit.evaluate(ast.copy_location(read, node))


def _constant(node: ast.Call, place: int) -> str:
    found = node.args[place] if len(node.args) > place else None
    return found.value if isinstance(found, ast.Constant) and isinstance(found.value, str) else ""


def _variables(unit: Calls, node: ast.Call) -> Value:
    values, _ = unit.arguments(node)
    return DICT.kept_by(values[0].shared) if values else UNKNOWN


def _absolute(unit: Calls, node: ast.Call) -> Value:
    values, _ = unit.arguments(node)
    return values[0] if values and values[0].kind in {"number", "float"} else UNKNOWN


def _suppress(unit: Calls, node: ast.Call) -> Value:
    values, _ = unit.arguments(node)
    for value in values:
        if value.kind == "known" and is_broad(value.of):
            unit.found(node, "swallowed", f"suppress({value.of.__name__})")
    return UNKNOWN


def is_broad(kind: Any) -> bool:
    """Whether an exception class takes in what only one machine meets."""
    return kind in BROAD_EXCEPTIONS or (isinstance(kind, type) and issubclass(kind, OSError))


_BY_READER: list[tuple[Reader, tuple[Any, ...]]] = [
    (_ordered, (list, tuple, enumerate, zip, reversed, iter, map, filter, bytes, bytearray)),
    (_next, (next,)),
    (_unordered, (set, frozenset, len, any, all, bool, isinstance, issubclass, callable, math.fsum)),
    (_sorted, (sorted, min, max)),
    (_sum, (sum,)),
    (_hash, (hash,)),
    (_text, (str, repr, format, ascii)),
    (_type, (type,)),
    (_set_attribute, (setattr, delattr)),
    (_get_attribute, (getattr,)),
    (_absolute, (abs,)),
    (_variables, (vars,)),
    (_suppress, (contextlib.suppress,)),
]
_READERS: dict[int, Reader] = {id(function): reader for reader, functions in _BY_READER for function in functions}
