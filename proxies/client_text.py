"""The text of a service's client proxies: typed classes that say of each command what its handler's signature says."""

from __future__ import annotations

from dataclasses import dataclass

from cdep import Command, Service, ValueType
from proxies.source import blocks, docstring, enclosed, free_name

_COLUMNS = {
    "int": "IntColumn",
    "uint": "IntColumn",
    "float": "FloatColumn",
    "bool": "BoolColumn",
    "bytes": "BytesColumn",
    "fixed": "FixedColumn",
}
_ALWAYS = (
    "Answer",
    "BaseAsyncBatch",
    "BaseAsyncClient",
    "BaseAsyncCommand",
    "BaseAsyncDriver",
    "BaseBlockingBatch",
    "BaseBlockingClient",
    "BaseBlockingCommand",
    "BaseBlockingDriver",
    "BatchBuilder",
    "PendingReplies",
    "PendingReply",
    "Replies",
    "ServiceProxy",
)
# The names that users see begin with "Async" and "Blocking": no name of the runtime does, whatever a service is called.
_HINTS = {"int", "float", "bool", "bytes", "overload"}
_MEMBERS = {"batch", "close", "connect", "events", "send", "submit", "service"}


@dataclass(frozen=True, slots=True)
class _Names:
    """What one command is called: as a member of clients and batches, and as the stem of its classes."""

    member: str
    stem: str


@dataclass(frozen=True, slots=True)
class _Hints:
    """One command's types."""

    name: str
    parameters: tuple[tuple[str, ValueType], ...]
    reply: str
    values: str

    @property
    def arguments(self) -> list[str]:
        return [name for name, _ in self.parameters]

    @property
    def single(self) -> list[str]:
        """The parameters of one call."""
        return [f"{name}: {type_.python}" for name, type_ in self.parameters]

    @property
    def columns(self) -> list[str]:
        """The parameters of many calls."""
        return [f"{name}: {_COLUMNS[type_.kind]}" for name, type_ in self.parameters] or ["count: int"]

    @property
    def either(self) -> list[str]:
        """The parameters of a method that takes both."""
        return [f"{name}: {type_.python} | {_COLUMNS[type_.kind]}" for name, type_ in self.parameters]

    @property
    def replies(self) -> str:
        return f"Replies[{self.reply}, {self.values}]"


def client_text(service: Service) -> str:
    """The client proxies' source; the same service gives the same bytes."""
    names = _names(service)
    hints = {command.name: _hints(command) for command in service.commands}
    used = _runtime_names(service)
    owner = _owner(service, used)
    parts = [f"{_head(service, used)}\n\n{_constants(service, owner)}"]
    for command in service.commands:
        parts.append(_async_command(command, names[command.name], hints[command.name]))
        parts.append(_blocking_command(command, names[command.name], hints[command.name]))
    parts.append(_rows(service, names, hints))
    parts += [_batch(service, "Async"), _batch(service, "Blocking")]
    parts += [_client(service, names, "Async"), _client(service, names, "Blocking")]
    return blocks(parts, 2) + "\n"


def _names(service: Service) -> dict[str, _Names]:
    members, stems = set(_MEMBERS | _HINTS), {f"{service.name}Batch"}
    found = {}
    for command in service.commands:
        stem = "".join(part[:1].upper() + part[1:] for part in command.name.split("_"))
        while {stem, f"Async{stem}", f"Blocking{stem}"} & stems:
            stem += "_"
        stems |= {stem, f"Async{stem}", f"Blocking{stem}"}
        found[command.name] = _Names(free_name(command.name, members), stem)
    return found


def _hints(command: Command) -> _Hints:
    taken = {"self"}
    parameters = tuple((free_name(parameter.name, taken), parameter.type) for parameter in command.parameters)
    if command.reply is None:
        return _Hints(command.name, parameters, "None", "None")
    reply = command.reply.python + (" | None" if command.optional else "")
    return _Hints(command.name, parameters, reply, _values(command.reply))


def _values(reply: ValueType) -> str:
    if reply.python == "bytes":
        return "list[bytes]"
    return f"NDArray[np.{'bool_' if reply.kind == 'bool' else reply.dtype.name}]"


def _runtime_names(service: Service) -> list[str]:
    """What the text imports from the runtime."""
    used = set(_ALWAYS)
    for command in service.commands:
        used |= {_COLUMNS[parameter.type.kind] for parameter in command.parameters}
        if command.reply is not None and command.reply.python != "bytes":
            used |= {"NDArray", "np"}
    return sorted(used)


def _owner(service: Service, used: list[str]) -> tuple[str, str]:
    """(what to import, how to say the class): a service may be called as something of the runtime is."""
    root, dot, inner = service.qualname.partition(".")
    generated = {"FINGERPRINT", "SERVICE", "overload", *used}
    local = free_name(root, generated)
    return (root if local == root else f"{root} as {local}"), local + dot + inner


def _head(service: Service, used: list[str]) -> str:
    several = any(len(command.parameters) > 1 for command in service.commands)
    imported, _ = _owner(service, used)
    about = (
        f"Client proxies of {service.name}.\n\n"
        f"Generated from {service.module}:{service.qualname}; do not edit.\n\n{service.doc or service.name + '.'}\n\n"
        f"    async with Async{service.name}.connect(addresses) as client: await client.command(...)\n"
        f"    with Blocking{service.name}.connect(addresses) as client: client.command(...)"
    )
    from_runtime = [f"from {_RUNTIME} import ("] + [f"    {name}," for name in used] + [")"]
    from_service = [f"from {service.module} import {imported}"]
    imports = sorted([from_runtime, from_service], key=lambda lines: lines[0].split()[1])
    lines = [docstring(0, about), "", "from __future__ import annotations", ""]
    if several:
        lines += ["from typing import overload", ""]
    return "\n".join([*lines, *(line for part in imports for line in part)])


