"""`psmr sim`: the whole path under seeded faults, in virtual time."""

from __future__ import annotations

from typing import Annotated

import typer

from psmr.cli.arguments import Json, prose
from psmr.cli.interrupts import leaving_at_once
from psmr.json_output import JsonOutput


def sim(
    seeds: Annotated[int, typer.Option(min=1, help="How many schedules to run.")] = 200,
    start: Annotated[int, typer.Option(min=0, help="The seed of the first.")] = 0,
    replicas: Annotated[int, typer.Option(min=1, max=7, help="Replicas of the simulated cluster.")] = 3,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the seeds.")] = 1,
    trace: Annotated[bool, typer.Option("--trace", help="Print every step, in words.")] = False,
    fault: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Put a fault into the engine, by name, or [b]all[/], or [b]list[/] them."),
    ] = None,
    json: Json = None,
) -> int:
    """Simulate a cluster and its clients under faults, one schedule a seed, and check every invariant.

    Ends with 1 at the first violation, and prints the command that replays it.

    [b]psmr sim --seeds 1000[/]
    """
    output = JsonOutput(json)
    with leaving_at_once():
        from psmr.cli.sim_run import SimOptions, run_faults, run_seeds
    options = SimOptions(seeds, start, replicas, jobs, trace, output)
    return run_seeds(options) if fault is None else run_faults(fault, options)


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(help=prose(sim), rich_help_panel="Checking and measuring")(sim)
