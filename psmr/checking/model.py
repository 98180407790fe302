"""What a service means when one client calls it, one command at a time."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Any, Protocol, TypeGuard, runtime_checkable


class Model(Protocol):
    """A service's sequential meaning. Any object with these members will do; a module too.

    A state is hashable, and is never changed: `step` returns another. Replies are compared by `==`.

    `key` says which part of the state a command touches. A history may be checked key by key only if what a command
    does to its key, and its reply, depend on that key alone. So a command of several keys (a transfer) has no key
    of its own: let `key` give the same value for all commands, or check with `partition=False`.
    `None` is for a command that does to every key what it would do to each alone (clear), or reads them all (size).
    """

    @property
    def initial(self) -> Any:
        """The state before the first command; of each key too, where keys are checked one by one."""

    @property
    def read_only(self) -> Collection[str]:
        """Names of the commands that change no state, whatever it is. The fewer are missing, the quicker the check."""

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        """The state after `command`, and its reply; deterministic."""

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable | None:
        """The key that `command` touches, or None for all of them."""


@runtime_checkable
class Parting(Protocol):
    """A model that can say which keys a command without a key touches, so that no other part needs to hold it."""

    def parts(self, command: str, arguments: tuple[Any, ...], /) -> Mapping[Hashable, tuple[Any, ...]]:
        """For each key that the command touches, the arguments that do to that key alone what the whole command does."""


class OfCells(Protocol):
    """A model of the whole that is nothing but one of each key beside the other: what happens to a key concerns no other."""

    def of_one_cell(self) -> Model:
        """The model of one key, for the same commands. Each command has a key."""


def has_cells(model: object) -> TypeGuard[OfCells]:
    """Whether it is one."""
    return hasattr(model, "of_one_cell")
