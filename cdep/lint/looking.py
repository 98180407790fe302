"""`lint`: look at a service's handlers and all that they call for what makes replicas differ."""

from __future__ import annotations

from cdep.lint.program import Program
from cdep.lint.report import Allowed, CannotLint, Finding, Report
from cdep.lint.rules import RULES
from cdep.lint.scope import Scope
from cdep.lint.source import Allowance, Read, SourceFile
from cdep.lint.unit import SELF
from cdep.lint.values import Value
from cdep.service import StateMachine, service_of


def lint(owner: type[StateMachine], read: Read, files: dict[str, SourceFile] | None = None) -> Report:
    """What in the service could make replicas differ; imports nothing and runs nothing.

    Follows calls through private and inherited methods, functions of its module and of others that are not installed
    packages, and the expressions that gave module variables and class attributes their values. `read` gives the text of
    a source file; `files` keeps what was parsed, for the next service of the same files. Raises CannotLint where there is
    no source, and DeclarationError for a class without commands.
    """
    service = service_of(owner)
    lineage = tuple(base for base in owner.__mro__ if base not in (object, StateMachine))
    program = Program(Scope(lineage), read, {} if files is None else files)
    receiver = Value("instance", of=owner, shared=SELF)
    for command in service.commands:
        program.call(getattr(owner, command.name), receiver, [], {}, ())
        early = getattr(getattr(command, "early", None), "method", None)
        if early is not None:
            program.call(getattr(owner, early), receiver, [], {}, (command.name,))
    program.finish()
    findings, allowed = _parted(program)
    return Report(
        service=f"{owner.__module__}:{owner.__qualname__}",
        findings=tuple(sorted(findings)),
        allowed=tuple(sorted(allowed, key=lambda each: each.finding)),
        commands=len(service.commands),
        functions=len(program.codes),
    )


def _parted(program: Program) -> tuple[list[Finding], list[Allowed]]:
    """The findings, and those that a comment on their line allows."""
    findings: dict[tuple[object, ...], Finding] = {}
    allowed = []
    for key, finding in program.findings.items():
        comment = _comment(program, key)
        if comment and finding.code in comment.codes and comment.reason:
            allowed.append(Allowed(finding, comment.reason))
        else:
            findings[key] = finding
        wrong = _wrong_with(comment) if comment else ""
        if comment and wrong:
            place = (finding.file, comment.line, comment.column, "allowance")
            findings[place] = Finding(*place, wrong, finding.called_by)
    return list(findings.values()), allowed


def _comment(program: Program, key: tuple[str, int, int, str]) -> Allowance | None:
    comments = program.files[key[0]].allowances
    return comments.get(key[1]) or comments.get(program.last_lines[key])


def _wrong_with(comment: Allowance) -> str:
    unknown = [code for code in comment.codes if code not in RULES]
    if unknown:
        return f"there is no code {unknown[0]}"
    if not comment.codes:
        return "an allowance without a code"
    return "" if comment.reason else "an allowance without a reason"


__all__ = ["Allowed", "CannotLint", "Finding", "Report", "lint"]
