"""Whether a service may run: the static check of `cdep.lint` on its source, and the refusal where it finds something."""

from __future__ import annotations

import gc
import linecache
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cdep import StateMachine, service_of
from cdep.lint import CannotLint, Finding, Report, lint
from psmr.core.override import CODES_MAX, LINE_MAX, LINES_MAX, NAME_MAX, Override
from psmr.errors import ConfigurationError

SHOWN_MAX = 5
HOW_TO_ALLOW = 'or run it all the same: --allow-nondeterminism, or lint = "off" in the cluster\'s file'


def look_at(owner: type[StateMachine]) -> Report:
    """What the check finds in a service that is loaded. Raises ConfigurationError where there is no source to look at."""
    try:
        with _garbage_left_alone():
            return lint(owner, _source)
    except CannotLint as error:
        raise ConfigurationError(str(error)) from None


def refuse_nondeterminism(
    owner: type[StateMachine], *, allowed: bool = False, say: Callable[[str], None] = lambda text: None
) -> Override | None:
    """Raise ConfigurationError, with the findings, if replicas of this service could differ or it cannot be looked at.

    `allowed`: only `say` it, in one line that nobody overlooks, and return what the log is to say of it; a service in which nothing
    is found runs without a word.
    """
    name = f"{owner.__module__}:{owner.__qualname__}"
    findings: tuple[Finding, ...] = ()
    try:
        findings = look_at(owner).findings
    except ConfigurationError as error:
        complaint = f"{name}: expected handlers that can be checked, found: {error}"
    else:
        if not findings:
            return None
        complaint = _complaint(name, findings)
    if not allowed:
        raise ConfigurationError(f"{complaint}, {HOW_TO_ALLOW}")
    say(f"WARNING: it runs all the same, and replicas may differ: {complaint}")
    lines = [_line_of(each) for each in findings[:LINES_MAX]] or [complaint]
    codes = sorted({each.code for each in findings})[:CODES_MAX]
    return Override(
        service_of(owner).fingerprint,
        name[:NAME_MAX],
        len(findings),
        tuple(codes),
        tuple(line[:LINE_MAX] for line in lines),
    )


def place_of(finding: Finding) -> str:
    """Where a finding is: file:line:column."""
    return f"{finding.file}:{finding.line}:{finding.column}"


def _line_of(finding: Finding) -> str:
    return f"{place_of(finding)} {finding.code} ({finding.what}): {finding.why}"


def _complaint(name: str, findings: Sequence[Finding]) -> str:
    shown = "; ".join(_line_of(each) for each in findings[:SHOWN_MAX])
    more = f"; and {len(findings) - SHOWN_MAX} more" if len(findings) > SHOWN_MAX else ""
    places = "1 place" if len(findings) == 1 else f"{len(findings)} places"
    found = f"found {places} that may not: {shown}{more}"
    return f"{name}: expected handlers that do the same on every replica, {found}: see psmr cdep lint for the cures"


@contextmanager
def _garbage_left_alone() -> Iterator[None]:
    """Trees of syntax are many objects: the collector would look through all that is loaded, which takes longer than this."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _source(path: str, names: dict[str, Any]) -> str:
    linecache.checkcache(path)
    return "".join(linecache.getlines(path, names))
