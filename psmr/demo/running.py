"""A run from the cluster's start to the findings."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

from rich.console import Console
from rich.table import Table

from psmr.cluster.interrupts import holding_interrupts
from psmr.cluster.local import LocalCluster
from psmr.demo.apart import run_apart
from psmr.demo.input import workload_options
from psmr.demo.live import Display
from psmr.demo.scenario import Scenario
from psmr.demo.verdicts import Verdicts
from psmr.demo.verify import Evidence, Findings, verify
from psmr.replica.serve import cluster_id


def run_and_verify(
    scenario: Scenario, cluster: LocalCluster, display: Display, beside: AbstractContextManager[Any] | None = None
) -> Findings:
    """Start the cluster, let the scenario happen, stop everything, judge. `beside` is entered while the cluster starts."""
    options = scenario.options
    display.event("starting the cluster (the first time, handlers are compiled)")
    with cluster, beside or nullcontext():
        leader = cluster.wait_ready(still_waiting=lambda silent: display.event(_not_up(silent)))
        display.event(f"up; replica {leader} leads; {options.rate:,} commands/s are offered")
        with ExitStack() as stack:
            # An event loop that is cut short while it is made complains when it is collected.
            with holding_interrupts():
                runner = stack.enter_context(asyncio.Runner())
            runner.run(scenario.run())
        for replica in cluster.ids:
            cluster.stop(replica)
        display.event("verifying: log replayed, sequential model, linearizability")
        return run_apart(
            verify,
            Evidence(
                options.app,
                [cluster.config.folder(replica) for replica in cluster.ids],
                cluster_id(cluster.config),
                int(scenario.course.statuses[0].get("delivered")),
                scenario.traffic.records,
                cluster.departed,
                workload_options(options),
            ),
        )


def _not_up(silent: list[int]) -> str:
    if not silent:
        return "every replica answers; no leader yet"
    return f"replica{'s' if silent[1:] else ''} {', '.join(map(str, silent))} not up yet"


def print_outcome(app: str, verdicts: Verdicts, rows: list[tuple[str, str, str]]) -> None:
    """The table of a run, and what went wrong in it."""
    console = Console()
    table = Table(title=f"{app}: {'passed' if verdicts.passed else 'FAILED'}", title_justify="left")
    table.add_column("what")
    table.add_column("found", justify="right")
    table.add_column("means")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if verdicts.model_difference:
        console.print(f"[red]model:[/red] {verdicts.model_difference}", highlight=False)
    if verdicts.linearizable is not True:
        console.print(verdicts.linearizability, highlight=False, markup=False)
