"""`psmr proxies write`: the generated client and server of a service, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psmr.cli.arguments import Json, Service, prose
from psmr.cli.output import console
from psmr.json_output import JsonOutput

group = typer.Typer(help="The code that is generated from a service.", no_args_is_help=True)


@group.callback()
def _group() -> None:
    """Keeps `write` a command of its own name while it is the only one."""


def write(
    service: Service,
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Where to write them; made if need be.", show_default=False)
    ],
    json: Json = None,
) -> int:
    """Write the client proxy and the server proxy of a service as readable Python files.

    The same service gives the same bytes. Nobody needs these files to run a cluster: they are for reading, for type
    checkers, and for clients that are installed without the service's source.

    [b]psmr proxies write kv --to generated[/]
    """
    from psmr.errors import ConfigurationError
    from psmr.proxy_files import write_proxies
    from psmr.services import find_service

    output = JsonOutput(json)
    if to.exists() and not to.is_dir():
        raise ConfigurationError(f"--to {to}: expected a folder or nothing, found a file: give the path of a folder")
    written = write_proxies(find_service(service), to)
    if not output.is_alone:
        for path in written:
            console().print(str(path), markup=False, soft_wrap=True)
    output.write({"files": [str(path) for path in written]})
    return 0


def register(program: typer.Typer) -> None:
    """Add the group of commands."""
    group.command(help=prose(write))(write)
    program.add_typer(group, name="proxies", rich_help_panel="Services")
