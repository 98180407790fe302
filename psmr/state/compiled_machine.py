"""A state machine as a Numba type: what `self` is in a compiled handler.

Its attributes are the declared containers and `now_us`; its methods are the class's private helpers, compiled from the
same source. The type is built from the class by `machine_type`; `constructor` gives the compiled function
`(frame, base of each field …) -> self`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, models, register_model

from cdep.compiled import overloaded_method, types
from cdep.service import StateMachine, fields_of
from psmr.state.compiled_containers import ContainerType, TableType
from psmr.state.field import Container
from psmr.state.frame import NOW_US


class MachineType(types.Type):
    """Numba's type of a service's `self`: the frame, then the base of each field."""

    def __init__(self, owner: type[StateMachine]) -> None:
        self.owner = owner
        self.fields = {name: field.compiled_type() for name, field in containers_of(owner).items()}
        super().__init__(name=f"psmr.Machine({owner.__module__}.{owner.__qualname__})")


@register_model(MachineType)
class _MachineModel(models.StructModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        members = [("frame", types.int64), *((f"field_{name}", types.int64) for name in kind.fields)]
        super().__init__(manager, kind, members)


@infer_getattr
class _MachineAttributes(AttributeTemplate):
    key = MachineType

    def generic_resolve(self, machine: Any, name: str) -> Any:
        return types.int64 if name == "now_us" else machine.fields.get(name)


@infer_getattr
class _TableAttributes(AttributeTemplate):
    key = TableType

    def generic_resolve(self, table: Any, name: str) -> Any:
        return table.columns.get(name)


def _container(context: Any, builder: Any, kind: ContainerType, base: Any, frame: Any) -> Any:
    value = ir.Constant(context.get_value_type(kind), ir.Undefined)
    return builder.insert_value(builder.insert_value(value, base, 0), frame, 1)


@lower_getattr_generic(MachineType)
def _machine_attribute(context: Any, builder: Any, machine: Any, value: Any, name: str) -> Any:
    frame = builder.extract_value(value, 0)
    if name == "now_us":
        place = builder.add(frame, ir.Constant(ir.IntType(64), NOW_US))
        return builder.load(builder.inttoptr(place, ir.IntType(64).as_pointer()))
    base = builder.extract_value(value, 1 + list(machine.fields).index(name))
    return _container(context, builder, machine.fields[name], base, frame)


@lower_getattr_generic(TableType)
def _table_attribute(context: Any, builder: Any, table: Any, value: Any, name: str) -> Any:
    base, frame = builder.extract_value(value, 0), builder.extract_value(value, 1)
    return _container(context, builder, table.columns[name], base, frame)


def containers_of(owner: type[StateMachine]) -> dict[str, Container]:
    """The state that a service declares, in order; raises TypeError for a field of another kind."""
    containers: dict[str, Container] = {}
    for name, field in fields_of(owner).items():
        if not isinstance(field, Container):
            raise TypeError(
                f"{owner.__name__}.{name}: expected a Map, Array, Table, Scratch or Event, found {type(field).__name__}"
            )
        containers[name] = field
    return containers


def constructor(owner: type[StateMachine]) -> Any:
    """The compiled function that makes `self` of a frame and the base address of each field."""
    machine = _type_of(owner)(owner)

    def typing_and_code(typing_context: Any, frame: Any, bases: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = ir.Constant(context.get_value_type(machine), ir.Undefined)
            value = builder.insert_value(value, arguments[0], 0)
            for place in range(len(machine.fields)):
                value = builder.insert_value(value, builder.extract_value(arguments[1], place), 1 + place)
            return value

        return machine(types.int64, types.UniTuple(types.int64, len(machine.fields))), code

    return intrinsic(typing_and_code)


def _type_of(owner: type[StateMachine]) -> type[MachineType]:
    """A Numba type class for one service, whose methods are the service's private ones."""
    kind = type(f"{owner.__name__}Type", (MachineType,), {})
    register_model(kind)(_MachineModel)
    for name in dir(owner):
        # Only the method that the class has in the end: of two registered under one name Numba takes the first.
        method = inspect.getattr_static(owner, name)
        if name.startswith("_") and not name.startswith("__") and inspect.isfunction(method):
            overloaded_method(kind, name)(_chooser(method))
    return kind


def _chooser(method: Callable[..., Any]) -> Callable[..., Any]:
    """What `overload_method` asks for: the implementation, under a signature equal to its own."""

    def choose(*arguments: Any, **keywords: Any) -> Any:
        return method

    choose.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
    return choose
