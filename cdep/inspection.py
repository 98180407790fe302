"""From a class's methods to commands: every rule of a handler is checked here, while the class is defined."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from dataclasses import replace
from types import FunctionType, NoneType, UnionType

from cdep.annotations import Annotation, annotation_of
from cdep.command import Command, Parameter
from cdep.errors import DeclarationError
from cdep.staging import check_key, early_annotation_of, early_stage, is_carried
from cdep.types import ValueType, value_type

_HOW_TO_ANNOTATE = "annotate it with @independent, @partially_dependent(...) or @dependent"
_HOW_TO_HIDE = "or start its name with '_'"
_HOW_TO_BEGIN = (
    "declare state in the class as a Map, Array or Table, which begins empty, and give it first values by a command"
)


def commands_of(
    class_name: str, namespace: Mapping[str, object], names: Mapping[str, object], fields: Mapping[str, object]
) -> dict[str, Command]:
    """The commands that a class body defines, in its order, all with op 0.

    `names` are the names visible where the class statement stands, for types that are local to a function; `fields`
    are the state declarations among the members, which are no commands.
    """
    commands: dict[str, Command] = {}
    for name, member in namespace.items():
        if name in fields:
            continue
        where = f"{class_name}.{name}"
        annotation = annotation_of(member)
        if name in ("__init__", "__new__"):
            raise DeclarationError(f"{where}: is never called; {_HOW_TO_BEGIN}")
        if name.startswith("_"):
            if annotation is not None:
                raise DeclarationError(f"{where}: is private, yet annotated; remove the annotation or the '_'")
            _add_early_stage(where, member, commands, {**names, **namespace})
        elif _is_handler(member):
            handler = _plain_function(where, member)
            if annotation is None:
                raise DeclarationError(f"{where}: is public but not annotated; {_HOW_TO_ANNOTATE}, {_HOW_TO_HIDE}")
            commands[name] = _command(where, name, handler, annotation, {**names, **namespace})
    for name, command in commands.items():
        _check_carried(f"{class_name}.{name}", command, namespace[name], {**names, **namespace})
    return commands


def _add_early_stage(where: str, member: object, commands: dict[str, Command], names: dict[str, object]) -> None:
    annotation = early_annotation_of(member)
    if annotation is None:
        return
    command = commands.get(annotation.command)
    if command is None:
        raise DeclarationError(
            f"{where}: is the early stage of {annotation.command!r}, no command of this class above it"
        )
    if command.early is not None:
        raise DeclarationError(f"{where}: {command.name} has an early stage already, {command.early.method}; keep one")
    method = _plain_function(where, member)
    stage = early_stage(where, method, _hints(where, method, names), command, annotation)
    commands[command.name] = replace(command, early=stage)


def _check_carried(where: str, command: Command, member: object, names: dict[str, object]) -> None:
    """Whether a handler takes what an early stage returned, if and only if it has one, and last."""
    handler = _plain_function(where, member)
    hints = _hints(where, handler, names)
    carried = [is_carried(hints[name]) for name in list(inspect.signature(handler).parameters)[1:]]
    if (command.early is not None) != any(carried):
        raise DeclarationError(
            f"{where}: an early stage and a last parameter 'carried: Carried' belong together; add the other, or remove it"
        )
    if any(carried[:-1]):
        raise DeclarationError(f"{where}: what an early stage returned comes last; move the parameter of type Carried")


def _is_handler(member: object) -> bool:
    """Whether a member could be called or computed through an instance; constants and types are neither."""
    is_type = isinstance(member, type) or typing.get_origin(member) is not None
    return not is_type and (callable(member) or hasattr(member, "__get__"))


def _plain_function(where: str, member: object) -> FunctionType:
    if not isinstance(member, FunctionType):
        found = type(member).__name__
        raise DeclarationError(f"{where}: is a public {found}; make it a plain annotated method, {_HOW_TO_HIDE}")
    if inspect.iscoroutinefunction(member) or inspect.isgeneratorfunction(member) or inspect.isasyncgenfunction(member):
        raise DeclarationError(f"{where}: is no sequential function; use 'def' and 'return', without async and yield")
    return member


def _command(where: str, name: str, handler: FunctionType, annotation: Annotation, names: dict[str, object]) -> Command:
    hints = _hints(where, handler, names)
    parameters = _parameters(where, handler, hints)
    if "return" not in hints:
        raise DeclarationError(f"{where}: has no return type; add '-> None', '-> T' or '-> T | None'")
    reply, optional = _reply(where, hints["return"])
    _check_keys(where, annotation, parameters)
    return Command(
        name=name,
        op=0,
        parameters=parameters,
        reply=reply,
        optional=optional,
        kind=annotation.kind,
        access=annotation.access,
        dependencies=annotation.dependencies,
        doc=inspect.cleandoc(handler.__doc__ or ""),
        stage=annotation.stage,
    )


def _hints(where: str, handler: FunctionType, names: dict[str, object]) -> dict[str, object]:
    try:
        return typing.get_type_hints(handler, localns=names, include_extras=True)
    except NameError as error:
        raise DeclarationError(
            f"{where}: a type is called {error.name!r}, which is not defined here; import it in the service's module"
        ) from error
    except (AttributeError, SyntaxError, TypeError) as error:
        raise DeclarationError(f"{where}: a type cannot be read ({error}); correct the annotation") from error


def _parameters(where: str, handler: FunctionType, hints: dict[str, object]) -> tuple[Parameter, ...]:
    declared = list(inspect.signature(handler).parameters.values())
    if not declared or declared[0].kind not in (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.POSITIONAL_ONLY,
    ):
        raise DeclarationError(f"{where}: has no 'self'; make it the first parameter")
    return tuple(
        _parameter(where, parameter, hints) for parameter in declared[1:] if not is_carried(hints.get(parameter.name))
    )


def _parameter(where: str, declared: inspect.Parameter, hints: dict[str, object]) -> Parameter:
    name = declared.name
    if declared.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
        raise DeclarationError(
            f"{where}: '{declared}' is a {declared.kind.description} parameter; "
            "give each parameter a name and a type, without *, ** and /"
        )
    if declared.default is not inspect.Parameter.empty:
        raise DeclarationError(f"{where}: parameter {name!r} has a default; remove it, every call carries every value")
    if name not in hints:
        raise DeclarationError(f"{where}: parameter {name!r} has no type; add one, such as '{name}: u64'")
    return Parameter(name, _typed(f"{where}: parameter {name!r}", hints[name]))


def _reply(where: str, hint: object) -> tuple[ValueType | None, bool]:
    if hint is NoneType:
        return None, False
    if typing.get_origin(hint) not in (UnionType, typing.Union):
        return _typed(f"{where}: the reply", hint), False
    values = [part for part in typing.get_args(hint) if part is not NoneType]
    if len(values) != 1:
        raise DeclarationError(f"{where}: the reply has the type {hint}; use one type T, or 'T | None'")
    return _typed(f"{where}: the reply", values[0]), True


def _typed(what: str, hint: object) -> ValueType:
    try:
        return value_type(hint)
    except DeclarationError as error:
        raise DeclarationError(f"{what} {error}") from None


def _check_keys(where: str, annotation: Annotation, parameters: tuple[Parameter, ...]) -> None:
    known = {parameter.name: parameter for parameter in parameters}
    for key in annotation.dependencies:
        if key.parameter not in known:
            names = ", ".join(known) or "it has none"
            raise DeclarationError(
                f"{where}: @partially_dependent names {key.parameter!r}, which is no parameter; use one of: {names}"
            )
        check_key(where, known[key.parameter])
