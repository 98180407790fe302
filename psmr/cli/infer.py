"""`psmr cdep infer`: proposes a service's annotations from what its handlers are seen to touch."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from psmr.cli.arguments import Json, Service
from psmr.cli.proving import Seconds, Seed, States, application_of, clock_of, say_what_has_no_source
from psmr.cli.workload_arguments import Settings
from psmr.json_output import JsonOutput

if TYPE_CHECKING:
    from psmr.verification.comparing import Comparison
    from psmr.verification.inferring import Inferred
    from psmr.verification.raising import Raised

AGREES, TOO_WEAK, UNDECIDED = 0, 1, 2


def infer(
    service: Service,
    seconds: Seconds = 10,
    states: States = None,
    seed: Seed = 1,
    settings: Settings = None,
    json: Json = None,
) -> int:
    """Propose annotations from traces, and compare them with those declared.

    A proposal is as good as what was seen: [b]psmr cdep verify[/] is there to refute it. Ends with 0 when what is declared covers
    what was seen, 1 when some command is declared too weakly, 2 when a command never succeeded, or did not end, so that nothing
    can be proposed.

    [b]psmr cdep infer kv[/]
    """
    from psmr.cli.output import console
    from psmr.services import find_service
    from psmr.verification.inferring import infer as inferred

    to = JsonOutput(json)
    owner = find_service(service)
    say_what_has_no_source(owner)
    with clock_of(seconds, states, f"tracing {owner.__name__}") as clock:
        result = inferred(owner, application_of(service, settings), seed, clock.goes_on)
    to.write(_document(result, seed, clock.elapsed_s))
    if not to.is_alone:
        output = console()
        for one in result.comparisons:
            output.print(_text(one, result.raised.get(one.command, [])), markup=False, soft_wrap=True)
        calls = sum(one.executions for one in result.comparisons)
        output.print(
            f"seen in {clock.elapsed_s:.1f} s with seed {seed}: {result.states} states, {calls} calls from them",
            markup=False,
            soft_wrap=True,
        )
    verdicts = {one.verdict for one in result.comparisons}
    if verdicts & {"declared too weakly", "declared otherwise"}:
        return TOO_WEAK
    return UNDECIDED if "undecided" in verdicts else AGREES


def _text(one: Comparison, raised: list[Raised]) -> str:
    from psmr.verification.raising import raised_text

    lines = [f"{one.command}: {one.verdict}", f"    {one.proposed}", f"    {one.reason}"]
    if one.verdict not in ("as declared", "undecided"):
        lines.insert(2, f"    declared: {one.declared}")
    if one.verdict == "undecided" and raised:
        lines.append(f"    {raised_text(raised)}")
    return "\n".join(lines)


def _document(result: Inferred, seed: int, elapsed_s: float) -> dict[str, Any]:
    return {
        "service": result.service.name,
        "fingerprint": f"{result.service.fingerprint:#018x}",
        "commands": [
            {
                "command": one.command,
                "verdict": one.verdict,
                "declared": one.declared,
                "proposed": one.proposed,
                "why": one.reason,
                "executions": one.executions,
                "raised": [asdict(raised) for raised in result.raised.get(one.command, [])],
            }
            for one in result.comparisons
        ],
        "states": result.states,
        "seed": seed,
        "seconds": round(elapsed_s, 2),
    }
