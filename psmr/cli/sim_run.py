"""What `psmr sim` does: seeds in order, in one process or several, or faults by name."""

from __future__ import annotations

import multiprocessing
import shlex
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from psmr.cli.exits import ExitCode
from psmr.cli.output import console, say, say_error
from psmr.errors import ConfigurationError
from psmr.json_output import JsonOutput
from psmr.simulation.cluster import ClusterResult, ClusterSimulation
from psmr.simulation.faults import FAULTS, PlantedFault, catch

_SAY_EVERY_S = 5.0
_COUNTS = (
    "steps",
    "operations",
    "answered",
    "entries",
    "elections",
    "crashes",
    "restarts",
    "torn_writes",
    "events",
    "followed",
    "snapshots",
    "installed",
    "changes",
    "erred",
    "parted",
)


@dataclass(frozen=True, slots=True)
class SimOptions:
    """The options of the command."""

    seeds: int
    start: int
    replicas: int
    jobs: int
    trace: bool
    output: JsonOutput


@dataclass(frozen=True, slots=True)
class _Failure:
    seed: int
    detail: str


def run_seeds(options: SimOptions) -> int:
    """Run every seed until one fails."""
    began_s = said_s = time.monotonic()
    results: list[ClusterResult] = []
    for outcome in _outcomes(options):
        if isinstance(outcome, _Failure):
            return _report_failure(outcome, options)
        results.append(outcome)
        if time.monotonic() - said_s >= _SAY_EVERY_S:
            said_s = time.monotonic()
            say(f"{len(results)} of {options.seeds} schedules, {_per_minute(results, began_s):.0f} a minute")
    _report(results, began_s, options)
    return ExitCode.OK


def run_faults(name: str, options: SimOptions) -> int:
    """Put faults in, one at a time; 1 when one of them goes unnoticed."""
    missed = False
    rows: list[dict[str, Any]] = []
    for fault in _chosen(name):
        if name == "list":
            rows.append({"fault": fault.name, "module": fault.module, "seeds": fault.seeds})
            if not options.output.is_alone:
                console().print(f"{fault.name}  ({fault.module}, {fault.seeds} seeds)", markup=False)
            continue
        caught = catch(fault)
        missed |= caught.seed is None
        rows.append({"fault": fault.name, "seeds": fault.seeds, "seed": caught.seed, "detail": caught.detail})
        if not options.output.is_alone:
            found = f"MISSED in {fault.seeds} seeds" if caught.seed is None else f"seed {caught.seed}: {caught.detail}"
            console().print(f"{fault.name}: {found}", markup=False)
    options.output.write({"faults": rows})
    return ExitCode.FAILED if missed else ExitCode.OK


def _chosen(name: str) -> tuple[PlantedFault, ...]:
    if name in ("all", "list"):
        return FAULTS
    chosen = tuple(fault for fault in FAULTS if fault.name == name)
    if not chosen:
        close = get_close_matches(name, [fault.name for fault in FAULTS], n=1)
        cure = f"did you mean {close[0]!r}?" if close else "psmr sim --fault list names them"
        raise ConfigurationError(f"--fault {name}: expected the name of a fault, all or list, found another: {cure}")
    return chosen


def _outcomes(options: SimOptions) -> Iterator[ClusterResult | _Failure]:
    write = print if options.trace and not options.output.is_alone else None
    work = [(seed, options.replicas) for seed in range(options.start, options.start + options.seeds)]
    if options.jobs == 1:
        for seed, replicas in work:
            yield _one(seed, replicas, write)
        return
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        yield from pool.imap(_in_a_process, work, chunksize=4)


def _in_a_process(work: tuple[int, int]) -> ClusterResult | _Failure:
    return _one(*work)


def _one(seed: int, replicas: int, write: Any = None) -> ClusterResult | _Failure:
    try:
        return ClusterSimulation(seed, replicas, write).run()
    except Exception as error:  # noqa: BLE001 - whatever the code under test raises is what the simulation looks for
        return _Failure(seed, f"{type(error).__name__}: {error}")


def _report(results: list[ClusterResult], began_s: float, options: SimOptions) -> None:
    per_minute = _per_minute(results, began_s)
    means = {name: sum(getattr(result, name) for result in results) / len(results) for name in _COUNTS}
    document = {
        "schedules": len(results),
        "start": options.start,
        "replicas": options.replicas,
        "violations": 0,
        "schedules_per_minute": round(per_minute),
        "mean": {name: round(mean, 2) for name, mean in means.items()},
        "last": asdict(results[-1]),
    }
    if not options.output.is_alone:
        counted = ", ".join(f"{mean:.1f} {name.replace('_', ' ')}" for name, mean in means.items())
        console().print(
            f"clean: {len(results)} schedules of {options.replicas} replicas, {per_minute:.0f} a minute\n"
            f"a schedule on average: {counted}\nlast: seed {results[-1].seed}, trace {results[-1].digest}",
            markup=False,
        )
    options.output.write(document)


def _report_failure(failure: _Failure, options: SimOptions) -> int:
    words = ["psmr", "sim", "--seeds", "1", "--start", str(failure.seed), "--replicas", str(options.replicas)]
    replay = shlex.join([*words, "--trace"])
    say_error(f"seed {failure.seed}: {failure.detail}")
    say(f"replay: {replay}")
    options.output.write({"violations": 1, "seed": failure.seed, "detail": failure.detail, "replay": replay})
    return ExitCode.FAILED


def _per_minute(results: list[ClusterResult], began_s: float) -> float:
    return len(results) / (time.monotonic() - began_s) * 60
