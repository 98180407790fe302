"""`psmr serve`: one replica, in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from psmr.cli.arguments import ClusterFile, prose
from psmr.cli.serving import Serve


def serve(
    file: ClusterFile,
    replica_id: Annotated[
        int,
        typer.Option(
            "--id",
            metavar="N",
            help="Which of the file's replicas to be.",
            show_default=False,
        ),
    ],
    join: Annotated[
        bool,
        typer.Option("--join", help="Wait to be added to a cluster that runs already; see [b]psmr members[/]."),
    ] = False,
) -> int:
    """Run one replica of a cluster until Ctrl-C or SIGTERM.

    Run it once for each replica of the file, in three terminals or on three hosts: that is a cluster. Every host needs
    the same file, the service's source, and a data folder of its own.

    [b]psmr serve cluster.toml --id 1[/]
    """
    return Serve(file, replica_id, join).run()


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(help=prose(serve), rich_help_panel="Clusters")(serve)
