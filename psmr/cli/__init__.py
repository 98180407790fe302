"""The command line. Nothing heavy is imported here: each command imports what it needs when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from psmr.cli.interrupts import leaving_at_once

__all__ = ["main"]

_THREADS = "OPENBLAS_NUM_THREADS"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; its exit code. Prints no traceback for an error that a caller can mend."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # NumPy's library for matrices starts a thread for each processor when it is imported, which look for work before they sleep:
    # a fifth of the processor time of all imports. And sums that threads share may differ from replica to replica.
    os.environ.setdefault(_THREADS, "1")
    with leaving_at_once():
        from psmr.cli.output import speak_any_encoding
        from psmr.cli.reporting import reported
        from psmr.cli.serving import Serve

        serve = Serve.said_by(words)
        if serve is None:
            from psmr.cli import program
    speak_any_encoding()
    return program.main(words) if serve is None else reported(serve.run, words)
