"""What went wrong in a command, as one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from psmr.cli.exits import ExitCode, describe, exit_code_of


def reported(run: Callable[[], int], words: Sequence[str]) -> int:
    """What `run` returns, or the exit code of the error that ended it; raises only what is a fault of this program."""
    try:
        return run()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough of it. Python flushes stdout once more when it ends: into nothing, then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        described = describe(error)
        return report(described["kind"], described["message"], code, words)


def report(kind: str, message: str, code: ExitCode, words: Sequence[str]) -> int:
    """Say it to people, and to machines where the command line asks for JSON; the code again."""
    from psmr.cli.output import say_error
    from psmr.json_output import OPTION, print_json

    if any(word.partition("=")[0] == OPTION for word in words):
        print_json({"error": {"kind": kind, "message": message, "exit_code": int(code)}})
    say_error(message)
    return code
