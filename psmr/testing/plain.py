"""Failures that show the test's own line and the message, and nothing of what lies between."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from cdep import CallError, DeclarationError
from psmr.errors import PsmrError

P = ParamSpec("P")
T = TypeVar("T")

_SAID = (AssertionError, PsmrError, CallError, DeclarationError)


def told_plainly(function: Callable[P, T]) -> Callable[P, T]:
    """The function; what it raises on purpose comes without the frames below it, and pytest hides its own."""

    @wraps(function)
    def plain(*arguments: P.args, **options: P.kwargs) -> T:
        __tracebackhide__ = True
        try:
            return function(*arguments, **options)
        except _SAID as error:
            raise error.with_traceback(None) from None

    return plain
