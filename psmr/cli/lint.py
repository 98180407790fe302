"""`psmr cdep lint`: what in a service's handlers makes replicas differ, as tables or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from psmr.cli.arguments import Json, Service
from psmr.cli.exits import ExitCode
from psmr.cli.output import console
from psmr.json_output import JsonOutput

if TYPE_CHECKING:
    from cdep.lint import Finding, Report


def lint(service: Service, json: Json = None) -> int:
    """Read a service's handlers, and all that they call, for what makes replicas differ. Nothing is run.

    Clocks, random numbers, environment, files, the order of sets, floats added in no fixed order, state kept outside declared
    state, swallowed exceptions: each with its line, why replicas would differ, and the cure. A line is allowed by a comment on
    it, [b]# psmr: allow CODE - REASON[/]. What is found keeps a service from being started; see [b]--allow-nondeterminism[/] of
    [b]psmr serve[/].

    Ends with 0 if nothing is found, 1 if something is, 2 if it cannot be checked: no commands, or no source.

    [b]psmr cdep lint kv[/]
    """
    from psmr.lint import look_at
    from psmr.services import find_service

    output = JsonOutput(json)
    report = look_at(find_service(service))
    if not output.is_alone:
        _show(report)
    output.write(_document(report))
    return ExitCode.FAILED if report.findings else ExitCode.OK


def _show(report: Report) -> None:
    output = console()
    if report.findings:
        output.print(_findings_table(report))
        output.print(_cures_table(report))
    if report.allowed:
        output.print(_allowed_table(report))
    allowed = f", {len(report.allowed)} allowed" if report.allowed else ""
    found = f"{_count(len(report.findings), 'place')}" if report.findings else "nothing"
    helpers = report.functions - report.commands
    output.print(
        f"{report.service}: {found} that would make replicas differ{allowed}, "
        f"in {_count(report.commands, 'command')} and {_count(helpers, 'function')} that they call",
        markup=False,
        soft_wrap=True,
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _findings_table(report: Report) -> Table:
    table = Table(title=f"What makes replicas of {report.service} differ", title_justify="left")
    for column in ("where", "code", "found", "called by"):
        table.add_column(column, overflow="fold")
    for each in report.findings:
        table.add_row(_place(each), each.code, each.what, " → ".join(each.called_by))
    return table


def _cures_table(report: Report) -> Table:
    table = Table(title="Why, and what to do", title_justify="left")
    for column in ("code", "why replicas would differ", "cure"):
        table.add_column(column, overflow="fold")
    for code, each in {each.code: each for each in report.findings}.items():
        table.add_row(code, each.why, each.cure)
    return table


def _allowed_table(report: Report) -> Table:
    table = Table(title="Allowed by a comment", title_justify="left")
    for column in ("where", "code", "found", "reason"):
        table.add_column(column, overflow="fold")
    for each in report.allowed:
        table.add_row(_place(each.finding), each.finding.code, each.finding.what, each.reason)
    return table


def _place(finding: Finding) -> str:
    """file:line:column, the file as seen from here."""
    path = Path(finding.file)
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return f"{shown}:{finding.line}:{finding.column}"


def _document(report: Report) -> dict[str, object]:
    return {
        "service": report.service,
        "commands": report.commands,
        "functions": report.functions,
        "findings": [_finding_document(each) for each in report.findings],
        "allowed": [{**_finding_document(each.finding), "reason": each.reason} for each in report.allowed],
    }


def _finding_document(finding: Finding) -> dict[str, object]:
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "code": finding.code,
        "found": finding.what,
        "why": finding.why,
        "cure": finding.cure,
        "called_by": list(finding.called_by),
    }
