"""What a model of recorded histories is: a sequential meaning, and how the history writes its operations."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Any, NamedTuple, Protocol

from psmr.checking.model import Model


class Meant(NamedTuple):
    """What an event of a history means to a model. `reply` is None where the operation only acknowledges."""

    command: str
    arguments: tuple[Any, ...]
    reply: Any


class UnlikeTheModel(ValueError):
    """An operation that the model does not have, or that is written otherwise: `expected` and `found` say how."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


class RecordedModel(Model, Protocol):
    """A model that can read a history."""

    def meant(self, f: str, called: Any, answered: Any, is_known: bool, /) -> Meant:
        """The operation `f`, with the value of its call and, where its outcome `is_known`, that of its answer.

        Raises UnlikeTheModel.
        """


class OneState:
    """The part of a model that most share: its state is one thing, of which no command touches only a part."""

    initial: Any = None
    read_only: Collection[str] = frozenset[str]()

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable | None:
        """None: the state has no keys."""
        return None


def pair(value: Any, expected: str) -> tuple[Any, Any]:
    """A value that has to be a pair. Raises UnlikeTheModel, saying that `expected` was."""
    from psmr.checking.values import show

    if not isinstance(value, tuple) or len(value) != 2:
        raise UnlikeTheModel(expected, show(value))
    return value[0], value[1]


def no_such(f: str, model: str, known: str) -> UnlikeTheModel:
    """There is no operation `f`."""
    return UnlikeTheModel(f"an operation of {model} ({known}) as :f", f)
