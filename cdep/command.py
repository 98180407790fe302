"""A command as its annotation and signature declare it: plain data, no behaviour of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cdep.types import ValueType

Access = Literal["read", "write"]
CommandKind = Literal["independent", "dependent", "partial"]
Stage = Literal["main", "early", "exact"]


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
class EarlyStage:
    """What runs before a command's handler, ordered by keys of its own: a private method and which parameters it takes."""

    method: str
    parameters: tuple[str, ...]
    dependencies: tuple[Dependency, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A class of commands: everything that a record, a proxy and the dependency relation need to know.

    `op` is the command's number in its service. `reply` is None where the handler returns None; `optional` says that
    it may return None instead of a `reply`. `access` is "none" for independent commands and "write" for a partially
    dependent one that writes any of its variables. `dependencies` is empty unless `kind` is "partial". `stage` is None
    in a service without early stages; there all this is of the handler, which is the command's main stage if it has an early one.
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
    stage: Stage | None = None
    early: EarlyStage | None = None

    @property
    def touched(self) -> tuple[Dependency, ...]:
        """What the command depends on in all: by its early stage, then by its handler."""
        return (self.early.dependencies if self.early else ()) + self.dependencies

    @property
    def commutes(self) -> bool:
        """Whether its order matters against no command: neither its handler nor an early stage depends on anything."""
        return self.kind == "independent" and self.early is None

    def parameter(self, name: str) -> Parameter:
        """The parameter called `name`; it must be one of this command's."""
        return next(parameter for parameter in self.parameters if parameter.name == name)

    def specification(self) -> str:
        """One canonical line; two commands with the same line are the same on the wire and in the relation."""
        parameters = ", ".join(f"{parameter.name}: {parameter.type.name}" for parameter in self.parameters)
        reply = (self.reply.name if self.reply else "None") + (" | None" if self.optional else "")
        line = f"command {self.op} {self.name}({parameters}) -> {reply} {self.kind} {self.access}"
        line += _keys_text(self.dependencies)
        if self.early:
            line += f" early ({', '.join(self.early.parameters)}){_keys_text(self.early.dependencies)}"
        return line if self.stage is None else f"{line} stage {self.stage}"


def _keys_text(dependencies: tuple[Dependency, ...]) -> str:
    return "".join(f" {d.parameter}:{d.domain}:{d.access}" for d in dependencies)
