"""`psmr chaos`: an application on a cluster of this machine, under load and under faults."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psmr.cli.arguments import Json, complete_service, prose
from psmr.cli.exits import ExitCode
from psmr.cli.interrupts import leaving_at_once
from psmr.files import check_place, write_whole
from psmr.json_output import JsonOutput

if TYPE_CHECKING:
    from psmr.chaos.options import ChaosOptions

_LARGE = {"kv": {"value_bytes": "256"}}
"""Parameters of workloads so that the log grows fast: snapshots are taken all the time then."""
_ALL = "all"
_REPLICAS = 3
_PAGE = "<!DOCTYPE html>"


def chaos(
    application: Annotated[
        str,
        typer.Argument(
            metavar="[APP]",
            help="Which application, such as [b]kv[/] or [b]kv:integer[/]; [b]all[/]: several in turn, 3 and 5 replicas.",
            autocompletion=complete_service,
        ),
    ] = "kv",
    seconds: Annotated[float, typer.Option(min=1, max=7200, help="How long to send commands and inject faults.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the faults and of the generated commands.")] = 1,
    replicas: Annotated[int, typer.Option(min=3, max=7, help="Replicas to start.")] = _REPLICAS,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Workers of each replica.")] = 2,
    clients: Annotated[int, typer.Option(min=1, max=64, help="Clients that send commands.")] = 4,
    rate: Annotated[int, typer.Option(min=1, help="Commands a second that all clients together send at most.")] = 4000,
    durability: Annotated[str, typer.Option(help="[b]disk[/] or [b]memory[/].")] = "disk",
    faults: Annotated[
        str | None,
        typer.Option(
            metavar="KIND,KIND", help="Which faults to draw from; all of them if not given.", show_default=False
        ),
    ] = None,
    kills: Annotated[
        int, typer.Option(min=0, max=10_000, help="Instead of drawn faults kill the leader so many times in a row.")
    ] = 0,
    election_timeout_ms: Annotated[int, typer.Option(min=10, max=60_000, help="As in the cluster's file.")] = 150,
    heartbeat_ms: Annotated[int, typer.Option(min=1, max=30_000, help="As in the cluster's file.")] = 75,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Keep the replicas' folders there, which must not exist; for a second look."
        ),
    ] = None,
    json: Json = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Draw what happened when there, as a page.")
    ] = None,
) -> int:
    """Inject faults into a cluster of this machine while clients work, then check that nothing was lost.

    Replicas are killed, paused, cut off from each other, slowed down, run out of disk, get their log or snapshot damaged, see
    the time of day jump, stay away, are replaced, restarted in turn; workers and clients die. Never more than a minority at
    once, but for short outages of all. Leaders are preferred. The same seed gives the same plan. Snapshots are taken all the
    time. Ends with the verdicts of [b]psmr demo[/].

    What replicas send each other passes through relays, which cut, hold or delay it: that takes no privileges, as network
    namespaces would, and fails each direction of each link by itself. A full disk is a limit on the size of files.

    [b]psmr chaos kv --seconds 20 --seed 7 --html chaos.html[/]
    """
    with leaving_at_once():
        from psmr.chaos.options import ChaosOptions
        from psmr.demo.options import DemoOptions
        from psmr.services import find_application

        if application == _ALL:
            _refuse_of_all(replicas, kills, data, html_file)
        else:
            find_application(application)
    large, lasts_s = _LARGE.get(application, {}), 1.0 if kills else seconds
    load = DemoOptions(
        application, _odd(replicas), workers, lasts_s, clients, rate=rate, batch=16, seed=seed, parameters=large
    )
    timing = _timing(election_timeout_ms, heartbeat_ms)
    options = ChaosOptions(load, _durability(durability), _kinds(faults), kills, *timing, _new_folder(data))
    if application == _ALL:
        return _run_all(options, JsonOutput(json))
    return _run_one(options, JsonOutput(json), html_file)


def _run_one(options: ChaosOptions, output: JsonOutput, html_file: Path | None) -> int:
    with leaving_at_once():
        from psmr.chaos.command import print_result, run_chaos

    if html_file is not None:
        check_place(html_file, what="a page", starts_with=_PAGE)
    result, page = run_chaos(options)
    if html_file is not None:
        write_whole(html_file, page, what="a page", starts_with=_PAGE)
    output.write(result.as_json())
    if not output.is_alone:
        print_result(result)
    return ExitCode.OK if result.passed else ExitCode.FAILED


def _run_all(options: ChaosOptions, output: JsonOutput) -> int:
    """One run after another, all with these options; each passes or is counted as failed, and all of them happen."""
    with leaving_at_once():
        from psmr.chaos.command import print_result
        from psmr.chaos.series import rounds, run_round

    found = []
    for part in rounds(options):
        ended = run_round(part, options, _LARGE.get(part.app, {}))
        found.append({**asdict(ended), "command": part.command, "passed": ended.passed})
        if ended.result is not None and not output.is_alone:
            print_result(ended.result)
        typer.echo(f"{'passed' if ended.passed else 'FAILED'}: {part.command} {ended.error}".rstrip(), err=True)
    failed = sum(not each["passed"] for each in found)
    typer.echo(f"{len(found) - failed} of {len(found)} runs passed", err=True)
    output.write({"runs": found, "passed": not failed})
    return ExitCode.FAILED if failed else ExitCode.OK


def _refuse_of_all(replicas: int, kills: int, data: Path | None, html_file: Path | None) -> None:
    """What is of one run, and what `all` chooses itself."""
    from psmr.errors import ConfigurationError

    given = (("--replicas", replicas != _REPLICAS), ("--kills", kills), ("--data", data), ("--html", html_file))
    for option, is_given in given:
        if is_given:
            raise ConfigurationError(
                f"{option}: expected one application beside it, found {_ALL}: name one, or leave it out"
            )


def _new_folder(folder: Path | None) -> Path | None:
    from psmr.errors import ConfigurationError

    if folder is not None and folder.exists():
        raise ConfigurationError(f"--data: expected a folder to make, found {folder} there: give another one")
    return folder


def _odd(replicas: int) -> int:
    from psmr.errors import ConfigurationError

    if replicas % 2 == 0:
        raise ConfigurationError(
            f"--replicas: expected 3, 5 or 7, found {replicas}: one more survives no more faults, one less as many"
        )
    return replicas


def _durability(word: str) -> str:
    from psmr.errors import ConfigurationError

    if word not in ("disk", "memory"):
        raise ConfigurationError(f'--durability: expected "disk" or "memory", found "{word}": correct the value')
    return word


def _kinds(words: str | None) -> tuple[str, ...]:
    from psmr.chaos.plan import KINDS
    from psmr.errors import ConfigurationError

    chosen = KINDS if words is None else tuple(word.strip() for word in words.split(","))
    for kind in chosen:
        if kind not in KINDS:
            raise ConfigurationError(f'--faults: expected some of {",".join(KINDS)}, found "{kind}": correct it')
    return chosen


def _timing(election_timeout_ms: int, heartbeat_ms: int) -> tuple[int, int]:
    from psmr.errors import ConfigurationError

    if election_timeout_ms < 2 * heartbeat_ms:
        raise ConfigurationError(
            f"--election-timeout-ms: expected at least twice the heartbeat ({heartbeat_ms} ms), found "
            f"{election_timeout_ms}: raise it, or lower --heartbeat-ms"
        )
    return election_timeout_ms, heartbeat_ms


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(help=prose(chaos), rich_help_panel="Start here")(chaos)
