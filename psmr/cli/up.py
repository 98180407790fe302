"""`psmr up`: all replicas of a cluster's file on this machine, watched until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from psmr.cli.arguments import AllowNondeterminism, ClusterFile, Json, prose
from psmr.cli.interrupts import leaving_at_once
from psmr.json_output import JsonOutput

if TYPE_CHECKING:
    from cdep import StateMachine


def up(file: ClusterFile, allow_nondeterminism: AllowNondeterminism = False, json: Json = None) -> int:
    """Run every replica of a file on this machine, and show how they are until Ctrl-C.

    Says whether the service is compiled first, as at the first start of its source, which replicas serve and who died, and restarts
    nothing by itself. A replica's output goes to [b]replica-N.log[/] in the file's data folder. Ends with 0 when Ctrl-C or
    SIGTERM found all replicas well, else with the worst code of those that ended.

    [b]psmr up cluster.toml[/]
    """
    output = JsonOutput(json)
    with leaving_at_once():
        from psmr.cli.output import say
        from psmr.cli.up_display import display_for
        from psmr.cli.watching import Watch
        from psmr.config import load
        from psmr.lint import refuse_nondeterminism
        from psmr.services import find_service

        config = load(file)
        # Each replica would find out by itself; found here, a mistake in the service is one line and not one a replica.
        owner = find_service(config.service)
        refuse_nondeterminism(owner, allowed=allow_nondeterminism or config.lint == "off", say=say)
        if config.execution == "compiled":
            _say_if_compiled_first(owner)
    with output.stream() as write:
        return Watch(file, config, display_for(output, write), allow_nondeterminism=allow_nondeterminism).run()


def _say_if_compiled_first(owner: type[StateMachine]) -> None:
    from psmr.cli.output import say
    from psmr.execution.generated import has_machine_code, server_module

    if not has_machine_code(server_module(owner)):
        say(f"{owner.__name__} is compiled first, which takes a while; what it becomes is kept for later starts")


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(help=prose(up), rich_help_panel="Clusters")(up)
