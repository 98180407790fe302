"""Values of recorded histories: immutable, and shown as EDN shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Keyword:
    """`:name`, which no string equals."""

    name: str


@dataclass(frozen=True, slots=True)
class Symbol:
    """`name`. Booleans of a history are symbols too: to Python `True` is 1, to a register they are two values."""

    name: str


@dataclass(frozen=True, slots=True)
class Tagged:
    """`#tag value`."""

    tag: str
    value: Any


class FrozenMap(dict[Any, Any]):
    """A map that can be a state, a key or an element; it is never changed."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


TRUE, FALSE = Symbol("true"), Symbol("false")


def frozen(value: Any) -> Any:
    """A value as `json` gives it, made immutable. Raises RecursionError for one nested without measure."""
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, list):
        return tuple(map(frozen, value))
    if isinstance(value, dict):
        return FrozenMap({key: frozen(held) for key, held in value.items()})
    return value


def show(value: Any) -> str:
    """A value as EDN."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, Keyword):
        return f":{value.name}"
    if isinstance(value, Symbol):
        return value.name
    if isinstance(value, Tagged):
        return f"#{value.tag} {show(value.value)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{show(key)} {show(held)}" for key, held in value.items()) + "}"
    if isinstance(value, frozenset):
        return "#{" + " ".join(sorted(map(show, value), key=lambda text: (len(text), text))) + "}"
    if isinstance(value, tuple):
        return "[" + " ".join(map(show, value)) + "]"
    return str(value)
