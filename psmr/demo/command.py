"""`psmr demo` from options to exit code."""

from __future__ import annotations

from psmr.cluster.local import LocalCluster
from psmr.config import Tuning
from psmr.demo.leader_dies import LeaderDies
from psmr.demo.live import Display, shares
from psmr.demo.options import DemoOptions
from psmr.demo.result import DemoResult
from psmr.demo.running import print_outcome, run_and_verify
from psmr.demo.scenario import Scenario
from psmr.demo.traffic import longest_gap_ms
from psmr.demo.verdicts import judged, verdict_rows
from psmr.demo.verify import Findings
from psmr.replica.clocks import monotonic_us
from psmr.services import find_application, service_text

EXIT_FAILED = 1


def run_demo(options: DemoOptions) -> int:
    """Run, verify, say what came out; 0 only if every check holds."""
    application = find_application(options.app)
    title = f"{options.app}: {options.replicas} replicas × {options.workers} workers, {options.clients} clients"
    with Display(title, monotonic_us) as display:
        service = service_text(application.service)
        # The log is executed again in the end, so that none of it may go.
        kept = Tuning(archive=True)
        cluster = LocalCluster(
            service,
            name="demo",
            replicas=options.replicas,
            workers=options.workers,
            lint=options.lint,
            tuning=kept,
        )
        faults = LeaderDies(cluster, display, options.seconds)
        scenario = Scenario(options, application, cluster, display, faults)
        findings = run_and_verify(scenario, cluster, display)
    result = _result(options, scenario, findings, faults.killed_us)
    if not options.output.is_alone:
        print_outcome(result.app, result, _rows(result))
    options.output.write(result.as_json())
    return 0 if result.passed else EXIT_FAILED


def _result(options: DemoOptions, scenario: Scenario, findings: Findings, killed_us: int) -> DemoResult:
    traffic, course = scenario.traffic, scenario.course
    seconds = (course.ended_us - course.started_us) / 1e6
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
        unavailable_ms=round(longest_gap_ms(traffic.acknowledged_at_us, killed_us, course.ended_us), 1),
        **judged(scenario, findings),
    )


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
        *verdict_rows(result),
    ]
