"""`psmr events`: the events of a service, as they happen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from psmr.cli.arguments import Json, prose
from psmr.cli.exits import ExitCode
from psmr.cli.output import console
from psmr.cli.target import Target, target_of
from psmr.json_output import JsonOutput

if TYPE_CHECKING:
    from psmr.client.following import ServiceEvent


def events(
    target: Target,
    first: Annotated[int, typer.Option("--from", min=0, help="The position of the first event.")] = 0,
    count: Annotated[int, typer.Option("--count", min=0, help="End after so many events; 0: go on until Ctrl-C.")] = 0,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Only events of this name; may be given several times.")
    ] = None,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Give up after so many seconds without an answer.")
    ] = 10.0,
    json: Json = None,
) -> int:
    """Follow what a service's commands emit: each event once, in order, whichever replica answers.

    A line for each: its position, which is the same on every replica and after each restart, when it happened, its name, its
    fields. [b]--from[/] goes on where an earlier run ended: at its last position and one. As JSON, too, each is an object on a
    line of its own. Ends with 2 if events from that position on are kept nowhere any more, and with 3 if no replica answers.

    [b]psmr events cluster.toml --from 0 --count 10[/]
    """
    import itertools

    from cdep import service_of
    from psmr.client.event_streams import follow_blocking
    from psmr.client.following import Following
    from psmr.services import find_service

    output = JsonOutput(json)
    addresses, service = _places(target)
    following = Following(service_of(find_service(service)), addresses, first, kind, round(timeout_s * 1e6))
    found = follow_blocking(following)
    with output.stream() as write:
        for event in itertools.islice(found, count or None):
            if not output.is_alone:
                _print_line(event)
            write(_document(event))
    return ExitCode.OK


def _places(target: str) -> tuple[list[str], str]:
    """Whom to ask, and the service that they run."""
    from psmr.client.status import fetch_status

    found = target_of("events", target)
    if isinstance(found, str):
        return [found], str(fetch_status(found)["service"])
    return [replica.clients for replica in found.replicas], found.service


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _document(event: ServiceEvent) -> dict[str, object]:
    return {
        "position": event.position,
        "index": event.index,
        "row": event.row,
        "now_us": event.now_us,
        "session": event.session,
        "sequence": event.sequence,
        "name": event.name,
        "fields": {name: _plain(value) for name, value in event.fields.items()},
    }


def _print_line(event: ServiceEvent) -> None:
    when = datetime.fromtimestamp(event.now_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    fields = "  ".join(f"{name}={_plain(value)}" for name, value in event.fields.items())
    console().print(f"{event.position:>10}  {when}  {event.name}  {fields}", markup=False, soft_wrap=True)


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(help=prose(events), rich_help_panel="Clusters")(events)
