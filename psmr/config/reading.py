"""Reading one table of a configuration file: kinds of values, and one form for every complaint."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from psmr.errors import ConfigurationError

Table = dict[str, Any]
ABSTRACT_NAME_BYTES_MAX = 106
"""Linux keeps 108 bytes for a socket's name: one is the zero that makes it abstract, one ends it."""

_SHOWN_BITS_MAX = 256
"""Python itself refuses to write out an integer of thousands of digits."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a text must match in full, and how to say so to a reader."""

    regex: str
    words: str


class Kind(Protocol):
    """What a key's value may be. `expected` is for messages; `accept` is the value as kept, or None if it is wrong."""

    @property
    def default(self) -> str | int | None: ...

    @property
    def expected(self) -> str: ...

    def accept(self, value: object) -> str | int | None: ...


@dataclass(frozen=True, slots=True)
class Text:
    pattern: Pattern
    default: str | None = None

    @property
    def expected(self) -> str:
        return self.pattern.words

    def accept(self, value: object) -> str | None:
        return value if isinstance(value, str) and re.fullmatch(self.pattern.regex, value) else None


@dataclass(frozen=True, slots=True)
class Choice:
    choices: tuple[str, ...]
    default: str | None = None

    @property
    def expected(self) -> str:
        return " or ".join(f'"{choice}"' for choice in self.choices)

    def accept(self, value: object) -> str | None:
        return value if isinstance(value, str) and value in self.choices else None


@dataclass(frozen=True, slots=True)
class Integer:
    low: int
    high: int
    default: int | None = None

    @property
    def expected(self) -> str:
        return f"an integer from {self.low} to {self.high}"

    def accept(self, value: object) -> int | None:
        # To Python, and not to TOML, true is an integer.
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        return value if self.low <= value <= self.high else None


@dataclass(frozen=True, slots=True)
class Boolean:
    default: bool | None = None

    @property
    def expected(self) -> str:
        return "true or false"

    def accept(self, value: object) -> bool | None:
        return value if isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class Address:
    """Where a replica listens and others connect: so a host that can be named, not a wildcard, and a fixed port."""

    default: str | None = None

    @property
    def expected(self) -> str:
        return 'an address such as "tcp://127.0.0.1:7101" (port 1 to 65535) or "ipc://@name"'

    def accept(self, value: object) -> str | None:
        if not isinstance(value, str):
            return None
        if name := re.fullmatch(r"ipc://@([!-~]+)", value):
            return value if len(name[1]) <= ABSTRACT_NAME_BYTES_MAX else None
        parts = re.fullmatch(r"tcp://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%a-z]+\]):([0-9]{1,5})", value)
        return value.lower() if parts and 1 <= int(parts[2]) <= 65535 else None


def read_table(
    source: str, name: str, value: object, kinds: Mapping[str, Kind], elsewhere: Mapping[str, str] | None = None
) -> Table:
    """The values of table `name` by `kinds`, defaults filled in; a ConfigurationError for the first that is wrong.

    `elsewhere` says of keys of other tables which one, for who has written one here.
    """
    needed = [key for key, kind in kinds.items() if kind.default is None]
    table = require_table(source, name, value, kinds, needed, elsewhere)
    result: Table = {}
    for key, kind in kinds.items():
        if key not in table:
            result[key] = kind.default
            continue
        accepted = kind.accept(table[key])
        if accepted is None:
            fail(source, f"{name}.{key}", kind.expected, shown(table[key]), "correct the value")
        result[key] = accepted
    return result


def require_table(
    source: str,
    name: str,
    value: object,
    known: Collection[str],
    needed: Collection[str],
    elsewhere: Mapping[str, str] | None = None,
) -> Table:
    """`value` as a table that has no key but the `known` and all of the `needed`; `elsewhere` as for `read_table`."""
    if not isinstance(value, dict):
        fail(source, name, "a table", shown(value), f"write its keys below a line [{name.split('[')[0]}]")
    for key in value:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            cure = f'did you mean "{close[0]}"?' if close else "remove it"
            if elsewhere and key in elsewhere:
                cure = f"write it below {elsewhere[key]}"
            fail(source, _join(name, key), f"one of {', '.join(sorted(known))}", "an unknown key", cure)
    for key in needed:
        if key not in value:
            fail(source, _join(name, key), "this key", "none", f"add {key}{'' if name else ' as a table'}")
    return value


def fail(source: str, key: str, expected: str, found: str, cure: str) -> NoReturn:
    """Raise the one form of complaint."""
    raise ConfigurationError(f"{source}: {key}: expected {expected}, found {found}: {cure}")


def shown(value: object) -> str:
    """A value as it stood in the file, in one short line."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > _SHOWN_BITS_MAX:
        return f"an integer of {value.bit_length()} bits"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _join(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key
