"""Run seeds, or replay one: `python -m psmr.simulation --help`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from psmr.errors import Violation
from psmr.json_output import JsonOutput, add_json_option
from psmr.simulation.replay import replay_command
from psmr.simulation.simulation import Simulation, SimulationResult


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when every run kept every invariant, 1 at the first that did not."""
    options = _parser().parse_args(arguments)
    seeds = [options.seed] if options.seed is not None else range(options.start, options.start + options.seeds)
    output = JsonOutput(options.json)
    began_s = time.monotonic()
    results: list[SimulationResult] = []
    for seed in seeds:
        write = print if options.trace and not output.is_alone else None
        try:
            results.append(Simulation(seed, options.replicas, write=write).run())
        except Violation as violation:
            _report_failure(violation, seed, options, output)
            return 1
    _report(results, time.monotonic() - began_s, output)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m psmr.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed only")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to run (100)")
    parser.add_argument("--start", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--replicas", type=int, default=3, help="members of the group (3)")
    parser.add_argument("--trace", action="store_true", help="print every step")
    add_json_option(parser)
    return parser


def _report(results: list[SimulationResult], elapsed_s: float, output: JsonOutput) -> None:
    with output.stream() as write:
        for result in results:
            write(asdict(result))
    if output.is_alone:
        return
    if len(results) == 1:
        print(results[0])
    totals = {name: sum(getattr(result, name) for result in results) for name in ("steps", "committed", "elections")}
    rate = len(results) / elapsed_s * 60
    print(
        f"every invariant kept, runs: {len(results)}; {totals['steps']} steps, "
        f"{totals['committed']} entries committed, {totals['elections']} elections, {rate:.0f} runs a minute"
    )


def _report_failure(violation: Violation, seed: int, options: argparse.Namespace, output: JsonOutput) -> None:
    command = replay_command(seed, options.replicas)
    with output.stream() as write:
        write({"seed": seed, "detail": str(violation), "replay": command})
    if not output.is_alone:
        print(f"{violation}\nseed {seed}; replay: {command} --trace", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
