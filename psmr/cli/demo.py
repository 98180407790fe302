"""`psmr demo`: an application on a cluster of this machine, under load, watched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psmr.cli.arguments import AllowNondeterminism, Json, complete_service, prose
from psmr.cli.interrupts import leaving_at_once
from psmr.cli.workload_arguments import Settings, parameters_of, require_path
from psmr.json_output import JsonOutput

if TYPE_CHECKING:
    from psmr.workload import Application

Rate = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Commands a second that all clients together send at most. [dim]default: 25000, or what the application says[/]",
        show_default=False,
    ),
]


def demo(
    application: Annotated[
        str,
        typer.Argument(
            metavar="[APP]",
            help="Which application, such as [b]kv[/] or [b]kv:integer[/].",
            autocompletion=complete_service,
        ),
    ] = "kv",
    replicas: Annotated[int, typer.Option(min=1, max=7, help="Replicas to start.")] = 3,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Workers of each replica.")] = 2,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=3600,
            help="How long to send commands. [dim]default: 15; where an application judges a file as a whole, to its end[/]",
            show_default=False,
        ),
    ] = None,
    clients: Annotated[int, typer.Option(min=1, max=64, help="Clients that send them.")] = 4,
    input_file: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="FILE",
            help="Real commands to send instead of generated ones, where the application reads such a file.",
        ),
    ] = None,
    rate: Rate = None,
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Commands in a batch.")] = 64,
    seed: Annotated[int, typer.Option(help="Of the generated commands.")] = 1,
    allow_nondeterminism: AllowNondeterminism = False,
    settings: Settings = None,
    json: Json = None,
) -> int:
    """Run an application on a cluster of this machine, drive it, and show what ran in parallel.

    Nothing is installed and nothing stays: the cluster lives in a temporary folder.

    [b]psmr demo kv --workers 2[/]
    """
    output = JsonOutput(json)
    require_path("--input", input_file)
    with leaving_at_once():
        from psmr.demo.command import run_demo
        from psmr.demo.options import RATE, SECONDS, DemoOptions

        found = _application(application, allowed=allow_nondeterminism)

    return run_demo(
        DemoOptions(
            app=application,
            replicas=replicas,
            workers=workers,
            seconds=SECONDS if seconds is None else seconds,
            to_the_end=seconds is None and input_file is not None and found.judge is not None,
            clients=clients,
            input=input_file,
            output=output,
            lint="off" if allow_nondeterminism else "on",
            rate=rate or (found.rate if input_file is None else RATE),
            batch=batch,
            seed=seed,
            parameters=parameters_of(settings),
        )
    )


def _application(name: str, *, allowed: bool) -> Application:
    from psmr.cli.output import say
    from psmr.lint import refuse_nondeterminism
    from psmr.services import find_application

    found = find_application(name)
    refuse_nondeterminism(found.service, allowed=allowed, say=say)
    return found


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(help=prose(demo), rich_help_panel="Start here")(demo)
