"""What `psmr sim` does: seeds in order, in one process or several, or faults by name."""

from __future__ import annotations

import gc
import multiprocessing
import os
import shlex
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from multiprocessing.pool import Pool
from typing import Any

from psmr.cli.exits import ExitCode
from psmr.cli.output import console, say, say_error
from psmr.cli.sim_tally import Tally
from psmr.errors import ConfigurationError
from psmr.execution.worker import die_with_parent
from psmr.json_output import JsonOutput
from psmr.simulation.cluster import ClusterResult, ClusterSimulation
from psmr.simulation.faults import FAULTS, PlantedFault, catch

_SAY_EVERY_S = 5.0
_NEW_OBJECTS = 20_000
"""So many, of which a schedule makes many more, before the collector looks for garbage among them: it is paid for by the look."""


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


_Outcome = tuple[ClusterResult | _Failure, float]


def run_seeds(options: SimOptions) -> int:
    """Run every seed until one fails, or somebody has had enough."""
    tally, said_s = Tally(), time.monotonic()
    try:
        with closing(_outcomes(options)) as outcomes:
            for outcome, processor_s in outcomes:
                if isinstance(outcome, _Failure):
                    return _report_failure(outcome, tally, options)
                tally.add(outcome, processor_s)
                if time.monotonic() - said_s >= _SAY_EVERY_S:
                    said_s = time.monotonic()
                    say(f"{tally.count} of {options.seeds} schedules, {tally.pace}")
    except KeyboardInterrupt:
        return _report_interrupted(tally, options)
    _report(tally, options)
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


def _outcomes(options: SimOptions) -> Generator[_Outcome, None, None]:
    """In the order of the seeds, each with the processor time that it took."""
    write = print if options.trace and not options.output.is_alone else None
    work = [(seed, options.replicas) for seed in range(options.start, options.start + options.seeds)]
    if options.jobs == 1:
        with _rare_collections():
            for seed, replicas in work:
                yield _one(seed, replicas, write)
        return
    with _pool(options.jobs) as pool:
        yield from pool.imap(_in_a_process, work, chunksize=4)


def _pool(jobs: int) -> Pool:
    """Processes to which Ctrl-C means nothing: who started them ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which they inherit
    try:
        # Forked: the names of a spawned pool's semaphores outlive it where everybody is killed at once.
        return multiprocessing.get_context("fork").Pool(jobs, _begin, (os.getpid(),))
    finally:
        signal.signal(signal.SIGINT, before)


def _begin(parent: int) -> None:
    die_with_parent(parent)
    _collect_rarely()


def _collect_rarely() -> None:
    """Spare the collector what is here to stay, a compiler and all of this package, and short-lived objects a look each."""
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])


@contextmanager
def _rare_collections() -> Iterator[None]:
    before = gc.get_threshold()
    _collect_rarely()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _in_a_process(work: tuple[int, int]) -> _Outcome:
    return _one(*work)


def _one(seed: int, replicas: int, write: Any = None) -> _Outcome:
    began_s = time.process_time()
    outcome: ClusterResult | _Failure
    try:
        outcome = ClusterSimulation(seed, replicas, write).run()
    except Exception as error:  # noqa: BLE001 - whatever the code under test raises is what the simulation looks for
        outcome = _Failure(seed, f"{type(error).__name__}: {error}")
    return outcome, time.process_time() - began_s


def _report(tally: Tally, options: SimOptions) -> None:
    if not options.output.is_alone and tally.last is not None:
        counted = ", ".join(f"{mean:.1f} {name.replace('_', ' ')}" for name, mean in tally.means.items())
        console().print(
            f"clean: {tally.count} schedules of {options.replicas} replicas, {tally.pace}\n"
            f"a schedule on average: {counted}\nlast: seed {tally.last.seed}, trace {tally.last.digest}",
            markup=False,
        )
    options.output.write({**_about(options), "violations": 0, **tally.document()})


def _report_interrupted(tally: Tally, options: SimOptions) -> int:
    """Say how far it came, and how to go on from there."""
    rest = replace(options, seeds=options.seeds - tally.count, start=options.start + tally.count)
    go_on = _command(rest)
    say(f"interrupted: {tally.count} of {options.seeds} schedules, all clean, {tally.pace}")
    say(f"go on: {go_on}")
    options.output.write({**_about(options), "violations": 0, "go_on": go_on, **tally.document()})
    return ExitCode.INTERRUPTED


def _report_failure(failure: _Failure, tally: Tally, options: SimOptions) -> int:
    replay = _command(replace(options, seeds=1, start=failure.seed, jobs=1)) + " --trace"
    say_error(f"seed {failure.seed}: {failure.detail}")
    say(f"replay: {replay}")
    found = {"violations": 1, "seed": failure.seed, "detail": failure.detail, "replay": replay}
    options.output.write({**_about(options), **found, **tally.document()})
    return ExitCode.FAILED


def _about(options: SimOptions) -> dict[str, Any]:
    return {"seeds": options.seeds, "start": options.start, "replicas": options.replicas, "jobs": options.jobs}


def _command(options: SimOptions) -> str:
    words = ["psmr", "sim", "--seeds", str(options.seeds), "--start", str(options.start)]
    words += ["--replicas", str(options.replicas)]
    return shlex.join([*words, *(["--jobs", str(options.jobs)] if options.jobs > 1 else [])])
