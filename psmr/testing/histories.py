"""`assert_linearizable`: a history against a model, and a picture where it has no order."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cdep import service_of
from psmr.checking import Counterexample, Operation, Verdict, check
from psmr.checking.recorded import Call, Event
from psmr.checking.recorded_check import Judged
from psmr.checking.timeline import timeline
from psmr.errors import CommandRaised, ConfigurationError
from psmr.testing.history import History
from psmr.testing.plain import told_plainly
from psmr.testing.session import session
from psmr.testing.virtual_client import Raised
from psmr.verification.orders import value_text
from psmr.workload import Application

_NEEDED = ("initial", "read_only", "step", "key")
_TIMEOUT_S = 60.0


@told_plainly
def assert_linearizable(
    history: Iterable[Operation],
    model: Any,
    *,
    partition: bool = True,
    timeout_s: float = _TIMEOUT_S,
    timeline_file: Path | None = None,
) -> None:
    """Some order of the operations respects real time and gives every reply that was seen, as `model` has it.

    `history`: what `VirtualCluster.run` returned, or any `psmr.checking.Operation`s. `model`: a `psmr.checking.Model` (`initial`,
    `read_only`, `step`, `key`), or an Application, for its own. Where a handler raises the model's `step` raises CommandRaised.
    `partition`: key by key, as the model's `key` has it.

    Raises AssertionError with the longest order found and what cannot follow it, and the name of a page that shows it:
    `timeline_file`, or one in the test's `tmp_path`. Raises it, too, where `timeout_s` was too short to decide. Raises
    ConfigurationError for what is no model, or that of another service.
    """
    operations = _operations(history)
    service = history.service if isinstance(history, History) else None
    may_raise = {_call_of(one) for one in operations if one.returned_us is None or isinstance(one.reply, Raised)}
    commands = None if service is None else [command.name for command in service_of(service).commands]
    asked = _Asked(model, commands, may_raise)
    ranked = _ranked(operations)
    verdict = check(ranked, asked, timeout_s=timeout_s, partition=partition)
    if verdict.linearizable:
        return
    by_rank = {one.invoked_us: operation for one, operation in zip(ranked, operations, strict=True)}
    whose = "" if service is None else f"{service.__name__}: "
    lines = [whose + _as_called(verdict, by_rank).text()]
    page = timeline(Judged(verdict, _pictured(ranked)))
    if page is not None:
        path = timeline_file or _folder_of(history) / "timeline.html"
        path.write_text(page, encoding="utf-8")
        lines.append(f"as a picture: {path}")
    if verdict.linearizable is None:
        lines.append(
            f"expected a verdict within {timeout_s:g} s, found none: give it longer (timeout_s), or fewer operations"
        )
    if isinstance(history, History):
        lines.append(f"seed {history.seed}")
    raise AssertionError("\n".join(lines))


def _operations(history: Iterable[Operation]) -> list[Operation]:
    operations = list(history) if isinstance(history, Iterable) else [history]
    strange = next((one for one in operations if not isinstance(one, Operation)), None)
    if strange is not None:
        raise ConfigurationError(
            f"expected a history of psmr.checking.Operation, found {strange!r:.60} in it: give what a cluster's run returned"
        )
    return operations


def _folder_of(history: object) -> Path:
    own = history.folder if isinstance(history, History) else None
    return own if own is not None else session().folder()


def _call_of(operation: Operation) -> tuple[str, str]:
    return operation.command, repr(operation.arguments)


def _check_values(name: str, model: Any) -> None:
    """Raise ConfigurationError where a model has something else as `initial` and `read_only` than a state and names."""
    for member in ("initial", "read_only"):
        if callable(getattr(model, member)):
            raise ConfigurationError(
                f"expected {member} of the model {name} to be a value, found a method: write it as an attribute, or with @property"
            )
    if type(model.initial).__hash__ is None:
        raise ConfigurationError(
            f"expected a hashable state as initial of the model {name}, found a {type(model.initial).__name__}: "
            "take a tuple, a number or a frozenset"
        )
    if isinstance(model.read_only, str) or not isinstance(model.read_only, Collection):
        raise ConfigurationError(
            f"expected names of commands as read_only of the model {name}, found {model.read_only!r:.60}: give a tuple of them"
        )


class _Asked:
    """A model whose exceptions are told apart: CommandRaised, and any for a call of `may_raise`, is a reply; others are mistakes.

    `commands` are those of the service, where it is known.
    """

    def __init__(self, given: Any, commands: Collection[str] | None, may_raise: Collection[tuple[str, str]]) -> None:
        self._may_raise = may_raise
        model = given.checking if isinstance(given, Application) else given
        self._name = getattr(model, "__name__", type(model).__name__)
        missing = [name for name in _NEEDED if not hasattr(model, name)]
        if isinstance(model, type) and not missing:
            model = model()
        if missing:
            raise ConfigurationError(
                f"expected a model of psmr.checking ({', '.join(_NEEDED)}), found {self._name} without {', '.join(missing)}: "
                "give an object, a class without arguments or a module that has them"
            )
        _check_values(self._name, model)
        self._model = model
        self._commands = commands
        self.initial: Any = model.initial
        self.read_only: Collection[str] = model.read_only
        strange = sorted(set(self.read_only) - set(commands)) if commands is not None else []
        if strange:
            raise self._of_another(f"{strange[0]}, which the service has not")

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        """As the model has it; CommandRaised is the reply of a handler that raises."""
        try:
            after, reply = self._model.step(state, command, arguments)
        except CommandRaised as error:
            return state, Raised(str(error))
        except Exception as error:  # noqa: BLE001 - a model may raise anything over what it was not made for
            if (command, repr(arguments)) in self._may_raise:
                return state, Raised(str(error))
            call = f"{command}({', '.join(map(value_text, arguments))})"
            raise self._of_another(f"{type(error).__name__}: {error} for {call}") from None
        return after, reply

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable | None:
        """As the model has it."""
        try:
            key: Hashable | None = self._model.key(command, arguments)
        except Exception as error:  # noqa: BLE001 - as above
            raise self._of_another(f"{type(error).__name__}: {error} for the key of {command}") from None
        return key

    def _of_another(self, found: str) -> ConfigurationError:
        commands = "the history's commands" if self._commands is None else f"the commands {', '.join(self._commands)}"
        return ConfigurationError(
            f"expected the model {self._name} to take {commands}, found {found}: give the model of this service"
        )


def _ranked(operations: Sequence[Operation]) -> list[Operation]:
    """The same with places in the order of time for times, each of its own: equal times say nothing, so calls come first."""
    events = [(one.invoked_us, 0, number) for number, one in enumerate(operations)]
    events += [(one.returned_us, 1, number) for number, one in enumerate(operations) if one.returned_us is not None]
    begun: dict[int, int] = {}
    ended: dict[int, int] = {}
    for rank, (_, is_end, number) in enumerate(sorted(events)):
        (ended if is_end else begun)[number] = rank
    return [
        one._replace(invoked_us=begun[number], returned_us=ended.get(number)) for number, one in enumerate(operations)
    ]


def _as_called(verdict: Verdict, by_rank: dict[int, Operation]) -> Verdict:
    """The verdict with the times that the history has."""

    def timed(against: Counterexample | None) -> Counterexample | None:
        if against is None:
            return None
        return replace(
            against,
            prefix=tuple(by_rank[one.invoked_us] for one in against.prefix),
            unplaceable=tuple(
                each._replace(operation=by_rank[each.operation.invoked_us]) for each in against.unplaceable
            ),
        )

    return replace(verdict, counterexample=timed(verdict.counterexample), suspicion=timed(verdict.suspicion))


def _pictured(ranked: Iterable[Operation]) -> dict[int, Call]:
    """The operations as the picture wants them, by their ranks."""
    pictured = {}
    for number, one in enumerate(ranked, 1):
        begin = Event(number, str(one.process), "invoke", one.command, one.arguments, None, None, one.invoked_us)
        end = None
        if one.returned_us is not None:
            reply = one.reply.text if isinstance(one.reply, Raised) else one.reply
            end = begin._replace(type="ok", value=reply, place=one.returned_us)
        pictured[one.invoked_us] = Call(one.invoked_us, one.returned_us, begin, end)
    return pictured
