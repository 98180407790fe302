"""The command line. Nothing heavy is imported here: each command imports what it needs when it runs."""

from psmr.cli.interrupts import leaving_at_once

with leaving_at_once():
    from psmr.cli.program import main

__all__ = ["main"]
