"""Numbers, lists and options as a test gives them: what cannot be is refused in one line, before anything is made of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from operator import index
from typing import Any

from psmr.errors import ConfigurationError


def whole(what: str, given: object, least: int, most: int | None = None) -> int:
    """A whole number from `least` to `most`. Raises ConfigurationError for anything else; True is no number here."""
    found = index(given) if hasattr(given, "__index__") and not isinstance(given, bool) else None
    if found is None or found < least or (most is not None and found > most):
        limit = "on" if most is None else f"to {most}"
        raise ConfigurationError(
            f"expected {what}, a whole number from {least} {limit}, found {given!r:.60}: correct it"
        )
    return found


def duration(what: str, given: object, *, may_be_none: bool = False) -> float:
    """Finite seconds above 0; 0 too with `may_be_none`. Raises ConfigurationError for anything else."""
    seconds = float(given) if hasattr(given, "__float__") and not isinstance(given, bool) else -1.0
    if not (0 < seconds < float("inf") or (may_be_none and seconds == 0)):
        raise ConfigurationError(f"expected {what} in seconds, such as 2.5, found {given!r:.60}: correct it")
    return seconds


def several(what: str, given: object) -> list[Any]:
    """The elements of a list, or of anything like it but text. Raises ConfigurationError for anything else."""
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise ConfigurationError(f"expected {what}, found {given!r:.60}: give a list of them")
    return list(given)


def check_options(made: Callable[..., Any], given: Mapping[str, object]) -> None:
    """Raise ConfigurationError for an option that what is `made` does not have."""
    parameters = inspect.signature(made).parameters.values()
    known = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            cure = f"did you mean {close[0]}?" if close else "take one of them"
            raise ConfigurationError(f"expected options among {', '.join(known)}, found {name!r}: {cure}")
