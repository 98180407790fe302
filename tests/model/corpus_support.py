"""How the corpora of annotated services are kept: a wrong one with the name of its fault, and the commands that it shows in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from psmr import Max, Size, StateMachine

Text = Annotated[bytes, Max(12)]
Code = Annotated[bytes, Size(4)]
T = TypeVar("T", bound=type[StateMachine])


@dataclass(frozen=True)
class Wrong:
    """A service with one planted fault; some pair of these commands has to be refuted."""

    fault: str
    commands: frozenset[str]
    service: type[StateMachine]
    stages: str | None = None
    """Which stages of the two are wrong, in a service with early stages."""


WRONG: list[Wrong] = []
RIGHT: list[type[StateMachine]] = []


def wrong(fault: str, *commands: str, stages: str | None = None) -> Callable[[T], T]:
    """Adds a service with a wrong annotation."""

    def add(service: T) -> T:
        WRONG.append(Wrong(fault, frozenset(commands), service, stages))
        return service

    return add


def right(service: T) -> T:
    """Adds a service that is annotated correctly."""
    RIGHT.append(service)
    return service
