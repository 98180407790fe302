"""`psmr cdep advise`: how far an application can be executed in parallel, predicted without running a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from psmr.cli.arguments import Json, complete_service, prose
from psmr.cli.interrupts import leaving_at_once
from psmr.cli.output import console, say
from psmr.cli.workload_arguments import Settings, parameters_of, require_path
from psmr.files import check_place, write_whole
from psmr.json_output import JsonOutput

_PAGE_STARTS = "<!DOCTYPE html>"


def advise(
    application: Annotated[
        str,
        typer.Argument(
            metavar="APP",
            help="An application ([b]kv[/]) or its variant ([b]kv:integer[/]); with --log, any service.",
            autocompletion=complete_service,
            show_default=False,
        ),
    ],
    input_file: Annotated[
        Path | None,
        typer.Option("--input", metavar="FILE", help="Real commands, read as the application's workload reads them."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log", metavar="DIR", help="The commands in the log of a replica's folder, which stays as it is."
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page with its curve, too.")
    ] = None,
    commands: Annotated[int, typer.Option(min=1000, max=10_000_000, help="How many commands to look at.")] = 200_000,
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Commands in a batch of the workload.")] = 1024,
    clients: Annotated[int, typer.Option(min=1, max=64, help="Clients of the workload.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the generated commands.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="How often to measure; the median counts.")] = 8,
    settings: Settings = None,
    json: Json = None,
) -> int:
    """Predict how many workers an application is worth, which commands and keys make it one thread, and what would help.

    What commands and meetings cost is measured on this machine, in seconds; the rest follows from the annotations.

    [b]psmr cdep advise kv --html kv.html[/]
    """
    output = JsonOutput(json)
    _check_sources(input_file, log)
    if html is not None:
        check_place(html, what="a page", starts_with=_PAGE_STARTS)
    with leaving_at_once():
        from psmr.advice.command import AdviceOptions
        from psmr.advice.command import advise as predicted
    document = predicted(
        AdviceOptions(
            app=application,
            input=input_file,
            log=log,
            commands=commands,
            clients=clients,
            batch=batch,
            seed=seed,
            rounds=rounds,
            parameters=parameters_of(settings),
        ),
        say,
    )
    if html is not None:
        from psmr.advice.page import page

        write_whole(html, page(document), what="a page", starts_with=_PAGE_STARTS)
        say(f"page written to {html}")
    if not output.is_alone:
        _show(document)
    output.write(document)
    return 0


def _check_sources(input_file: Path | None, log: Path | None) -> None:
    from psmr.errors import ConfigurationError

    if input_file is not None and log is not None:
        raise ConfigurationError("cdep advise: expected --input or --log, found both: give one of them")
    require_path("--input", input_file)
    require_path("--log", log)


def _show(document: dict[str, Any]) -> None:
    from rich.table import Table

    from psmr.advice.page import tables_of

    screen = console()
    screen.print(f"{document['service']}: {document['commands']:,} commands from {document['source']}", markup=False)
    screen.print(document["verdict"], markup=False)
    for title, (heading, *rows) in tables_of(document).items():
        if not rows:
            continue
        table = Table(title=title, title_justify="left")
        for text in heading:
            table.add_column(text, overflow="fold")
        for row in rows:
            table.add_row(*row)
        screen.print(table)


def register(group: typer.Typer) -> None:
    """Add the command to the group that looks at annotations."""
    group.command(help=prose(advise))(advise)
