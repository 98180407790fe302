"""What an annotation says of a value."""

from __future__ import annotations

import ast
import builtins
import enum
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from cdep.lint.values import FLOAT, KEYS, NUMBER, SINGLE, TEXT, UNKNOWN, Value

_SETS = {"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"}
_LISTS = {"list", "List", "tuple", "Tuple", "Sequence", "Iterable", "Collection"}


def annotated_value(node: ast.expr | None, names: Mapping[str, Any]) -> Value:
    """The value that an annotation promises; unknown where it says nothing that matters here."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return annotated_value(ast.parse(node.value, mode="eval").body, names)
        except SyntaxError:
            return UNKNOWN
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        left, right = annotated_value(node.left, names), annotated_value(node.right, names)
        return right if left.kind == "unknown" else left
    if isinstance(node, ast.Subscript):
        return _generic(node, names)
    if isinstance(node, ast.Name | ast.Attribute):
        return _plain(node, names)
    return UNKNOWN


def _generic(node: ast.Subscript, names: Mapping[str, Any]) -> Value:
    name = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
    inside = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    inner = annotated_value(inside[0], names)
    if name in _SETS:
        return Value("set", inner=inner)
    if name in _LISTS:
        return Value("list", inner=inner)
    if name in {"dict", "Dict", "Mapping", "defaultdict"}:
        return Value("dict", inner=annotated_value(inside[-1], names))
    if name in {"Iterator", "Generator"}:
        return Value("iterator", inner=inner)
    if name == "KeysView":
        return KEYS
    return inner if name in {"Annotated", "Optional", "Final", "ClassVar"} else UNKNOWN


def _plain(node: ast.Name | ast.Attribute, names: Mapping[str, Any]) -> Value:
    found = _resolved(node, names)
    if not isinstance(found, type):
        return _of_alias(found)
    if issubclass(found, float | np.floating):
        return FLOAT
    if issubclass(found, bool | np.bool_ | enum.Enum):
        return SINGLE
    if issubclass(found, int | np.integer):
        return NUMBER
    if issubclass(found, str | bytes):
        return TEXT
    if issubclass(found, set | frozenset):
        return Value("set", inner=UNKNOWN)
    if issubclass(found, list | tuple):
        return Value("list", inner=UNKNOWN)
    if issubclass(found, dict):
        return Value("dict", inner=UNKNOWN)
    return Value("instance", of=found) if found is not object else UNKNOWN


def _of_alias(found: Any) -> Value:
    """`Key = Annotated[bytes, Max(32)]`."""
    origin = getattr(found, "__origin__", None)
    return _plain(ast.Name("T"), {"T": origin}) if isinstance(origin, type) else UNKNOWN


def _resolved(node: ast.expr, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return names.get(node.id, getattr(builtins, node.id, None))
    if isinstance(node, ast.Attribute):
        base = _resolved(node.value, names)
        return vars(base).get(node.attr) if isinstance(base, ModuleType | type) else None
    return None
