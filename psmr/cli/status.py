"""`psmr status`: how the replicas of a cluster are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psmr.cli.arguments import Json, prose
from psmr.cli.exits import ExitCode
from psmr.cli.output import console, say_error
from psmr.cli.target import Target, target_of
from psmr.json_output import JsonOutput

if TYPE_CHECKING:
    from psmr.cluster import ReplicaStatus


def status(
    target: Target,
    digest: Annotated[
        bool, typer.Option("--digest", help="Ask for a digest of the state, too, and compare. Reads the whole state.")
    ] = False,
    json: Json = None,
) -> int:
    """Ask the replicas how they are: role, term, leader, position in the log, commands executed, memory, members.

    Ends with 3 if fewer than a majority of a file's replicas answer (or the one address does not), and with 4 if
    replicas that delivered the same log have different digests.

    [b]psmr status cluster.toml[/]
    """
    from psmr.cli.status_notes import status_notes
    from psmr.cli.status_table import status_table
    from psmr.cluster import ask, explained

    output = JsonOutput(json)
    addresses, folders = _places(target)
    statuses = explained(ask(addresses, digest=digest), folders)
    members = 1 if isinstance(addresses, str) else len(addresses)
    problem, code = judge(statuses, members)
    document: dict[str, object] = {"replicas": [found.plain() for found in statuses]}
    if problem:
        document["error"] = {"kind": code.name.lower(), "message": problem, "exit_code": int(code)}
    if not output.is_alone:
        screen = console()
        screen.print(status_table(statuses, digest=digest))
        for line in status_notes(statuses):
            screen.print(line, markup=False)
    output.write(document)
    if problem:
        say_error(problem)
    return code


def _places(target: str) -> tuple[dict[int, str] | str, dict[int, Path]]:
    """Where to ask, and the replicas' data folders: a lone address has none."""
    found = target_of("status", target)
    if isinstance(found, str):
        return found, {}
    numbered = {replica.id: replica.clients for replica in found.replicas}
    return numbered, {number: found.folder(number) for number in numbered}


def judge(statuses: Sequence[ReplicaStatus], members: int) -> tuple[str, ExitCode]:
    """What is wrong with the cluster as a whole, and the exit code for it."""
    from psmr.cluster import majority

    answered = sum(found.reachable for found in statuses)
    if answered < majority(members):
        expected = f"{majority(members)} of {members} replicas to answer" if members > 1 else "the replica to answer"
        return f"expected {expected}, found {answered}: start more, or see their logs", ExitCode.UNAVAILABLE
    diverged = _diverged(statuses)
    if diverged:
        return diverged, ExitCode.VIOLATION
    return "", ExitCode.OK


def _diverged(statuses: Sequence[ReplicaStatus]) -> str:
    """Replicas that delivered the same entries must have the same state, so the same digest."""
    digests: dict[object, Counter[object]] = {}
    for found in statuses:
        if found.get("digest") is not None:
            digests.setdefault(found.get("delivered"), Counter())[found.get("digest")] += 1
    for position, counted in digests.items():
        if len(counted) > 1:
            return f"expected one digest at log index {position}, found {len(counted)}: replicas have diverged"
    return ""


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(help=prose(status), rich_help_panel="Clusters")(status)
