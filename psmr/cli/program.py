"""`main`: runs one command, and turns words that are none into one line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from psmr.cli import (
    bench,
    chaos,
    check,
    demo,
    events,
    fuzz,
    members,
    proxies_commands,
    relation,
    replay,
    serve,
    sim,
    status,
    up,
    upgrade,
)
from psmr.cli.exits import MEANINGS, ExitCode
from psmr.cli.json_option import complete_json
from psmr.cli.reporting import report, reported
from psmr.cli.usage import usage_text

_EPILOG = "\n".join(
    [
        "[b]First steps:[/] psmr demo kv  ·  psmr cdep show kv  ·  psmr COMMAND --help",
        "",
        "[b]Exit codes[/]",
        *(f"[b]{code.value:>5}[/]  {meaning}" for code, meaning in MEANINGS.items()),
    ]
)

program = typer.Typer(
    name="psmr",
    help="Parallel state-machine replication: a Python class becomes a replicated service that executes independent "
    "commands in parallel.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"psmr {version('psmr')}")
        raise typer.Exit


@program.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of the program itself."""


for part in (
    demo,
    up,
    serve,
    status,
    events,
    members,
    upgrade,
    replay,
    relation,
    proxies_commands,
    check,
    sim,
    chaos,
    bench,
    fuzz,
):
    part.register(program)


def main(words: Sequence[str]) -> int:
    """Run the command that these words ask for; its exit code."""
    return reported(lambda: _run(words), words)


def _run(words: Sequence[str]) -> int:
    try:
        result = program(complete_json(program, list(words)), prog_name="psmr", standalone_mode=False)
    except TyperException as error:
        text = usage_text(program, words, error)
        return report("UsageError", text, ExitCode.CALLER, words) if text else ExitCode.CALLER
    except typer.Abort:
        return ExitCode.INTERRUPTED
    sys.stdout.flush()
    return result if isinstance(result, int) else ExitCode.OK
