"""Check every history of a few operations: `python -m psmr.checking.exhaustive --help`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

from psmr.checking.exhaustive.groups import KINDS
from psmr.checking.exhaustive.running import Disagreement, Run
from psmr.json_output import JsonOutput, add_json_option

_SAY_EVERY_S = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when the checker agrees with the search, 1 at the first history where it does not."""
    options = _parser().parse_args(arguments)
    output = JsonOutput(options.json)
    run = Run(options.model, options.operations, options.sample)
    if options.count:
        _print({"model": options.model, "operations": options.operations, "histories": run.count}, output)
        return 0
    began_s = said_s = time.monotonic()
    processor_s = time.process_time()
    until = run.count if options.histories is None else min(run.count, options.start + options.histories)
    try:
        for done in run.check(options.start, until):
            if time.monotonic() - said_s >= _SAY_EVERY_S:
                said_s = time.monotonic()
                print(f"{done} of {run.count} histories; go on with --start {done}", file=sys.stderr)
            if options.seconds is not None and time.process_time() - processor_s >= options.seconds:
                break
    except Disagreement as found:
        print(found, file=sys.stderr)
        _print({"model": options.model, "operations": options.operations, "disagreement": str(found)}, output)
        return 1
    spent_s = time.process_time() - processor_s
    checked = run.done - options.start
    figures = {
        "model": options.model,
        "operations": options.operations,
        "histories": run.count,
        "start": options.start,
        "checked": checked,
        "distinct": run.distinct,
        "linearizable": run.linearizable,
        "sampled": run.sampled,
        "left_open": run.left_open,
        "next": run.done,
        "processor_s": round(spent_s, 1),
        "wall_s": round(time.monotonic() - began_s, 1),
        "per_processor_s": round(checked / spent_s) if spent_s else 0,
    }
    _print(figures, output)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m psmr.checking.exhaustive", description=__doc__)
    parser.add_argument(
        "--model", choices=sorted(KINDS), default="register", help="what is read and written (register)"
    )
    parser.add_argument("--operations", type=int, choices=range(1, 9), default=6, help="in each history (6)")
    parser.add_argument("--start", type=int, default=0, help="the number of the first history (0)")
    parser.add_argument("--histories", type=int, help="how many (all)")
    parser.add_argument("--seconds", type=float, help="stop after so many seconds of processor time, and say where")
    parser.add_argument(
        "--sample",
        type=_positive,
        metavar="N",
        help="one in N goes through all of the checker (100000 of all histories)",
    )
    parser.add_argument("--count", action="store_true", help="only say how many histories there are")
    add_json_option(parser)
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, found {value}: 1 takes every history")
    return value


def _print(figures: dict[str, Any], output: JsonOutput) -> None:
    if not output.is_alone:
        print(", ".join(f"{name} {value}" for name, value in figures.items()))
    output.write(figures)


if __name__ == "__main__":
    sys.exit(main())
