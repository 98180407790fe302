"""`psmr cdep`, and `psmr cdep show`: a service's relation and groups as tables, and the relation as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from psmr.cli import advise, verify
from psmr.cli.arguments import Json, Service, prose
from psmr.cli.lint import lint
from psmr.cli.output import console
from psmr.json_output import JsonOutput

if TYPE_CHECKING:
    from cdep import GroupsRow, RelationRow

group = typer.Typer(help="Look at what a service's annotations say.", no_args_is_help=True)


def show(
    service: Service,
    svg: Annotated[
        Path | None,
        typer.Option("--svg", metavar="FILE", help="Where to write the graph. [dim]default: SERVICE-cdep.svg, here[/]"),
    ] = None,
    no_svg: Annotated[bool, typer.Option("--no-svg", help="Write no graph.")] = False,
    json: Json = None,
) -> int:
    """Print which commands conflict (C-Dep) and which groups deliver each (C-G), and write the graph as SVG.

    Two commands of one group are executed in log order; commands without a common group may run in parallel.

    [b]psmr cdep show kv[/]
    """
    from cdep import groups_table, relation_svg, relation_table, service_of
    from psmr.files import write_whole
    from psmr.services import find_service, service_text

    to = JsonOutput(json)
    owner = find_service(service)
    found = service_of(owner)
    relation, groups = relation_table(found), groups_table(found)
    path = None if no_svg else svg or Path(f"{found.name}-cdep.svg")
    if path is not None:
        write_whole(path, relation_svg(found), what="an SVG picture", starts_with="<svg ")
    to.write(
        {
            "service": service_text(owner),
            "fingerprint": f"{found.fingerprint:#018x}",
            "relation": [_relation_document(row) for row in relation],
            "groups": [_groups_document(row) for row in groups],
            "svg": str(path) if path else None,
        }
    )
    if to.is_alone:
        return 0
    output = console()
    output.print(_relation_of(found.name, relation))
    output.print(_groups_of(found.name, groups))
    if path is not None:
        output.print(f"graph written to {path}", markup=False, soft_wrap=True)
    return 0


def _relation_of(name: str, rows: list[RelationRow]) -> Table:
    table = Table(title=f"C-Dep of {name}: whose order matters", title_justify="left")
    for column in ("command", "class", "parameters", "conflicts with"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(row.command, row.kind, row.parameters, _conflicts_text(row), end_section=True)
    return table


def _conflicts_text(row: RelationRow) -> str:
    """A line for each condition: "always: clear, size"."""
    others: dict[str, list[str]] = {}
    for other, when in row.conflicts:
        others.setdefault(when, []).append(other)
    return "\n".join(f"{when}: {', '.join(names)}" for when, names in others.items()) or "nothing"


def _groups_of(name: str, rows: list[GroupsRow]) -> Table:
    table = Table(title=f"C-G of {name}: who delivers it", title_justify="left")
    for column in ("command", "class", "touches", "groups"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(row.command, row.kind, row.touches, row.groups)
    return table


def _relation_document(row: RelationRow) -> dict[str, object]:
    conflicts = [{"command": other, "when": when} for other, when in row.conflicts]
    return {"command": row.command, "class": row.kind, "parameters": row.parameters, "conflicts": conflicts}


def _groups_document(row: GroupsRow) -> dict[str, str]:
    return {"command": row.command, "class": row.kind, "touches": row.touches, "groups": row.groups}


def register(program: typer.Typer) -> None:
    """Add the group of commands."""
    group.command(help=prose(show))(show)
    group.command(help=prose(lint))(lint)
    advise.register(group)
    verify.register(group)
    program.add_typer(group, name="cdep", rich_help_panel="Services")
