"""What `psmr cdep verify` and `psmr cdep infer` have in common: how long, from which seed, on which workload."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psmr.cli.workload_arguments import parameters_of

if TYPE_CHECKING:
    from rich.status import Status

    from cdep import StateMachine
    from psmr.workload import Application, Workload, WorkloadOptions

Seconds = Annotated[
    float, typer.Option("--seconds", min=0, metavar="SECONDS", help="How long to search; what is found ends it sooner.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed searches the same states in the same order.")]

States = Annotated[
    int | None,
    typer.Option(
        "--states", min=1, metavar="N", help="Search so many states, however long it takes.", show_default=False
    ),
]

_SAY_EVERY = 50


class Clock:
    """Says how long a search may go on, and how far it is. Time runs from the first state on."""

    def __init__(self, seconds: float, states: int | None, what: str, status: Status) -> None:
        self._seconds = seconds
        self._states = states
        self._what = what
        self._status = status
        self._began_s: float | None = None

    @property
    def elapsed_s(self) -> float:
        """Since the first state."""
        return 0.0 if self._began_s is None else time.monotonic() - self._began_s

    def goes_on(self, states: int) -> bool:
        """Whether there is to be another state."""
        if self._began_s is None:
            self._began_s = time.monotonic()
        if states % _SAY_EVERY == 0:
            limit = f"{self._seconds:g} s" if self._states is None else f"{self._states} states"
            self._status.update(f"{self._what}: {states} states in {self.elapsed_s:.0f} s, of {limit}")
        return self.elapsed_s < self._seconds if self._states is None else states < self._states


@contextmanager
def clock_of(seconds: float, states: int | None, what: str) -> Iterator[Clock]:
    """A clock whose progress is shown on stderr."""
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield Clock(seconds, states, what, status)


def application_of(service: str, settings: list[str] | None) -> Application | None:
    """The application around a service, its workload with these settings; None where there is only the service.

    Raises ConfigurationError for settings that are none, or of a service without a workload.
    """
    from psmr.errors import ConfigurationError
    from psmr.services import find_application

    parameters = parameters_of(settings)
    try:
        found = find_application(service)
    except ConfigurationError:  # the service itself was found before: it comes without a workload
        if parameters:
            raise
        return None

    def workload(options: WorkloadOptions) -> Workload:
        try:
            return found.workload(replace(options, parameters=parameters))
        except ValueError as error:
            raise ConfigurationError(f"{service}: {error}") from None

    return replace(found, workload=workload)


def what_lint_finds(owner: type[StateMachine], service: str) -> str | None:
    """One line where handlers do what no search over declared state can see: a variable of the class, a clock. None elsewhere."""
    from psmr.errors import ConfigurationError
    from psmr.lint import look_at, place_of

    try:
        findings = look_at(owner).findings
    except ConfigurationError:  # no source: said already
        return None
    if not findings:
        return None
    first, count = findings[0], len(findings)
    return (
        f"beyond what was searched: {count} place{'s' * (count > 1)} that would make replicas differ however commands are ordered, "
        f"such as {place_of(first)} {first.code} ({first.what}): see psmr cdep lint {service}"
    )


def say_what_has_no_source(owner: type[StateMachine]) -> None:
    """One line to stderr for handlers of which only the code is there: lines are named, but nobody can read them."""
    from cdep import service_of
    from psmr.cli.output import say

    missing = [
        command.name
        for command in service_of(owner).commands
        if not Path(getattr(owner, command.name).__code__.co_filename).is_file()
    ]
    if missing:
        say(
            f"{owner.__name__}: expected handlers whose source is in a file, found none for {', '.join(missing)}: they are traced "
            "all the same, and the lines named are those of a text that is not there"
        )
