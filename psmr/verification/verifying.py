"""The whole of `psmr cdep verify`: search, shrink what was found, and say what the declarations cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cdep import Service, StateMachine, service_of
from psmr.verification.comparing import Comparison, compared
from psmr.verification.cost import Cost, cost_of
from psmr.verification.coverage import Line
from psmr.verification.endless import stopping_what_is_endless
from psmr.verification.examining import Trial
from psmr.verification.examples import beginnings_of, example_calls, workload_calls
from psmr.verification.inference import Inference
from psmr.verification.machine import TracedMachine
from psmr.verification.raising import Raised
from psmr.verification.search import Names, Search, Searched
from psmr.verification.shrinking import Refutation, shrunk
from psmr.verification.stage_inference import StageInference
from psmr.workload import Application

GoesOn = Callable[[int], bool]
"""Asked with the number of states examined so far: whether there is to be another."""

STATES_AFTER_FIRST = 40
"""How many states more are examined, at least, once something is refuted: for its other faults, and for a plainer example."""
_OBSERVED_STATES_MAX = 1200
_ORDERED_PAIRS_MIN = 200
_WORKLOAD_CALLS = 2048


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    service: Service
    searched: Searched
    refutations: list[Refutation]
    never_conflicting: list[Names]
    """Pairs of commands, all of whose lines were reached, with many ordered calls of which none conflicted."""
    stricter: list[Comparison]
    """Commands that could be declared with fewer keys, or none."""
    cost: Cost
    never_succeeded: list[str]
    raised: dict[str, list[Raised]]
    """What each command raised that did, the most frequent first."""
    never_reached: dict[str, list[Line]]
    """Lines of each command, and of what it calls, that were never executed."""

    @property
    def verdict(self) -> str:
        """`refuted`, `not refuted`, or `undecided` when commands have not been seen to succeed, or nothing was searched."""
        if self.refutations:
            return "refuted"
        return "undecided" if self.never_succeeded or not self.searched.states else "not refuted"


@stopping_what_is_endless()
def verify(owner: type[StateMachine], application: Application | None, seed: int, goes_on: GoesOn) -> Result:
    """Search until told to stop. Raises ConfigurationError for state that cannot be traced, EndlessHandler."""
    service = service_of(owner)
    inference = StageInference(service) if service.is_staged else Inference(service)

    def observe(trials: list[Trial]) -> None:
        if search.searched.states <= _OBSERVED_STATES_MAX:
            inference.observe(trials)

    search = started(owner, application, seed, observe)
    first_at = None
    while goes_on(search.searched.states):
        search.explore()
        if first_at is None and search.suspicions:
            first_at = search.searched.states
        if first_at is not None and search.searched.states >= 2 * first_at + STATES_AFTER_FIRST:
            break
    machine = TracedMachine(owner)
    found = [shrunk(machine, suspicions) for suspicions in search.suspicions.values()]
    refutations = [refutation for refutation in found if refutation is not None]
    refutations.sort(key=lambda refutation: (not refutation.differences, len(refutation.before)))
    return _result(search, inference, refutations, application, seed)


def started(
    owner: type[StateMachine], application: Application | None, seed: int, observe: Callable[[list[Trial]], None]
) -> Search:
    """A search that knows the application's workload."""
    service = service_of(owner)
    if application is None:
        return Search(owner, seed, observe=observe)
    examples, beginnings = example_calls(application, service, seed), beginnings_of(application, service, seed)
    return Search(owner, seed, examples, observe, beginnings)


def _result(
    search: Search,
    inference: Inference | StageInference,
    refutations: list[Refutation],
    application: Application | None,
    seed: int,
) -> Result:
    searched, service = search.searched, search.service
    never = [
        names
        for names, count in sorted(searched.ordered.items())
        if count >= _ORDERED_PAIRS_MIN and not searched.ordered_and_conflicting[names]
        if not any(search.coverage.missing[name] for name in names)
    ]
    missing, suspected = search.coverage.missing, search.suspected()
    proposed = service
    if isinstance(inference, StageInference):
        comparisons = inference.compare(search.novel, missing, suspected)
    else:
        proposed, found = inference.propose(search.novel)
        comparisons = compared(service, proposed, found, missing, suspected)
    is_workload = application is not None
    calls = (
        workload_calls(application, service, seed, _WORKLOAD_CALLS) if application is not None else inference.calls()
    )
    needed = service if any(missing.values()) else proposed
    return Result(
        service,
        searched,
        refutations,
        never,
        [comparison for comparison in comparisons if comparison.verdict == "declared too strictly"],
        cost_of(service, needed, calls[:_WORKLOAD_CALLS], never, is_workload=is_workload),
        [name for name, count in searched.executed.items() if count and not searched.succeeded[name]],
        searched.raised.by_command(),
        {name: sorted(lines) for name, lines in missing.items() if lines},
    )
