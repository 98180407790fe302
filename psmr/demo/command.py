"""`psmr demo` from options to exit code."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import ExitStack
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from psmr.cluster.interrupts import holding_interrupts
from psmr.cluster.local import LocalCluster
from psmr.demo.apart import run_apart
from psmr.demo.live import Display, shares
from psmr.demo.options import DemoOptions, DemoResult
from psmr.demo.scenario import Scenario
from psmr.demo.traffic import longest_gap_ms
from psmr.demo.verify import Evidence, Findings, verify
from psmr.replica.clocks import monotonic_us
from psmr.replica.serve import cluster_id
from psmr.services import find_application, service_text

EXIT_FAILED = 1


def run_demo(options: DemoOptions) -> int:
    """Run, verify, say what came out; 0 only if every check holds."""
    application = find_application(options.app)
    title = f"{options.app}: {options.replicas} replicas × {options.workers} workers, {options.clients} clients"
    with Display(title, monotonic_us) as display:
        service = service_text(application.service)
        cluster = LocalCluster(service, name="demo", replicas=options.replicas, workers=options.workers)
        scenario = Scenario(options, application, cluster, display)
        display.event("starting the cluster (the first time, handlers are compiled)")
        with cluster:
            leader = cluster.wait_ready()
            display.event(f"up; replica {leader} leads; {options.rate:,} commands/s are offered")
            with ExitStack() as stack:
                # An event loop that is cut short while it is made complains when it is collected.
                with holding_interrupts():
                    runner = stack.enter_context(asyncio.Runner())
                runner.run(scenario.run())
            for replica in cluster.ids:
                cluster.stop(replica)
            display.event("verifying: log replayed, sequential model, linearizability")
            findings = run_apart(
                verify,
                Evidence(
                    options.app,
                    cluster.config.folder(cluster.ids[0]),
                    cluster_id(cluster.config),
                    int(scenario.course.statuses[0].get("delivered")),
                    scenario.traffic.records,
                ),
            )
    result = _result(options, scenario, findings)
    if options.json:
        sys.stdout.write(json.dumps({**asdict(result), "passed": result.passed}) + "\n")
    else:
        _print(result)
    return 0 if result.passed else EXIT_FAILED


def _result(options: DemoOptions, scenario: Scenario, findings: Findings) -> DemoResult:
    traffic, course = scenario.traffic, scenario.course
    seconds = (course.ended_us - course.started_us) / 1e6
    digests = tuple(f"{s.get('digest')}-{s.get('sessions_digest')}" for s in course.statuses)
    expected = f"{findings.digest}-{findings.sessions_digest}"
    first = course.statuses[0]
    return DemoResult(
        app=options.app,
        replicas=options.replicas,
        workers=options.workers,
        seconds=round(seconds, 3),
        commands=traffic.commands + traffic.unknown,
        commands_per_s=round(traffic.commands / seconds, 1),
        synchronous_commands=int(first.get("synchronous_commands")),
        worker_shares=tuple(round(share, 4) for share in shares(first.get("workers"))),
        unavailable_ms=round(longest_gap_ms(traffic.acknowledged_at_us, course.killed_us, course.ended_us), 1),
        acknowledged=traffic.commands,
        read_beside_log=traffic.reads,
        unknown=traffic.unknown,
        lost=findings.lost,
        duplicated=findings.duplicated,
        digests=digests,
        digests_equal=set(digests) == {expected},
        model_equal=findings.model_equal,
        model_difference=findings.model_difference,
        linearizable=findings.linearizable,
        linearizability=findings.linearizability,
    )


def _print(result: DemoResult) -> None:
    console = Console()
    table = Table(title=f"{result.app}: {'passed' if result.passed else 'FAILED'}", title_justify="left")
    table.add_column("what")
    table.add_column("found", justify="right")
    table.add_column("means")
    for row in _rows(result):
        table.add_row(*row)
    console.print(table)
    if result.model_difference:
        console.print(f"[red]model:[/red] {result.model_difference}", highlight=False)
    if result.linearizable is not True:
        console.print(result.linearizability, highlight=False, markup=False)


def _rows(result: DemoResult) -> list[tuple[str, str, str]]:
    parts = " ".join(f"{share:.0%}" for share in result.worker_shares)
    return [
        (
            "commands",
            f"{result.commands:,}",
            f"{result.commands_per_s:,.0f} a second; what writes was on disks before it was answered",
        ),
        ("read beside log", f"{result.read_beside_log:,}", "of them: by the replica asked, at a confirmed log index"),
        (
            "synchronous",
            f"{result.synchronous_commands:,}",
            "commands that made workers meet; the others ran in parallel",
        ),
        ("workers' shares", parts, "of the commands executed on one replica"),
        ("unavailable", f"{result.unavailable_ms:,.0f} ms", "longest wait for an answer after the leader was killed"),
        ("lost", _verdict(result.lost == 0, str(result.lost)), f"of {result.acknowledged:,} acknowledged commands"),
        ("duplicated", _verdict(result.duplicated == 0, str(result.duplicated)), "commands executed or answered twice"),
        (
            "digests equal",
            _verdict(result.digests_equal),
            "state and sessions, on all replicas and in a fresh replay of the log",
        ),
        ("model equal", _verdict(result.model_equal), "every reply and the final state, against sequential Python"),
        ("linearizable", _verdict(result.linearizable is True), result.linearizability.splitlines()[0]),
    ]


def _verdict(holds: bool, text: str = "") -> str:
    return f"[green]{text or 'yes'}[/green]" if holds else f"[bold red]{text or 'NO'}[/bold red]"
