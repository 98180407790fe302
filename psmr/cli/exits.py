"""Exit codes, and what each error means as one: the only place that decides either.

ExitCode        errors
├── OK
├── FAILED          CommandRaised, Refused, OutcomeUnknown and whatever is not below
├── CALLER          CallerError, cdep.DeclarationError, wrong usage
├── UNAVAILABLE     ClusterUnavailable
├── VIOLATION       Violation: a damaged log, a failed disk
└── INTERRUPTED     Ctrl-C
"""

from __future__ import annotations

import enum
import re
import sys

from psmr.errors import CallerError, ClusterUnavailable, CommandRaised, PsmrError, Violation


class ExitCode(enum.IntEnum):
    """What the process ends with."""

    OK = 0
    FAILED = 1
    CALLER = 2
    UNAVAILABLE = 3
    VIOLATION = 4
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "success",
    ExitCode.FAILED: "what was run or checked failed",
    ExitCode.CALLER: "the caller's fault: usage, configuration, service or annotation",
    ExitCode.UNAVAILABLE: "the cluster is unavailable: too few replicas answer",
    ExitCode.VIOLATION: "a violation: log damaged, disk failed or replicas diverged",
    ExitCode.INTERRUPTED: "interrupted",
}


def exit_code_of(error: Exception) -> ExitCode | None:
    """The code for an error that is expected to happen; None for a fault of this program, which needs its traceback."""
    if isinstance(error, CommandRaised):
        return ExitCode.FAILED
    if isinstance(error, CallerError) or _is_declaration_error(error):
        return ExitCode.CALLER
    if isinstance(error, ClusterUnavailable):
        return ExitCode.UNAVAILABLE
    if isinstance(error, Violation):
        return ExitCode.VIOLATION
    return ExitCode.FAILED if isinstance(error, PsmrError) else None


def describe(error: Exception) -> dict[str, str]:
    """An error for machines: its kind, and its message as one line."""
    return {"kind": type(error).__name__, "message": one_line(str(error))}


def one_line(text: str) -> str:
    """The text without line breaks and runs of spaces."""
    return re.sub(r"\s+", " ", text).strip()


def _is_declaration_error(error: Exception) -> bool:
    # Looked up, not imported: whoever raised one has loaded `cdep`, and `psmr --help` shall not.
    module = sys.modules.get("cdep.errors")
    return module is not None and isinstance(error, module.DeclarationError)
