"""What stands behind a dot: the member of a module, a class, an instance, a field, or of something not loaded."""

from __future__ import annotations

import ast
import functools
import sys
from types import FunctionType, ModuleType
from typing import Any

from cdep.lint.annotated import annotated_value
from cdep.lint.names import KEEP_DRAWING
from cdep.lint.naming import code_of, usual
from cdep.lint.unit import (
    CLASS_ATTRIBUTE,
    SELF,
    Unit,
    column_value,
    field_value,
    known,
    python_function,
)
from cdep.lint.values import NUMBER, SET, UNKNOWN, Value
from cdep.service import StateField, StateMachine

_MAKES_SETS = {"union", "intersection", "difference", "symmetric_difference", "copy"}


def member(unit: Unit, node: ast.Attribute, base: Value) -> Value:
    """The value of `base.name`."""
    name = node.attr
    if base.kind == "name":
        return Value("name", of=f"{base.of}.{name}")
    if base.kind == "field":
        return column_value(base.of, name) or UNKNOWN
    if base.kind == "set":
        return Value("method", of=None, inner=SET) if name in _MAKES_SETS else UNKNOWN
    if base.kind == "instance":
        return class_member(unit, node, base.of, name, base)
    if base.kind != "known":
        return UNKNOWN.kept_by(base.shared)
    if isinstance(base.of, ModuleType):
        return _of_module(unit, node, base.of, name)
    if isinstance(base.of, type):
        return class_member(unit, node, base.of, name, None)
    return _of_object(unit, node, base, name)


def after(unit: Unit, node: ast.Attribute, receiver: Value, defined_in: type) -> Value:
    """What `super().name` means in a method of `defined_in`."""
    lineage = receiver.of.__mro__ if isinstance(receiver.of, type) else ()
    rest = lineage[lineage.index(defined_in) + 1 :] if defined_in in lineage else ()
    for base in rest:
        if node.attr in vars(base):
            found = vars(base)[node.attr]
            function = python_function(found)
            if function is not None and unit.program.scope.has(base.__module__):
                return Value("method", of=function, inner=receiver)
            return known(found) if unit.program.scope.has(base.__module__) else UNKNOWN
    return UNKNOWN


def class_member(unit: Unit, node: ast.AST, owner: type, name: str, receiver: Value | None) -> Value:
    """A member of a class, by way of an instance (`receiver`) or of the class itself (None)."""
    if name == "__class__" and receiver is not None:
        return Value("known", of=owner)
    home = next((base for base in owner.__mro__ if name in vars(base)), None)
    if home is None:
        return _undeclared(unit, owner, name, receiver)
    if not unit.program.scope.has(home.__module__):
        return _of_foreign_class(unit, home, name, receiver)
    found = vars(home)[name]
    bound = receiver or Value("known", of=owner)
    if isinstance(found, StateField):
        return field_value(found)
    if isinstance(found, functools.cached_property) and receiver is not None and receiver.shared == SELF:
        unit.found(node, "attribute", f"{name}, which is kept on self once it is computed")
    if isinstance(found, property | functools.cached_property):
        getter = found.fget if isinstance(found, property) else found.func
        return unit.program.call(getter, receiver, [], {}, unit.place.chain) if receiver and getter else UNKNOWN
    if isinstance(found, classmethod):
        return Value("method", of=found.__func__, inner=Value("known", of=owner))
    if isinstance(found, staticmethod):
        return known(found.__func__)
    if isinstance(found, FunctionType) or (not isinstance(found, type) and python_function(found)):
        return Value("method", of=found, inner=bound) if receiver else known(found)
    unit.program.class_variable(unit, home, name)
    return known(found, f"{CLASS_ATTRIBUTE} {owner.__name__}.{name}")


def library_value(unit: Unit, dotted: Value, found: Any) -> Value:
    """What a library has under a name: the object, or the name where only that says what is wrong with it.

    `sys.platform` could be anyone's text, and `weakref.WeakSet` says that it comes from another module.
    """
    if isinstance(found, ModuleType) or not code_of(dotted.of):
        return known(found)
    return known(found) if callable(found) and code_of(unit.program.naming.name_of(found)) else dotted


def _undeclared(unit: Unit, owner: type, name: str, receiver: Value | None) -> Value:
    """An attribute that no class body gives a value: of the instance alone."""
    if name == "now_us" and issubclass(owner, StateMachine):
        return NUMBER
    if receiver is not None and not receiver.shared and (owner, name) in unit.program.attributes:
        return unit.program.attributes[owner, name]
    hint = next((vars(base).get("__annotations__", {}).get(name) for base in owner.__mro__), None)
    names = vars(sys.modules[owner.__module__]) if owner.__module__ in sys.modules else {}
    value = annotated_value(_parsed(hint), names) if isinstance(hint, str) else UNKNOWN
    if receiver is None:
        return value
    # Named, so that a change of what it holds is reported there, whoever sets it.
    return value.kept_by(f"{SELF}.{name}" if receiver.shared == SELF else receiver.shared)


def _parsed(hint: str) -> ast.expr | None:
    try:
        return ast.parse(hint, mode="eval").body
    except SyntaxError:
        return None


def _of_module(unit: Unit, node: ast.Attribute, module: ModuleType, name: str) -> Value:
    if unit.program.scope.has(module.__name__):
        return unit.program.module_variable(unit, node, vars(module), name) if name in vars(module) else UNKNOWN
    dotted = Value("name", of=f"{usual(module.__name__)}.{name}")
    found = vars(module).get(name)
    if found is None and f"{module.__name__}.{name}" in sys.modules:
        found = sys.modules[f"{module.__name__}.{name}"]
    return library_value(unit, dotted, found)


def _of_foreign_class(unit: Unit, home: type, name: str, receiver: Value | None) -> Value:
    """A member of a library's class: worth a name where it is called on the class, or drawn from one that is kept."""
    dotted = f"{unit.program.naming.name_of(home)}.{name}"
    if receiver is None or (receiver.shared and dotted.startswith(KEEP_DRAWING)):
        return Value("name", of=dotted)
    return UNKNOWN.kept_by(receiver.shared)


def _of_object(unit: Unit, node: ast.Attribute, base: Value, name: str) -> Value:
    """A member of an object that was there before the command."""
    if unit.program.scope.has(type(base.of).__module__):
        own: dict[str, Any] = getattr(base.of, "__dict__", {})
        if name in own:
            return known(own[name], base.shared)
        return class_member(unit, node, type(base.of), name, Value("instance", of=type(base.of), shared=base.shared))
    if callable(base.of):
        return UNKNOWN
    return Value("name", of=f"{unit.program.naming.name_of(base.of)}.{name}")
