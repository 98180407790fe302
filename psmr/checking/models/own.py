"""A user's own model, for recorded histories: an event's `:f` is a command, its `:value` the arguments, its answer the reply.

A vector is a list of arguments, nil is none, anything else is the one argument. `true` and `false` are Python's.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Any

from psmr.checking.models.meaning import Meant, UnlikeTheModel
from psmr.checking.possible import PossibleRecorded
from psmr.checking.values import FALSE, TRUE, FrozenMap, show
from psmr.errors import ConfigurationError

_MISTAKES = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What a model raises that is given arguments it does not expect."""


def own_model(
    model: Any, name: str, arities: Mapping[str, int] | None = None, *, strings_are_bytes: bool = False
) -> Any:
    """`model`, a `psmr.checking.Model` or, with `outcomes`, a `Nondeterministic`, that can read a history.

    `arities` are its commands and how many arguments each has, where that is known. Raises ConfigurationError, saying `name`, for
    what is neither.
    """
    step = "outcomes" if hasattr(model, "outcomes") else "step"
    needed = ("initial", "key", step, *(() if step == "outcomes" else ("read_only",)))
    missing = [member for member in needed if not hasattr(model, member)]
    if missing:
        raise ConfigurationError(
            f"--model {name}: expected a model of psmr.checking (initial, read_only, step or outcomes, key), found "
            f"{type(model).__name__} without {', '.join(missing)}: name the object that has them, such as module:MODEL"
        )
    made = _Own(model, name, arities, strings_are_bytes)
    return PossibleRecorded(made) if step == "outcomes" else made


class _Own:
    """The model; what it raises is said in one line."""

    def __init__(self, model: Any, name: str, arities: Mapping[str, int] | None, strings_are_bytes: bool) -> None:
        self._model = model
        self._name = name
        self._arities = arities
        self._strings_are_bytes = strings_are_bytes
        self.initial: Any = model.initial
        self.read_only: Collection[str] = getattr(model, "read_only", frozenset[str]())

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        """As `Model` has it."""
        try:
            after, reply = self._model.step(state, command, arguments)
        except _MISTAKES as error:
            raise self._refused(command, arguments, error) from error
        return after, reply

    def outcomes(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> Iterable[tuple[Any, Any]]:
        """As `Nondeterministic` has it."""
        try:
            return list(self._model.outcomes(state, command, arguments))
        except _MISTAKES as error:
            raise self._refused(command, arguments, error) from error

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable | None:
        """As `Model` has it."""
        try:
            key: Hashable = self._model.key(command, arguments)
        except _MISTAKES as error:
            raise self._refused(command, arguments, error) from error
        return key

    def meant(self, f: str, called: Any, answered: Any, is_known: bool, /) -> Meant:
        """As `RecordedModel` has it."""
        value = self._plain(called)
        arguments = value if isinstance(value, tuple) else () if value is None else (value,)
        if self._arities is not None:
            if f not in self._arities:
                raise UnlikeTheModel(f"a command of {self._name} ({', '.join(sorted(self._arities))}) as :f", f)
            if len(arguments) != self._arities[f]:
                raise UnlikeTheModel(f"{self._arities[f]} arguments of {f} as :value of its call", show(called))
        return Meant(f, arguments, self._plain(answered) if is_known else None)

    def _plain(self, value: Any) -> Any:
        if value in (TRUE, FALSE):
            return value == TRUE
        if isinstance(value, str) and self._strings_are_bytes:
            return value.encode()
        if isinstance(value, tuple):
            return tuple(map(self._plain, value))
        if isinstance(value, FrozenMap):
            return FrozenMap({self._plain(key): self._plain(held) for key, held in value.items()})
        return value

    def _refused(self, command: str, arguments: tuple[Any, ...], error: Exception) -> ConfigurationError:
        call = f"{command}({', '.join(map(repr, arguments))})"
        return ConfigurationError(
            f"--model {self._name}: expected it to take {call}, found {type(error).__name__}: {error}: "
            "correct the model, or give the one that the history is of"
        )
