"""`psmr bench`: one benchmark by name."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from psmr.cli.arguments import Json, benchmark_names, complete_benchmark, prose
from psmr.cli.interrupts import leaving_at_once
from psmr.cli.output import console
from psmr.json_output import JsonOutput


def bench(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Which benchmark; without one, they are listed.",
            autocompletion=complete_benchmark,
            show_default=False,
        ),
    ] = None,
    json: Json = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Shortened, to see that it runs; the figures mean little.")
    ] = False,
    plot_file: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw its curves there, as SVG or PNG; needs matplotlib."),
    ] = None,
    page_file: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write its report there as a page, where it has one."),
    ] = None,
) -> int:
    """Measure something: what replication costs, where parallelism collapses, ...

    [b]psmr bench[/] lists the benchmarks, each of which is one question.
    """
    from psmr.errors import ConfigurationError

    names = benchmark_names()
    if name is None:
        _list(names, JsonOutput(json))
        return 0
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        cure = f"did you mean {close[0]}?" if close else f"give one of: {', '.join(names) or 'none are installed'}"
        raise ConfigurationError(f"bench {name}: expected the name of a benchmark, found an unknown one: {cure}")
    output = JsonOutput(json)
    # By name: the engine imports nothing of what measures it.
    with leaving_at_once():
        command = importlib.import_module("bench.command")
        importlib.import_module(f"bench.{name}")
    return int(command.run_bench(name, output, quick, plot_file, page_file))


def _list(names: list[str], output: JsonOutput) -> None:
    questions = {name: _question(name) for name in names}
    if not output.is_alone:
        width = max(map(len, names), default=0)
        for name, question in questions.items():
            console().print(f"{name:<{width}}  {question}", markup=False, soft_wrap=True)
    output.write({"benchmarks": questions})


def _question(name: str) -> str:
    """What a benchmark asks, read from its source: to import it would load all that it measures."""
    spec = importlib.util.find_spec(f"bench.{name}")
    if spec is None or spec.origin is None:
        return ""
    for statement in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        match statement:
            case ast.Assign(targets=[ast.Name("QUESTION")], value=ast.Constant(str(question))):
                return question
    return ""


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(help=prose(bench), rich_help_panel="Checking and measuring")(bench)
