"""`psmr replay`: the state of a replica at any position of its log, command by command, and the first difference of two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psmr.cli.arguments import Json, complete_service, prose
from psmr.cli.interrupts import leaving_at_once
from psmr.json_output import JsonOutput

Folder = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help="A replica's data folder; it may be running, and stays as it is.", show_default=False
    ),
]
Workers = Annotated[int, typer.Option(min=1, max=16, help="Workers that execute.")]
ServiceOption = Annotated[
    str | None,
    typer.Option(
        "--service",
        metavar="SERVICE",
        help="The service that wrote the log. [dim]default: the application that did[/]",
        autocompletion=complete_service,
        show_default=False,
    ),
]


def replay(
    folder: Folder,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="N",
            help="Behind which entry, or [b]index:row[/], behind which of its commands. [dim]default: the last[/]",
            show_default=False,
        ),
    ] = None,
    service: ServiceOption = None,
    workers: Workers = 1,
    interpreted: Annotated[bool, typer.Option("--interpreted", help="Execute handlers interpreted.")] = False,
    step: Annotated[bool, typer.Option("--step", help="Show the commands on the way, with what each changed.")] = False,
    first: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="N", help="The first entry, or index:row, to show or compare.", show_default=False
        ),
    ] = None,
    count: Annotated[int, typer.Option("--last", min=1, help="Without --from: how many commands to show.")] = 20,
    show: Annotated[
        list[str] | None,
        typer.Option("--show", metavar="NAME[:KEY]", help="A container of the state, or a key of it; may be repeated."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How much of each to show at most.")] = 50,
    diff: Annotated[
        Path | None, typer.Option("--diff", metavar="DIR", help="Another folder: stop at the first difference.")
    ] = None,
    other_service: Annotated[
        str | None,
        typer.Option("--other-service", metavar="SERVICE", help="Another version of it, to compare with."),
    ] = None,
    other_workers: Annotated[
        int | None, typer.Option("--other-workers", min=1, max=16, help="Another number of them, to compare with.")
    ] = None,
    json: Json = None,
) -> int:
    """Replay a replica's log from its folder: to any position, command by command, or beside another.

    Delivery and execution are the replica's own, from the newest snapshot below the position. With [b]--step[/] in a terminal, and
    without [b]--json[/], Enter goes on, a number jumps, q ends. With [b]--diff[/], [b]--other-service[/] or
    [b]--other-workers[/] two are compared: ends with 0 if they are equal, and with 1 at the first difference.

    [b]psmr replay data/replica-1 --to 1200:17 --step[/]
    """
    with leaving_at_once():
        from psmr.cli.replay_run import Wishes, compare, travel
        from psmr.replaying.position import Position
        from psmr.replaying.travel import other_folder, side_of
        from psmr.services import find_service
    output = JsonOutput(json)
    side = side_of(folder, service, workers, compiled=not interpreted)
    start = None if first is None else Position.parse(first, "--from")
    last = None if to is None else Position.parse(to, "--to")
    if diff is None and other_service is None and other_workers is None:
        return travel(side, Wishes(last or Position(side.folder.last), start, step, count, show or [], limit, output))
    other = side if diff is None else other_folder(side, diff)
    owner = side.owner if other_service is None else find_service(other_service)
    other = other.as_executed_by(owner, other_workers or workers, compiled=not interpreted)
    return compare(side, other, start, last, output)


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(help=prose(replay), rich_help_panel="Clusters")(replay)
