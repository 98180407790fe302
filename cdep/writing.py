"""A decorator that is written with an option it does not have, or with too much: told in one line with how it is written."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import wraps
from typing import ParamSpec, TypeVar

from cdep.errors import DeclarationError

P = ParamSpec("P")
T = TypeVar("T")


def written_as(form: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """The decorator below is written like `form`; one that is not raises DeclarationError instead of Python's TypeError."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)
        options = [name for name, each in signature.parameters.items() if each.kind is each.KEYWORD_ONLY]

        @wraps(function)
        def checked(*arguments: P.args, **given: P.kwargs) -> T:
            where = _line_that_called()
            strange = next((name for name in given if name not in signature.parameters), None)
            if strange is not None:
                raise DeclarationError(
                    f"{where}: @{function.__name__} has no option {strange!r}{meant(strange, options)}; write {form}"
                )
            try:
                signature.bind(*arguments, **given)
            except TypeError as error:
                raise DeclarationError(f"{where}: @{function.__name__}: {error}; write {form}") from None
            return function(*arguments, **given)

        return checked

    return decorate


def _line_that_called() -> str:
    """Where the decorator is written: its handler is not known yet."""
    frame = sys._getframe(2)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def meant(word: str, options: Sequence[str]) -> str:
    """Behind a word that is none of the options: the one that it looks like, else all of them."""
    close = get_close_matches(word, options, n=1)
    if close:
        return f" (did you mean {close[0]}?)"
    return f" (it has {', '.join(options)})" if options else " (it has none)"
