"""What a look at a service's handlers found: findings, what was allowed by a comment, and how much was looked at."""

from __future__ import annotations

from dataclasses import dataclass

from cdep.lint.rules import RULES


class CannotLint(Exception):
    """A handler, or what it calls, cannot be looked at; the message says what is missing and what to do, in one line."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One place at which replicas may come to differ. `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    code: str
    what: str
    """What stands there, in a few words: "time.time", "iteration over a set"."""
    called_by: tuple[str, ...]
    """The chain from the command down to the function that holds the line: ("transfer", "_move", "stamp")."""

    @property
    def why(self) -> str:
        """Why replicas would differ."""
        return RULES[self.code].why

    @property
    def cure(self) -> str:
        """What to write instead."""
        return RULES[self.code].cure


@dataclass(frozen=True, slots=True)
class Allowed:
    """A finding that a comment on its line allows, with the reason given there."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found in one service, sorted by place."""

    service: str
    findings: tuple[Finding, ...]
    allowed: tuple[Allowed, ...]
    commands: int
    functions: int
    """How many functions were read, the commands' own among them."""
