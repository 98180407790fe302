"""`psmr cdep verify`: tries to refute what a service's annotations say."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psmr.cli import infer
from psmr.cli.arguments import Json, Service, prose
from psmr.cli.proving import Seconds, Seed, States, application_of, clock_of, say_what_has_no_source, what_lint_finds
from psmr.cli.workload_arguments import Settings
from psmr.json_output import JsonOutput

if TYPE_CHECKING:
    from psmr.verification.cost import Cost
    from psmr.verification.verifying import Result

NOT_REFUTED, REFUTED, UNDECIDED = 0, 1, 2
_CODES = {"not refuted": NOT_REFUTED, "refuted": REFUTED, "undecided": UNDECIDED}
_SHOWN = 6


def verify(
    service: Service,
    seconds: Seconds = 20,
    states: States = None,
    seed: Seed = 1,
    script: Annotated[
        Path | None,
        typer.Option("--script", metavar="FILE", help="Where to write the smallest counterexample as a Python script."),
    ] = None,
    settings: Settings = None,
    json: Json = None,
) -> int:
    """Search for calls whose order matters although C-Dep does not order them.

    States are reached by the service's own commands, seeded; handlers run interpreted, and every cell of the state that they read
    or change is noted. Ends with 0 when nothing was refuted, 1 when something was, with the smallest example of each pair of
    commands, 2 when a command never succeeded, or did not end, so that nothing can be said of it. What is declared too strictly
    is listed, too.

    [b]psmr cdep verify kv --seconds 10[/]
    """
    from psmr.files import check_place, write_whole
    from psmr.services import find_service, service_text
    from psmr.verification.script import BEGINNING, script_of
    from psmr.verification.verifying import verify as verified

    output = JsonOutput(json)
    owner = find_service(service)
    if script is not None:
        check_place(script, what="a script", starts_with=BEGINNING)
    say_what_has_no_source(owner)
    with clock_of(seconds, states, f"refuting {owner.__name__}") as clock:
        result = verified(owner, application_of(service, settings), seed, clock.goes_on)
    text = None
    if result.refutations:
        from psmr.verification.explaining import explained

        found = result.refutations[0]
        text = script_of(service_text(owner), found, explained(result.service, found))
        if script is not None:
            write_whole(script, text, what="a script", starts_with=BEGINNING)
    unseen = what_lint_finds(owner, service)
    output.write(
        {**_document(result), "lint": unseen, "seed": seed, "seconds": round(clock.elapsed_s, 2), "script": text}
    )
    if not output.is_alone:
        typer.echo("\n".join([*_lines(result, clock.elapsed_s, seed), *([unseen] if unseen else [])]))
        if script is not None and text is not None:
            typer.echo(f"script written to {script}")
        elif text is not None:
            typer.echo("\n" + text)
    return _CODES[result.verdict]


def _lines(result: Result, elapsed_s: float, seed: int) -> list[str]:
    from psmr.verification.comparing import lines_text
    from psmr.verification.explaining import explained
    from psmr.verification.raising import raised_text

    lines = [f"{result.service.name}: {result.verdict}"]
    for found in result.refutations[:_SHOWN]:
        lines += ["", f"{found.first.command} and {found.second.command}"]
        lines += [f"  {line}" for line in explained(result.service, found)]
    if len(result.refutations) > _SHOWN:
        more = ", ".join(f"{found.first.command}/{found.second.command}" for found in result.refutations[_SHOWN:])
        lines.append(f"and {len(result.refutations) - _SHOWN} pairs of commands more: {more}")
    if result.refutations:
        lines.append("")
    lines += [
        f"undecided: {name} has raised in each of {result.searched.executed[name]} executions, {raised_text(result.raised[name])}: "
        "nothing is known of what it does"
        for name in result.never_succeeded
    ]
    unreached = {line for name, missing in result.never_reached.items() for line in missing}
    if unreached:
        commands = ", ".join(result.never_reached)
        lines.append(f"lines of {commands} that were never reached, by one of them at least: {lines_text(unreached)}")
    lines += _strictness_lines(result)
    searched = result.searched
    lines.append(
        f"searched in {elapsed_s:.1f} s with seed {seed}: {searched.states} states, {searched.calls} calls, "
        f"{searched.unordered.total()} pairs of calls that C-Dep does not order, in {len(searched.unordered)} pairs of commands, "
        f"{searched.in_both_orders} of them executed in both orders too"
    )
    return lines


def _strictness_lines(result: Result) -> list[str]:
    lines = [
        f"too strict: {one.command} is {one.declared}, {one.proposed} is enough: {one.reason}"
        for one in result.stricter
    ]
    if result.never_conflicting:
        names = ", ".join(f"{first}/{second}" for first, second in result.never_conflicting)
        lines.append(f"ordered, but never seen to conflict: {names}")
    lines.append(_cost_text(result.cost))
    return lines


def _cost_text(cost: Cost) -> str:
    of_what = "the workload's calls" if cost.is_workload else "generated calls (there is no workload)"
    return (
        f"of {of_what}, {cost.calls} of them, {cost.dependent:.2%} wait for all workers; of pairs less than 64 calls apart "
        f"{cost.ordered:.2%} are ordered, {cost.needless:.2%} for no reason that was found; the longest chain of calls that wait "
        f"for each other has {cost.longest:g}, so any number of workers is at most {cost.speed_up_max:.1f} times one; without "
        f"what is ordered for no reason {cost.longest_needed:g}, and {cost.speed_up_max_needed:.1f} times"
    )


def _document(result: Result) -> dict[str, Any]:
    from psmr.verification.explaining import explained
    from psmr.verification.orders import call_text

    searched, cost = result.searched, result.cost
    return {
        "service": result.service.name,
        "fingerprint": f"{result.service.fingerprint:#018x}",
        "verdict": result.verdict,
        "refutations": [
            {
                "commands": [found.first.command, found.second.command],
                "before": [call_text(call) for call in found.before],
                "calls": [call_text(found.first), call_text(found.second)],
                "differences": list(found.differences),
                "explanation": explained(result.service, found),
            }
            for found in result.refutations
        ],
        "never_succeeded": result.never_succeeded,
        "raised": {name: [asdict(one) for one in raised] for name, raised in result.raised.items()},
        "never_reached": {name: [list(line) for line in lines] for name, lines in result.never_reached.items()},
        "never_conflicting": [list(names) for names in result.never_conflicting],
        "too_strict": [
            {"command": one.command, "declared": one.declared, "enough": one.proposed, "why": one.reason}
            for one in result.stricter
        ],
        "cost": {
            "calls": cost.calls,
            "of": "workload" if cost.is_workload else "generated calls",
            "pairs_ordered": cost.ordered,
            "pairs_ordered_needlessly": cost.needless,
            "calls_of_all_workers": cost.dependent,
            "longest_chain": cost.longest,
            "longest_chain_needed": cost.longest_needed,
            "speed_up_max": round(cost.speed_up_max, 2),
            "speed_up_max_needed": round(cost.speed_up_max_needed, 2),
        },
        "searched": {
            "states": searched.states,
            "calls": searched.calls,
            "pairs_unordered": searched.unordered.total(),
            "pairs_ordered": searched.ordered.total(),
            "pairs_in_both_orders": searched.in_both_orders,
        },
    }


def register(group: typer.Typer) -> None:
    """Add `verify` and `infer` to the commands about a service's annotations."""
    group.command(help=prose(verify))(verify)
    group.command(help=prose(infer.infer))(infer.infer)
