"""`psmr members`: who belongs to a running cluster, and changes of that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from psmr.cli.arguments import ClusterFile, Json, prose
from psmr.cli.output import console, say
from psmr.json_output import JsonOutput

if TYPE_CHECKING:
    from psmr.cluster.members import Membership
    from psmr.config import ClusterConfig


def members(
    file: ClusterFile,
    add: Annotated[
        int | None,
        typer.Option(
            "--add", metavar="N", help="Have replica N of the file belong to the cluster.", show_default=False
        ),
    ] = None,
    remove: Annotated[
        int | None,
        typer.Option("--remove", metavar="N", help="Have replica N belong to it no longer.", show_default=False),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="Give up after so long.")
    ] = 300,
    json: Json = None,
) -> int:
    """Show who belongs to a running cluster; add a replica, remove one, or replace one by another.

    To add one, write it into the cluster's file, start it with [b]psmr serve CLUSTER.toml --id 4 --join[/], and run this
    with [b]--add 4[/]: it is sent everything, and votes from when it has caught up. With [b]--add 4 --remove 2[/] replica 4
    takes the place of replica 2: first the one, then the other, so that there is a majority at any time.

    Ends with 1 if the cluster refuses the change, and with 3 if no replica answers for ten seconds or no leader in time.

    [b]psmr members cluster.toml[/]
    """
    from psmr.cluster.members import Membership
    from psmr.config import load

    output = JsonOutput(json)
    config = load(file)
    addresses = {replica.id: replica.clients for replica in config.replicas}
    membership = Membership(addresses, timeout_s=timeout, report=say)
    _change(membership, config, add, remove)
    found = membership.members()
    if not output.is_alone:
        _show(found)
    output.write({"members": found})
    return 0


def _change(membership: Membership, config: ClusterConfig, add: int | None, remove: int | None) -> None:
    from psmr.core.roster import Seat

    if add is not None:
        replica = config.replica(add)
        membership.add(Seat(replica.id, replica.peers, replica.clients))
    if remove is not None:
        membership.remove(remove)


def _show(found: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table("replica", "votes", "for clients", "has the log up to")
    for member in found:
        match = f"{member['match']:,}" if member["match"] else "–"
        table.add_row(str(member["id"]), "yes" if member["votes"] else "learns", member["clients"], match)
    console().print(table)


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(help=prose(members), rich_help_panel="Clusters")(members)
