"""The command line. Nothing heavy is imported here: each command imports what it needs when it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from psmr.cli.interrupts import leaving_at_once

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; its exit code. Prints no traceback for an error that a caller can mend."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with leaving_at_once():
        from psmr.cli.output import speak_any_encoding
        from psmr.cli.reporting import reported
        from psmr.cli.serving import Serve

        serve = Serve.said_by(words)
        if serve is None:
            from psmr.cli import program
    speak_any_encoding()
    return program.main(words) if serve is None else reported(serve.run, words)
