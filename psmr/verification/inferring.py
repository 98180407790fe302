"""The whole of `psmr cdep infer`: observe, propose, compare."""

from __future__ import annotations

from dataclasses import dataclass

from cdep import Service, StateMachine, service_of
from psmr.verification.comparing import Comparison, compared
from psmr.verification.inference import Inference
from psmr.verification.verifying import GoesOn, started
from psmr.workload import Application

_STATES_MAX = 2000


@dataclass(frozen=True, slots=True)
class Inferred:
    """What came of it."""

    service: Service
    proposed: Service
    comparisons: list[Comparison]
    states: int


def infer(owner: type[StateMachine], application: Application | None, seed: int, goes_on: GoesOn) -> Inferred:
    """Observe until told to stop, or until more would not say more. Raises ConfigurationError for state that cannot be traced."""
    service = service_of(owner)
    inference = Inference(service)
    search = started(owner, application, seed, inference.observe)
    while search.searched.states < _STATES_MAX and goes_on(search.searched.states):
        search.explore()
    proposed, found = inference.propose(search.novel)
    return Inferred(
        service,
        proposed,
        compared(service, proposed, found, search.coverage.missing, search.suspected()),
        search.searched.states,
    )
