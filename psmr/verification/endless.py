"""A handler that does not end: an interpreted loop goes on for ever, and a search with it. Here it is stopped, and named."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from psmr.errors import CallerError
from psmr.verification.cells import Place
from psmr.verification.machine import TracedMachine
from psmr.verification.orders import call_text
from psmr.verification.wording import place_text

LIMIT_S = 10.0
"""Of processor time, that one call may take: those that end take milliseconds."""
_LOOKS: Final = 5
"""How often within that time it is looked whether the call is the same."""
_TRY_AGAIN_S: Final = 0.001
_TRIES: Final = 1000
"""Where a call that must be stopped is not in its own code: it is looked again so soon, and so often."""
_EXECUTES: Final = TracedMachine._run.__code__


class EndlessHandler(CallerError):
    """A call has not ended within `LIMIT_S`; the message names its handler, its arguments and the line where it was."""


class _Stopped(BaseException):
    """Ends a handler that catches every Exception."""


@contextmanager
def stopping_what_is_endless() -> Iterator[None]:
    """Raise EndlessHandler in place of a call on a traced machine that goes on and on.

    Only in the main thread, the one that signals reach: in others nothing is stopped.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    latest: FrameType | None = None
    times_seen = 0

    def look(number: int, frame: FrameType | None) -> None:
        nonlocal latest, times_seen
        inside = _inside(frame)
        executing = inside[-1] if inside else None
        times_seen = times_seen + 1 if executing is latest else 0
        latest = executing
        if executing is None or times_seen < _LOOKS:
            return
        if _is_handler_itself(inside) or times_seen > _LOOKS + _TRIES:
            raise _Stopped(_text(executing, inside[:-1]))
        signal.setitimer(signal.ITIMER_VIRTUAL, _TRY_AGAIN_S, LIMIT_S / _LOOKS)

    before = signal.signal(signal.SIGVTALRM, look)
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_S / _LOOKS, LIMIT_S / _LOOKS)
    try:
        yield
    except _Stopped as stopped:
        raise EndlessHandler(str(stopped)) from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        latest = None


def _is_handler_itself(inside: list[FrameType]) -> bool:
    """Whether code of the handler's own file is being executed: what is raised in a finaliser, for one, stops nothing."""
    return len(inside) > 1 and inside[0].f_code.co_filename == inside[-2].f_code.co_filename


def _inside(frame: FrameType | None) -> list[FrameType]:
    """What is under way up to the function that executes calls, the innermost first; empty where no call is executed."""
    inside: list[FrameType] = []
    while frame is not None:
        inside.append(frame)
        if frame.f_code is _EXECUTES:
            return inside
        frame = frame.f_back
    return []


def _text(executing: FrameType, inside: list[FrameType]) -> str:
    machine, call = executing.f_locals["self"], executing.f_locals["call"]
    where = ""
    if inside:
        # What the handler calls outside its own file, as the engine's containers, is not what goes on.
        own = next(frame for frame in inside if frame.f_code.co_filename == inside[-1].f_code.co_filename)
        where = f" ({place_text(Place(own.f_code.co_filename, own.f_lineno, own.f_code.co_name))})"
    return (
        f"{machine.service.name}.{call.command}{where}: expected a handler that ends, found {call_text(call)} still running after "
        f"{LIMIT_S:g} s of processor time: bound its loop by its arguments or by the size of its state"
    )
