"""A recorded history against a model by name."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from psmr.checking.edn import read_edn
from psmr.checking.history import Operation
from psmr.checking.linearizability import check
from psmr.checking.models import MODELS, TAKES_INITIAL, UnlikeTheModel
from psmr.checking.models import keyed as one_a_key
from psmr.checking.possible import PossibleRecorded
from psmr.checking.recorded import Call, read_calls
from psmr.checking.verdict import Verdict
from psmr.errors import ConfigurationError


class Judged(NamedTuple):
    """A verdict, and the calls that it speaks of, by `Operation.invoked_us`: their place in the order of events."""

    verdict: Verdict
    calls: dict[int, Call]


def model_named(name: str, *, keyed: bool = False, partition: bool = True, initial: str | None = None) -> Any:
    """The model of that name; with `keyed`, one for each key.

    `initial` is its initial state as EDN. Raises ConfigurationError.
    """
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=1)
        cure = f"did you mean {close[0]}?" if close else f"give one of: {', '.join(MODELS)}"
        raise ConfigurationError(f"--model {name}: expected the name of a model, found an unknown one: {cure}")
    make = MODELS[name]
    part = _made(name, make, initial) if name in TAKES_INITIAL else make()
    if initial is not None and name not in TAKES_INITIAL:
        raise ConfigurationError(f"--initial: expected none for {name}, which begins empty, found one: leave it out")
    if hasattr(part, "outcomes"):
        part = PossibleRecorded(part)
    return one_a_key(part, whole=not partition) if keyed or name == "kv" else part


def check_recorded(
    text: str,
    model: Any,
    *,
    timeout_s: float = 60.0,
    partition: bool = True,
    jobs: int = 1,
    clock_s: Callable[[], float] = time.monotonic,
) -> Judged:
    """Whether the history in `text` is linearizable with respect to a model, which is as `model_named` gives it; see `check`.

    Raises ConfigurationError for a history that cannot be read, or has operations that the model does not.
    """
    calls = read_calls(text)
    operations = [_operation(call, model) for call in calls]
    # An answer that nobody saw of a command that changes nothing says nothing.
    operations = [one for one in operations if one.returned_us is not None or one.command not in model.read_only]
    verdict = check(operations, model, timeout_s=timeout_s, partition=partition, jobs=jobs, clock_s=clock_s)
    return Judged(verdict, {call.at: call for call in calls})


def _operation(call: Call, model: Any) -> Operation:
    begin, end = call.begin, call.end
    called, answered = begin.value, end.value if end else None
    if begin.key is not None:
        called, answered = (begin.key, called), (begin.key, answered)
    try:
        meant = model.meant(begin.f, called, answered, end is not None)
    except UnlikeTheModel as error:
        raise ConfigurationError(
            f"record {begin.number}: expected {error.expected}, found {error.found}: "
            "give the model that the history is of, or mend the history"
        ) from None
    return Operation(begin.process, call.at, call.ended_at, *meant)


def _made(name: str, make: Callable[..., Any], initial: str | None) -> Any:
    try:
        values = read_edn(initial or "nil")
    except ConfigurationError as error:
        raise ConfigurationError(f"--initial: {error}") from None
    try:
        if len(values) != 1:
            raise UnlikeTheModel("one value as the initial state (--initial)", str(len(values)))
        return make(values[0])
    except UnlikeTheModel as error:
        raise ConfigurationError(
            f"--model {name}: expected {error.expected}, found {error.found}: give it as EDN, such as "
            "--initial '{0 10, 1 10}'"
        ) from None
