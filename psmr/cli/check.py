"""`psmr check`: is a recorded history linearizable?"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psmr.cli.arguments import Json, prose
from psmr.json_output import JsonOutput

if TYPE_CHECKING:
    from psmr.checking.recorded_check import Judged

LINEARIZABLE, NOT_LINEARIZABLE, UNDECIDED = 0, 1, 2


def _complete_model(incomplete: str) -> list[str]:
    from psmr.checking.models import MODELS

    return [name for name in MODELS if name.startswith(incomplete)]


def check(
    history: Annotated[
        Path,
        typer.Argument(metavar="HISTORY", help="A Jepsen history: EDN, or JSON Lines.", show_default=False),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="register, cas-register, kv, mutex, queue, unordered-queue, set or bank; an application, such as apps.kv; or "
            "module:name of a model of your own (psmr.checking).",
            autocompletion=_complete_model,
            show_default=False,
        ),
    ],
    keyed: Annotated[
        bool, typer.Option("--keyed", help="One of it for each key: every value is [b]\\[key value][/].")
    ] = False,
    initial: Annotated[
        str | None,
        typer.Option(
            metavar="EDN", help="The state at the beginning, such as [b]0[/], or [b]{0 10, 1 10}[/] for a bank."
        ),
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Do not check key by key.")] = False,
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=0, metavar="SECONDS", help="Give up after so long.")
    ] = 60,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, metavar="N", help="Processes for keys that take long.", show_default="all cores"),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Where to draw what has no order, as a timeline."),
    ] = None,
    json: Json = None,
) -> int:
    """Tell whether a history, of any system, is linearizable.

    Ends with 0 when it is, 1 when it is not, 2 when time ran out first or the history cannot be read.

    [b]psmr check history.edn --model cas-register[/]

    To an application, and to a model of your own, an event's :f is a command, and its :value the arguments (nil, one, or
    a vector of them), in the answer the reply; to an application a string is bytes.
    """
    from rich.console import Console

    from psmr.checking.recorded_check import check_recorded
    from psmr.checking.timeline import BEGINNING
    from psmr.files import check_place

    output = JsonOutput(json)
    meaning = _model(model, keyed=keyed, whole=whole, initial=initial)
    text = _read(history)
    if html is not None:
        check_place(html, what="a timeline", starts_with=BEGINNING)
    processes = jobs or len(os.sched_getaffinity(0))

    def checked() -> Judged:
        return check_recorded(text, meaning, timeout_s=time_limit, partition=not whole, jobs=processes)

    with Console(stderr=True).status(f"checking {history.name}, {time_limit:g} s at most"):
        judged = _of_file(history, checked)
    _show(judged, html, output)
    return {True: LINEARIZABLE, False: NOT_LINEARIZABLE, None: UNDECIDED}[judged.verdict.linearizable]


def _show(judged: Judged, html: Path | None, output: JsonOutput) -> None:
    from psmr.checking.report import for_machines, in_words
    from psmr.checking.timeline import BEGINNING, timeline
    from psmr.files import write_whole

    page = timeline(judged) if html is not None else None
    if html is not None and page is not None:
        write_whole(html, page, what="a timeline", starts_with=BEGINNING)
    output.write({**for_machines(judged), "html": str(html) if page else None})
    if not output.is_alone:
        typer.echo(in_words(judged) + (f"\ntimeline written to {html}" if page else ""))


def _model(name: str, *, keyed: bool, whole: bool, initial: str | None) -> Any:
    """A model by name, an application's, or one of the user's own: "." and ":" tell."""
    from cdep import StateMachine, service_of
    from psmr.checking.models.own import own_model
    from psmr.checking.recorded_check import model_named
    from psmr.errors import ConfigurationError
    from psmr.services import find_application, find_object
    from psmr.workload import Application

    if "." not in name and ":" not in name:
        return model_named(name, keyed=keyed, partition=not whole, initial=initial)
    if keyed or initial is not None:
        option = "--keyed" if keyed else "--initial"
        raise ConfigurationError(f"{option}: expected none for {name}, which says that itself, found one: leave it out")
    found = find_object(name) if ":" in name else find_application(name)
    is_of_application = isinstance(found, Application) or (isinstance(found, type) and issubclass(found, StateMachine))
    if not is_of_application:
        return own_model(found() if isinstance(found, type) else found, name)
    application = found if isinstance(found, Application) else find_application(name)
    arities = {command.name: len(command.parameters) for command in service_of(application.service).commands}
    return own_model(application.checking, name, arities, strings_are_bytes=True)


def _read(path: Path) -> str:
    from psmr.errors import ConfigurationError

    try:
        return path.read_text(encoding="utf-8-sig")  # some editors put a mark before the text
    except OSError as error:
        problem = error.strerror
    except UnicodeDecodeError:
        problem = "bytes that are not UTF-8"
    raise ConfigurationError(f"{path}: expected a history, found: {problem}: give the path of one")


def _of_file(path: Path, checked: Callable[[], Judged]) -> Judged:
    """Says of which file a complaint is."""
    from psmr.errors import ConfigurationError

    try:
        return checked()
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(help=prose(check), rich_help_panel="Checking and measuring")(check)
