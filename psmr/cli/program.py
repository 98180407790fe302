"""`main`: runs one command and turns what went wrong into one line and an exit code."""

from __future__ import annotations

import os
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
    serve,
    sim,
    status,
    up,
    upgrade,
)
from psmr.cli.exits import MEANINGS, ExitCode, describe, exit_code_of, one_line
from psmr.cli.json_option import complete_json
from psmr.cli.output import print_json, say_error, speak_any_encoding

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
    relation,
    proxies_commands,
    check,
    sim,
    chaos,
    bench,
    fuzz,
):
    part.register(program)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; its exit code. Prints no traceback for an error that a caller can mend."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    speak_any_encoding()
    try:
        return _run(words)
    except TyperException as error:
        message = one_line(error.format_message()).rstrip(".")
        if not message:  # no command was given, and help is shown already
            return ExitCode.CALLER
        return _report("UsageError", f"{message}: see {_command_path(error)} --help", ExitCode.CALLER, words)
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough of it. Python flushes stdout once more when it ends: into nothing, then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        described = describe(error)
        return _report(described["kind"], described["message"], code, words)


def _run(words: list[str]) -> int:
    result = program(complete_json(words), prog_name="psmr", standalone_mode=False)
    sys.stdout.flush()
    return result if isinstance(result, int) else ExitCode.OK


def _report(kind: str, message: str, code: ExitCode, words: list[str]) -> int:
    if "--json" in words:
        print_json({"error": {"kind": kind, "message": message, "exit_code": int(code)}})
    say_error(message)
    return code


def _command_path(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return str(context.command_path) if context is not None else "psmr"
