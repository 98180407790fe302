"""`psmr fuzz`: mutants of valid inputs against every decoder."""

from __future__ import annotations

import faulthandler
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from psmr.cli.arguments import Json, prose
from psmr.cli.exits import ExitCode
from psmr.cli.output import console, rate_text, say
from psmr.json_output import JsonOutput

if TYPE_CHECKING:
    from psmr.fuzzing import Failure, Result

_NEWS_S = 10
_STUCK_S = 900
_MEMORY = Path("/dev/shm")


def fuzz(
    decoders: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DECODER ...]", help="Which decoders; without one, all of them.", show_default=False),
    ] = None,
    cases: Annotated[int, typer.Option("--cases", min=1, metavar="N", help="How many cases of each decoder.")] = 20_000,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="S", help="What the cases are drawn from.")] = 1,
    case: Annotated[
        int | None,
        typer.Option("--case", min=0, metavar="K", help="Only this case of one decoder, with its bytes."),
    ] = None,
    json: Json = None,
) -> int:
    """Give every decoder mutants of valid inputs: each must be refused by a documented error, or rightly accepted.

    A failing case is printed in hexadecimal, made small, with the command that runs it again.

    [b]psmr fuzz[/]  ·  [b]psmr fuzz batch record --cases 1000000 --seed 7[/]  ·  [b]psmr fuzz batch --seed 7 --case 123[/]
    """
    from psmr.cluster.folders import TemporaryFolder
    from psmr.errors import InvalidCall
    from psmr.fuzzing import SUMMARIES

    names = decoders or list(SUMMARIES)
    if case is not None and len(names) != 1:
        raise InvalidCall(f"fuzz --case: expected one decoder, found {len(names)}: name the one it belongs to")
    output = JsonOutput(json)
    with TemporaryFolder(_memory_folder()) as folder:
        if case is not None:
            rows = [_replayed(names[0], folder, seed, case)]
        else:
            rows = [_fuzzed(name, folder, seed, cases) for name in names]
    document = {"seed": seed, "cases": sum(row["cases"] for row in rows), "decoders": rows}
    if not output.is_alone:
        _print(rows)
    output.write(document)
    return ExitCode.FAILED if any(row["failure"] for row in rows) else ExitCode.OK


def _memory_folder() -> Path | None:
    """Where files cost no disk, if there is such a place: many decoders read one file a case."""
    return _MEMORY if os.access(_MEMORY, os.W_OK) else None


def _fuzzed(name: str, folder: Path, seed: int, cases: int) -> dict[str, Any]:
    from psmr.fuzzing import build, run

    target = build(name, folder)
    began_s = said_s = time.monotonic()

    def progress(result: Result) -> None:
        nonlocal said_s
        _end_when_stuck()
        if time.monotonic() - said_s >= _NEWS_S:
            said_s = time.monotonic()
            say(f"{name}: {result.cases} of {cases} cases")

    _end_when_stuck()
    try:
        result = run(target, seed, cases, progress)
    finally:
        faulthandler.cancel_dump_traceback_later()
    return _row(result, time.monotonic() - began_s)


def _end_when_stuck() -> None:
    """A loop in compiled code never comes back to the interpreter, which could end it: the process ends, and says where."""
    if sys.__stderr__ is not None:
        faulthandler.dump_traceback_later(_STUCK_S, exit=True, file=sys.__stderr__)


def _replayed(name: str, folder: Path, seed: int, case: int) -> dict[str, Any]:
    from psmr.fuzzing import build, replay

    began_s = time.monotonic()
    data, result = replay(build(name, folder), seed, case)
    return {**_row(result, time.monotonic() - began_s), "data": data.hex()}


def _row(result: Result, elapsed_s: float) -> dict[str, Any]:
    return {
        "decoder": result.target,
        "cases": result.cases,
        "accepted": result.accepted,
        "refused": result.refused,
        "elapsed_s": round(elapsed_s, 3),
        "failure": None if result.failure is None else _failure(result.failure),
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "case": failure.case,
        "kind": failure.kind,
        "text": failure.text[:500],
        "data": failure.data.hex(),
        "minimised": failure.minimised.hex(),
        "replay": failure.replay_command(),
    }


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table(title="Fuzzed decoders", title_justify="left")
    for column in ("decoder", "cases", "accepted", "refused", "cases/s", "result"):
        table.add_column(column, justify="left" if column in ("decoder", "result") else "right")
    for row in rows:
        rate = rate_text(row["cases"] / max(row["elapsed_s"], 1e-3))
        counts = (str(row[key]) for key in ("cases", "accepted", "refused"))
        table.add_row(row["decoder"], *counts, rate, "FAILED" if row["failure"] else "passed")
    output = console()
    output.print(table)
    for row in rows:
        if "data" in row:
            output.print(f"input: {row['data']}", markup=False, soft_wrap=True)
        if row["failure"]:
            _print_failure(row["decoder"], row["failure"])


def _print_failure(decoder: str, failure: dict[str, Any]) -> None:
    output = console()
    lines = (
        f"{decoder}, case {failure['case']}: {failure['kind']}: {failure['text']}",
        f"  input:     {failure['data']}",
        f"  minimised: {failure['minimised']}",
        f"  replay:    {failure['replay']}",
    )
    for line in lines:
        output.print(line, markup=False, soft_wrap=True)


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(help=prose(fuzz), rich_help_panel="Checking and measuring")(fuzz)
