"""Floats that may be NaN, where that decides what comes out."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from cdep.lint.values import CONSTANT, Value

if TYPE_CHECKING:
    from cdep.lint.unit import Unit

_ASKS = {"isnan", "isfinite"}


def guarded_in(function: ast.AST) -> frozenset[str]:
    """The expressions that a function compares with themselves, or asks `isnan` of: they are not NaN unnoticed."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and same(node.left, node.comparators[0]):
            found.add(ast.unparse(node.left))
        elif isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in _ASKS:
                found.add(ast.unparse(node.args[0]))
    return frozenset(found)


def same(left: ast.expr, right: ast.expr) -> bool:
    """Whether two expressions are one text."""
    return type(left) is type(right) and ast.dump(left) == ast.dump(right)


def may_be_nan(unit: Unit, node: ast.expr, value: Value) -> bool:
    """Whether a value is a float that the function did not look at first."""
    return value.kind == "float" and value.of is not CONSTANT.of and not _is_guarded(unit, node)


def check_comparison(unit: Unit, node: ast.Compare, values: list[Value]) -> None:
    """`==` and `!=` of two floats; a comparison with itself is how a NaN is found."""
    nodes = [node.left, *node.comparators]
    for place, operator in enumerate(node.ops):
        if not isinstance(operator, ast.Eq | ast.NotEq) or same(nodes[place], nodes[place + 1]):
            continue
        pair = values[place : place + 2]
        doubtful = [may_be_nan(unit, *each) for each in zip(nodes[place:], pair, strict=False)]
        plain = [value.kind == "number" or value.of is CONSTANT.of for value in pair]
        if any(doubtful) and not any(plain):
            unit.found(node, "nan", "floats compared for equality")


def check_order(unit: Unit, node: ast.AST, what: str, nodes: list[ast.expr], values: list[Value]) -> None:
    """min, max and sorting of floats: several arguments, or the elements of one."""
    if len(values) == 1:
        inner = values[0].inner if values[0].kind in {"list", "set", "iterator"} else None
        nodes = _element_nodes(nodes[0])
        values = [inner] * len(nodes) if inner else []
    if any(may_be_nan(unit, *each) for each in zip(nodes, values, strict=False)):
        unit.found(node, "nan", f"{what} of floats")


def _element_nodes(node: ast.expr) -> list[ast.expr]:
    """The expressions that elements come from, where they are written out."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return node.elts
    return [node.elt] if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp) else [node]


def check_key(unit: Unit, node: ast.expr, value: Value) -> None:
    """A float as a key."""
    if may_be_nan(unit, node, value):
        unit.found(node, "nan", "a float as a key")


def check_method(unit: Unit, node: ast.Call, name: str, base: Value, values: list[Value]) -> None:
    """Methods that put floats in order or use them as keys."""
    if name == "sort" and base.kind == "list":
        check_order(unit, node, "sort()", [node.func], [base])
    is_key = (base.kind == "set" and name in {"add", "discard", "remove"}) or (
        base.kind == "dict" and name in {"get", "setdefault", "pop"}
    )
    if is_key and values and node.args:
        check_key(unit, node.args[0], values[0])


def _is_guarded(unit: Unit, node: ast.expr) -> bool:
    function = unit.place.function
    return function is not None and ast.unparse(node) in unit.program.guarded(function)
