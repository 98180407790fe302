"""The whole of `psmr cdep infer`: observe, propose, compare."""

from __future__ import annotations

from dataclasses import dataclass

from cdep import Service, StateMachine, service_of
from psmr.verification.comparing import Comparison, compared
from psmr.verification.endless import stopping_what_is_endless
from psmr.verification.inference import Inference
from psmr.verification.raising import Raised
from psmr.verification.stage_inference import StageInference
from psmr.verification.verifying import GoesOn, started
from psmr.workload import Application

_STATES_MAX = 2000


@dataclass(frozen=True, slots=True)
class Inferred:
    """What came of it."""

    service: Service
    comparisons: list[Comparison]
    states: int
    raised: dict[str, list[Raised]]
    """What each command raised that did, the most frequent first."""


@stopping_what_is_endless()
def infer(owner: type[StateMachine], application: Application | None, seed: int, goes_on: GoesOn) -> Inferred:
    """Observe until told to stop, or until more would not say more. Raises ConfigurationError for state that cannot be traced,
    EndlessHandler."""
    service = service_of(owner)
    inference = StageInference(service) if service.is_staged else Inference(service)
    search = started(owner, application, seed, inference.observe)
    while search.searched.states < _STATES_MAX and goes_on(search.searched.states):
        search.explore()
    missing, suspected = search.coverage.missing, search.suspected()
    if isinstance(inference, StageInference):
        comparisons = inference.compare(search.novel, missing, suspected)
    else:
        comparisons = compared(service, *inference.propose(search.novel), missing, suspected)
    return Inferred(service, comparisons, search.searched.states, search.searched.raised.by_command())
