"""A workload's own parameters, given as text: read, checked, and refused with what would have been right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psmr.workload import InvalidParameterError

__all__ = ["InvalidParameterError", "Parameters"]


class Parameters:
    """The parameters of one workload; `known` are the names that it has."""

    def __init__(self, given: Mapping[str, str], known: Sequence[str]) -> None:
        unknown = sorted(given.keys() - set(known))
        if unknown:
            raise InvalidParameterError(f"{unknown[0]}: expected one of {', '.join(known)}, found {unknown[0]!r}")
        self._given = given

    def number(self, name: str, default: int, least: int = 1, most: int = 1 << 40) -> int:
        """A whole number from `least` to `most`."""
        text = self._given.get(name, str(default))
        if not text.isdecimal() or not least <= int(text) <= most:
            raise InvalidParameterError(f"{name}: expected a whole number from {least} to {most}, found {text!r}")
        return int(text)

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        """One of some words."""
        text = self._given.get(name, default)
        if text not in choices:
            raise InvalidParameterError(f"{name}: expected one of {', '.join(choices)}, found {text!r}")
        return text
