"""Nondeterministic models, checked as deterministic ones: a state is the set of states in which the system may be.

Operations have to tell what was seen, because what a command answers says which of the states remain: `seen` puts it
behind the arguments. A read then narrows the set, so that no command only reads.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Protocol

from psmr.checking.history import Operation
from psmr.checking.models.meaning import Meant

UNKNOWN = object()
"""Stands for a reply where the outcome is unknown."""


class Nondeterministic(Protocol):
    """A meaning where a command may have several outcomes. States and replies are hashable."""

    @property
    def initial(self) -> Any:
        """The state before the first command; of each key too, where keys are checked one by one."""

    def outcomes(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> Iterable[tuple[Any, Any]]:
        """Each state that may follow `command`, with the reply it then gives; at least one."""

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable | None:
        """As `Model.key`."""


class NondeterministicRecorded(Nondeterministic, Protocol):
    """One that can read a history, as `RecordedModel` does."""

    def meant(self, f: str, called: Any, answered: Any, is_known: bool, /) -> Meant:
        """As `RecordedModel` has it."""


class OneOf(frozenset[Any]):
    """Replies that the model might have given; no reply equals it."""

    __slots__ = ()
    __hash__ = frozenset.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class Possible:
    """A `Model` of a nondeterministic one, for operations that `seen` has changed."""

    read_only = frozenset[str]()

    def __init__(self, model: Nondeterministic) -> None:
        self._model = model
        self.initial = frozenset({model.initial})

    def step(self, states: frozenset[Any], command: str, arguments: tuple[Any, ...], /) -> tuple[frozenset[Any], Any]:
        """The states that may follow, given what was seen; where nothing explains that, the replies that could be."""
        *given, reply = arguments
        inner = tuple(given)
        outcomes = [outcome for state in states for outcome in self._model.outcomes(state, command, inner)]
        after = frozenset(state for state, found in outcomes if reply is UNKNOWN or found == reply)
        return (after, reply) if after else (states, OneOf(found for _, found in outcomes))

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable | None:
        """That of the model."""
        return self._model.key(command, arguments[:-1])


class PossibleRecorded(Possible):
    """The same of a model that can read a history; what was seen is put there at once."""

    def __init__(self, model: NondeterministicRecorded) -> None:
        super().__init__(model)
        self._recorded = model

    def meant(self, f: str, called: Any, answered: Any, is_known: bool, /) -> Meant:
        """As `RecordedModel` has it."""
        meant = self._recorded.meant(f, called, answered, is_known)
        return meant._replace(arguments=(*meant.arguments, meant.reply if is_known else UNKNOWN))


def seen(operation: Operation) -> Operation:
    """The operation as `Possible` needs it."""
    reply = UNKNOWN if operation.returned_us is None else operation.reply
    return operation._replace(arguments=(*operation.arguments, reply))