_RUNTIME = "psmr.client.proxy"


def _constants(service: Service, owner: tuple[str, str]) -> str:
    return f"FINGERPRINT = 0x{service.fingerprint:016X}\nSERVICE = ServiceProxy({owner[1]}, FINGERPRINT)"


def _async_command(command: Command, names: _Names, hints: _Hints) -> str:
    answer = f"Answer[{hints.reply}]"
    many = f"Answer[{hints.replies}]"
    return _command_class(
        command,
        f"_Async{names.stem}",
        f"BaseAsyncCommand[{hints.reply}, {hints.values}]",
        [
            _method("__call__", hints.single, answer, _doc(command), "self._call", hints.arguments),
            _method("many", hints.columns, many, _MANY, "self._many", hints.arguments or ["count"]),
            _method("groups", hints.single, "int", _GROUPS, "self._groups", hints.arguments),
        ],
    )


def _blocking_command(command: Command, names: _Names, hints: _Hints) -> str:
    columns = hints.arguments or ["count"]
    pending = f"PendingReplies[{hints.reply}, {hints.values}]"
    return _command_class(
        command,
        f"_Blocking{names.stem}",
        f"BaseBlockingCommand[{hints.reply}, {hints.values}]",
        [
            _method("__call__", hints.single, hints.reply, _doc(command), "self._call", hints.arguments),
            _method("begin", hints.single, f"PendingReply[{hints.reply}]", _BEGIN, "self._begin", hints.arguments),
            _method("many", hints.columns, hints.replies, _MANY, "self._submit", columns, ".result()"),
            _method("submit", hints.columns, pending, _SUBMIT, "self._submit", columns),
            _method("groups", hints.single, "int", _GROUPS, "self._groups", hints.arguments),
        ],
    )


_MANY = "Many calls in one batch: the replies, in the order of the rows."
_BEGIN = "One call, without waiting: `result()` gives the reply. Calls begun meanwhile share a batch."
_SUBMIT = "As `many`, without waiting: `result()` gives the replies."
_GROUPS = "The groups that deliver the call if it stands first in its batch, as 64 bits."


def _doc(command: Command) -> str:
    return command.doc or f"Call `{command.name}`."


def _command_class(command: Command, name: str, base: str, methods: list[str]) -> str:
    head = [
        enclosed(0, f"class {name}", [base], ":"),
        docstring(4, f"The command `{command.name}`."),
        "",
        "    __slots__ = ()",
        f'    proxy = SERVICE["{command.name}"]',
    ]
    return blocks(["\n".join(head), *methods], 1)


def _method(
    name: str, parameters: list[str], result: str, doc: str, callee: str, arguments: list[str], after: str = ""
) -> str:
    """A method that calls another one with its arguments, and returns what that returns."""
    signature = enclosed(4, f"def {name}", ["self", *parameters], f" -> {result}:")
    returned = "" if result == "None" and name != "__call__" else "return "
    return "\n".join([signature, docstring(8, doc), enclosed(8, f"{returned}{callee}", arguments, after)])


def _rows(service: Service, names: dict[str, _Names], hints: dict[str, _Hints]) -> str:
    """The class that both kinds of batches have their commands from."""
    about = "Calls for one batch, in order: each of single values, or of a column for each parameter."
    head = f"class _{service.name}Batch(BatchBuilder):\n{docstring(4, about)}"
    return blocks([head, *(_adding(c, names[c.name], hints[c.name]) for c in service.commands)], 1)


def _adding(command: Command, names: _Names, hints: _Hints) -> str:
    proxy = f'SERVICE["{command.name}"]'
    if not command.parameters:
        return _method(names.member, ["count: int = 1"], "None", _doc(command), "self._repeat", [proxy, "count"])
    overloads = [
        f"    @overload\n{enclosed(4, f'def {names.member}', ['self', *parameters], ' -> None: ...')}"
        for parameters in (hints.single, hints.columns)
        if len(command.parameters) > 1
    ]
    added = _method(names.member, hints.either, "None", _doc(command), "self._add", [proxy, *hints.arguments])
    return "\n".join([*overloads, added])


def _batch(service: Service, kind: str) -> str:
    how = "`await send()`" if kind == "Async" else "`send()`, or `submit()` and `result()`"
    name = service.name
    return "\n".join(
        [
            enclosed(0, f"class {kind}{name}Batch", [f"_{name}Batch", f"Base{kind}Batch"], ":"),
            docstring(4, f"Calls of {name}, executed together: add them, then {how}."),
        ]
    )


def _client(service: Service, names: dict[str, _Names], kind: str) -> str:
    name = service.name
    about = service.doc or f"{name}."
    commands = [enclosed(8, f"self.{n.member} = _{kind}{n.stem}", ["driver"], "") for n in names.values()]
    head = [f"class {kind}{name}(Base{kind}Client):", docstring(4, about), "", "    service = SERVICE"]
    start = [
        f"    def __init__(self, driver: Base{kind}Driver) -> None:",
        "        super().__init__(driver)",
        *commands,
    ]
    batch = [
        f"    def batch(self) -> {kind}{name}Batch:",
        docstring(8, "A batch to add calls to; it is one batch in the log, its calls are executed in order."),
        f"        return {kind}{name}Batch(self._driver)",
    ]
    return blocks(["\n".join(head), "\n".join(start), "\n".join(batch)], 1)
