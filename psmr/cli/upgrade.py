"""`psmr upgrade`: a new version of the service takes over in a running cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from psmr.cli.arguments import AllowNondeterminism, ClusterFile, Json, prose
from psmr.cli.output import console, say
from psmr.json_output import JsonOutput

if TYPE_CHECKING:
    from cdep import StateMachine
    from psmr.cluster.status import ReplicaStatus


def upgrade(
    file: ClusterFile,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="Give up after so long.")
    ] = 300.0,
    allow_nondeterminism: AllowNondeterminism = False,
    json: Json = None,
) -> int:
    """Have the service's source, as it is now, take over from the version that a cluster runs.

    First put the new source in place on every host, and here; running replicas do not notice. Then run this: the leader puts
    the new version into the log, and at that place, the same for all, every replica writes its state down and starts again
    with the new source. A field of state whose declaration is the same keeps its content; a new one begins empty; one that
    is gone is dropped. Nothing is executed twice or by both: a client of the old version gets the replies to what was
    executed, and is told of the rest.

    It is compiled here first, so that one that cannot be is not ordered, and replicas on this machine start at once. For the same
    reason it is looked at as by [b]psmr cdep lint[/]: replicas refuse what that finds, unless they, too, were told to allow it.

    Ends with 1 if the cluster refuses: that version runs already, or a field has another declaration under its old name.
    Ends with 3 if no replica answers, or no leader in time, or not all replicas run it in time: one that finds another source
    says so and ends.

    [b]psmr upgrade cluster.toml[/]
    """
    from cdep import service_of
    from psmr.cluster.upgrade import Upgrade
    from psmr.config import load
    from psmr.lint import refuse_nondeterminism
    from psmr.services import find_service

    output = JsonOutput(json)
    config = load(file)
    owner = find_service(config.service)
    refuse_nondeterminism(owner, allowed=allow_nondeterminism or config.lint == "off", say=say)
    service = service_of(owner)
    if config.execution == "compiled":
        _compile(owner)
    addresses = {replica.id: replica.clients for replica in config.replicas}
    say(f"{service.name} version {service.version} ({service.fingerprint:#018x}) is to take over")
    found = Upgrade(addresses, service, timeout_s=timeout, report=say).run()
    if not output.is_alone:
        _show(found)
    output.write({"fingerprint": f"{service.fingerprint:#018x}", "replicas": [_about(each) for each in found]})
    return 0


def _compile(owner: type[StateMachine]) -> None:
    """What no replica could compile must not come into the log: all of them would end at it, with no way back."""
    from psmr.execution.engine import Engine

    say("compiling it, as replicas will")
    engine = Engine(owner, 1)
    try:
        engine.start()
    finally:
        engine.close()


def _about(status: ReplicaStatus) -> dict[str, object]:
    return {"id": status.id, "reachable": status.reachable, "fingerprint": status.get("fingerprint")}


def _show(found: list[ReplicaStatus]) -> None:
    from rich.table import Table

    table = Table("replica", "runs")
    for status in found:
        table.add_row(str(status.id), status.get("fingerprint") or status.problem)
    console().print(table)


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(help=prose(upgrade), rich_help_panel="Clusters")(upgrade)
