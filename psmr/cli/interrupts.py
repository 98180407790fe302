"""Ctrl-C while the program is still being loaded: nothing is to be cleaned up yet, and nobody is there to catch it.

An exception would not do: Python itself drops one that comes in the wrong moment of an import.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 128 + signal.SIGINT


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Ctrl-C ends the process without a word, unless somebody else has decided what it does."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    try:
        signal.signal(signal.SIGINT, _leave)
    except ValueError:  # not the main thread: Ctrl-C does not arrive here
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(EXIT_CODE)
