"""The relation and the groups, to be looked at: as an SVG picture and as tables of plain text.

The same service gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdep.picture import draw
from cdep.service import Service
from cdep.words import condition_text, groups_text, keys_text, kind_text, parameters_text


@dataclass(frozen=True, slots=True)
class RelationRow:
    """A command class and what it conflicts with: `conflicts` are pairs (other command, when)."""

    command: str
    kind: str
    parameters: str
    conflicts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class GroupsRow:
    """A command class, what it touches, and the groups that deliver it."""

    command: str
    kind: str
    touches: str
    groups: str


def relation_table(service: Service) -> list[RelationRow]:
    """One row a command, in the order of ops; conflicts are stated from this command's side."""
    return [
        RelationRow(
            command=command.name,
            kind=kind_text(command),
            parameters=parameters_text(command),
            conflicts=tuple(
                (other.name, when) for other in service.commands if (when := condition_text(command, other))
            ),
        )
        for command in service.commands
    ]


def groups_table(service: Service) -> list[GroupsRow]:
    """One row a command, in the order of ops."""
    return [
        GroupsRow(command.name, kind_text(command), keys_text(command), groups_text(service, command))
        for command in service.commands
    ]


def relation_svg(service: Service) -> str:
    """A self-contained SVG of the relation: no font file, no script; legible on light and on dark pages.

    Commands stand on a circle, those that conflict are joined by a line labelled with the condition, and one that
    conflicts with itself has a loop. A label without room for it is left out, which takes more than a dozen commands;
    pointing at its line still shows it.
    """
    return draw(service)
