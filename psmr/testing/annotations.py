"""`assert_commutes` and `assert_ordered`: what a service's annotations say, held against what its handlers do."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from cdep import DeclarationError, StateMachine, conflict
from psmr.errors import CallerError
from psmr.services import service_text
from psmr.testing.asked import duration, whole
from psmr.testing.calls import Calls, Written, owner_of
from psmr.testing.plain import told_plainly
from psmr.testing.session import session
from psmr.verification.explaining import declared_text, explained
from psmr.verification.machine import Call, TracedMachine, named_call
from psmr.verification.orders import call_text
from psmr.verification.script import script_of
from psmr.verification.search import Suspicion
from psmr.verification.shrinking import Refutation, refutation_of
from psmr.verification.verifying import Result, verify
from psmr.workload import Application

_SHOWN = 3


class UndecidedWarning(UserWarning):
    """A search that found nothing says nothing of commands that it has never seen to succeed."""


@told_plainly
def assert_commutes(
    service: type[StateMachine] | Application,
    first: Written | None = None,
    second: Written | None = None,
    *,
    state: Sequence[Written] = (),
    seconds: float | None = None,
    states: int | None = None,
    seed: int | None = None,
) -> None:
    """Whatever C-Dep does not order gives the same in either order: replies, events, state, and the cells it touches.

        assert_commutes(Bank)                                                      looks for a counterexample
        assert_commutes(Bank, ("deposit", 1, 5), ("deposit", 2, 5), state=[("open", 1)])   these two, from that state

    Two calls that C-Dep orders hold always, for nobody executes them the other way round; that it does order two says
    `assert_ordered`. Without calls states are searched for `seconds` (by default `--psmr-seconds`), or so many `states`,
    however long that takes, from `seed` on; an Application, instead of its service, adds its workload's calls.

    Raises AssertionError with the smallest example, the undeclared access with its line, and the cure. Warns with
    UndecidedWarning of commands that never succeeded. Raises InvalidCall and ConfigurationError for what is no service, no call
    of it, or keeps state that cannot be traced.
    """
    owner = owner_of(service)
    if first is None and second is None and not state:
        application = service if isinstance(service, Application) else None
        _search(owner, application, _clock(seconds, states), session().seed_for(seed))
        return
    calls = Calls(service)
    pair = _pair(calls, first, second)
    found = refutation_of(TracedMachine(owner), Suspicion(tuple(calls.read_all(state)), *pair))
    if found is not None:
        raise AssertionError(_told(calls, [found]))


@told_plainly
def assert_ordered(service: type[StateMachine] | Application, first: Written, second: Written) -> None:
    """C-Dep orders the two calls: every replica executes them as they stand in the log.

    Raises AssertionError with what is declared of both, and InvalidCall and ConfigurationError as `assert_commutes`.
    """
    calls = Calls(service)
    one, other = _pair(calls, first, second)
    if not conflict(calls.service, named_call(calls.service, one), named_call(calls.service, other)):
        declared = "; ".join(declared_text(calls.service, call) for call in (one, other))
        raise AssertionError(
            f"{calls.service.name}: expected C-Dep to order {call_text(one)} and {call_text(other)}, found that they may run in "
            f"either order: {declared}"
        )


def _pair(calls: Calls, first: Written | None, second: Written | None) -> tuple[Call, Call]:
    if first is None or second is None:
        found = "one" if first or second else "none"
        raise CallerError(
            f"{calls.service.name}: expected two calls whose orders are to be compared, found {found}: give both, or leave out "
            "the state too for a search"
        )
    return calls.read(first), calls.read(second)


def _clock(seconds: float | None, states: int | None) -> Callable[[int], bool]:
    """Whether a search is to go on; its time begins with its first state."""
    if states is not None:
        states_max = whole("states", states, 1)
        return lambda searched: searched < states_max
    limit_s = session().seconds if seconds is None else duration("how long to search", seconds)
    began_s: list[float] = []

    def goes_on(searched: int) -> bool:
        if not began_s:
            began_s.append(time.monotonic())
        return time.monotonic() - began_s[0] < limit_s

    return goes_on


def _search(
    owner: type[StateMachine], application: Application | None, goes_on: Callable[[int], bool], seed: int
) -> None:
    result = verify(owner, application, seed, goes_on)
    if result.refutations:
        calls = Calls(owner)
        lines = [_told(calls, result.refutations), *_script(owner, calls, result.refutations[0])]
        raise AssertionError("\n".join([*lines, _searched(result, seed)]))
    if result.verdict == "undecided":
        never = ", ".join(result.never_succeeded) or "any command"
        warnings.warn(
            f"{owner.__name__}: undecided: {never} never succeeded, so nothing is known of what it does; "
            f"{_searched(result, seed)}: give an Application, whose workload has calls that do",
            UndecidedWarning,
            stacklevel=4,
        )


def _told(calls: Calls, found: Sequence[Refutation]) -> str:
    lines = [f"{calls.service.name}: what C-Dep leaves unordered does not commute"]
    for each in found[:_SHOWN]:
        lines.append(f"{each.first.command} and {each.second.command}")
        lines += [f"  {line}" for line in explained(calls.service, each)]
    if len(found) > _SHOWN:
        more = ", ".join(f"{each.first.command}/{each.second.command}" for each in found[_SHOWN:])
        lines.append(f"as do not: {more}")
    return "\n".join(lines)


def _script(owner: type[StateMachine], calls: Calls, found: Refutation) -> list[str]:
    """Where the example was written as a script; nothing for a class that no script can import."""
    try:
        text = script_of(service_text(owner), found, explained(calls.service, found))
    except (CallerError, DeclarationError):
        return []
    path: Path = session().folder() / f"{owner.__name__.lower()}-commutes.py"
    path.write_text(text, encoding="utf-8")
    return [f"as a script: {path}"]


def _searched(result: Result, seed: int) -> str:
    searched = result.searched
    return (
        f"searched with seed {seed}: {searched.states} states, {searched.calls} calls, "
        f"{searched.unordered.total()} pairs that C-Dep does not order"
    )
