"""A command as its annotation and signature declare it: plain data, no behaviour of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cdep.types import ValueType

Access = Literal["read", "write"]
CommandKind = Literal["independent", "dependent", "partial"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a command."""

    name: str
    type: ValueType


@dataclass(frozen=True, slots=True)
class Dependency:
    """The command touches the variable (`domain`, value of `parameter`), and reads or writes it."""

    parameter: str
    domain: str
    access: Access


@dataclass(frozen=True, slots=True)
class Command:
    """A class of commands: everything that a record, a proxy and the dependency relation need to know.

    `op` is the command's number in its service. `reply` is None where the handler returns None; `optional` says that
    it may return None instead of a `reply`. `access` is "none" for independent commands and "write" for a partially
    dependent one that writes any of its variables. `dependencies` is empty unless `kind` is "partial".
    """

    name: str
    op: int
    parameters: tuple[Parameter, ...]
    reply: ValueType | None
    optional: bool
    kind: CommandKind
    access: Literal["none", "read", "write"]
    dependencies: tuple[Dependency, ...]
    doc: str

    def parameter(self, name: str) -> Parameter:
        """The parameter called `name`; it must be one of this command's."""
        return next(parameter for parameter in self.parameters if parameter.name == name)

    def specification(self) -> str:
        """One canonical line; two commands with the same line are the same on the wire and in the relation."""
        parameters = ", ".join(f"{parameter.name}: {parameter.type.name}" for parameter in self.parameters)
        reply = (self.reply.name if self.reply else "None") + (" | None" if self.optional else "")
        keys = "".join(f" {d.parameter}:{d.domain}:{d.access}" for d in self.dependencies)
        return f"command {self.op} {self.name}({parameters}) -> {reply} {self.kind} {self.access}{keys}"
