"""`psmr chaos` from options to result."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from psmr.chaos.executor import Executor
from psmr.chaos.options import ChaosOptions, ChaosResult
from psmr.chaos.plan import leader_kills, plan
from psmr.chaos.relays import Relays
from psmr.chaos.report import percentile, plain, unavailable_ms
from psmr.chaos.snapshot_counts import SnapshotCounts
from psmr.chaos.timeline import draw
from psmr.cluster.local import LocalCluster
from psmr.config import Tuning
from psmr.demo.live import Display
from psmr.demo.running import print_outcome, run_and_verify
from psmr.demo.scenario import Scenario
from psmr.demo.verdicts import judged, verdict_rows
from psmr.demo.verify import Findings
from psmr.replica.clocks import SHIFTED, monotonic_us
from psmr.replica.ways import RELAYED
from psmr.services import find_application, service_text


def run_chaos(options: ChaosOptions) -> tuple[ChaosResult, str]:
    """Run and verify; the result, and its timeline as a page of HTML."""
    load = options.load
    application = find_application(load.app)
    faults = (
        leader_kills(options.kills) if options.kills else plan(load.seed, load.seconds, load.replicas, options.kinds)
    )
    with Display(f"{load.app}: {load.replicas} replicas, {len(faults)} faults", monotonic_us) as display:
        cluster = LocalCluster(
            service_text(application.service),
            name="chaos",
            replicas=load.replicas,
            workers=load.workers,
            durability=options.durability,
            tuning=_tuning(options),
            folder=options.data,
            variables={SHIFTED: "1", RELAYED: "1"},
        )
        relays = Relays(cluster)
        executor = Executor(faults, cluster, relays, display, load.seed)
        counts = SnapshotCounts()
        scenario = Scenario(
            load, application, cluster, display, executor, lambda statuses: counts.look(statuses, cluster.folder)
        )
        findings = run_and_verify(scenario, cluster, display, relays)
    result = _result(options, scenario, executor, findings, counts)
    started_us = scenario.course.started_us
    acknowledged_at_s = [(at - started_us) / 1e6 for at in scenario.traffic.acknowledged_at_us]
    return result, draw(result, acknowledged_at_s)


def print_result(result: ChaosResult) -> None:
    """The outcome for people."""
    print_outcome(result.app, result, _rows(result))


def _tuning(options: ChaosOptions) -> Tuning:
    """The log is executed again in the end, so that none of it may go; kills of leaders are timed without snapshots."""
    timing = Tuning(election_timeout_ms=options.election_timeout_ms, heartbeat_ms=options.heartbeat_ms, archive=True)
    return timing if options.kills else replace(timing, snapshot_mib=1, segment_mib=1, retain_mib=0)


def _result(
    options: ChaosOptions, scenario: Scenario, executor: Executor, findings: Findings, counts: SnapshotCounts
) -> ChaosResult:
    traffic, course = scenario.traffic, scenario.course
    gaps = unavailable_ms(executor.happenings, traffic.acknowledged_at_us, course.ended_us)
    return ChaosResult(
        app=options.load.app,
        replicas=options.load.replicas,
        durability=options.durability,
        seed=options.load.seed,
        seconds=round((course.ended_us - course.started_us) / 1e6, 3),
        commands=traffic.commands + traffic.unknown,
        faults=dict(Counter(happening.kind for happening in executor.happenings)),
        snapshots_taken=counts.taken,
        snapshots_fetched=counts.fetched,
        leader_kills=len(gaps),
        unavailable_ms=gaps,
        unavailable_p50_ms=percentile(gaps, 0.5),
        unavailable_p99_ms=percentile(gaps, 0.99),
        happenings=tuple(plain(happening, course.started_us) for happening in executor.happenings),
        **judged(scenario, findings),
    )


def _rows(result: ChaosResult) -> list[tuple[str, str, str]]:
    kinds = ", ".join(f"{count} × {kind}" for kind, count in result.faults.items())
    rows = [
        ("faults", str(sum(result.faults.values())), kinds or "none"),
        ("commands", f"{result.commands:,}", f"in {result.seconds:.1f} s, outcome of {result.unknown:,} unknown"),
    ]
    rows.append(("snapshots", f"{result.snapshots_taken:,}", f"taken, and {result.snapshots_fetched:,} fetched"))
    if result.unavailable_ms:
        found = f"{result.unavailable_p50_ms:,.0f} / {result.unavailable_p99_ms:,.0f} ms"
        rows.append(("unavailable", found, f"p50 / p99 of {result.leader_kills} kills of the leader"))
    return [*rows, *verdict_rows(result)]
