"""The corpora: every wrong annotation is refuted, by its commands; no right one is accused; and traces propose what is right."""

from __future__ import annotations

import os

import pytest
import right_services
import wrong_services_keys
import wrong_services_order
import wrong_services_shared
import wrong_services_stages
from corpus_support import RIGHT, WRONG, Wrong

from cdep import StateMachine, service_of
from psmr.verification.comparing import compared
from psmr.verification.explaining import explained
from psmr.verification.inference import Inference
from psmr.verification.machine import TracedMachine
from psmr.verification.search import Search
from psmr.verification.shrinking import refutation_of

MODULES = (right_services, wrong_services_keys, wrong_services_order, wrong_services_shared, wrong_services_stages)
STATES = int(os.environ.get("PSMR_VERIFY_STATES", "25"))
"""How many states of a right service are examined; of a wrong one it may take forty times as many."""


def test_the_corpora_are_large_enough() -> None:
    assert len(WRONG) >= 40
    assert len({one.fault for one in WRONG}) == len(WRONG)
    assert len(RIGHT) >= 20
    defined = {name for module in MODULES for name, value in vars(module).items() if isinstance(value, type)}
    assert {one.service.__name__ for one in WRONG} <= defined


@pytest.mark.parametrize("one", WRONG, ids=lambda one: one.service.__name__)
def test_a_wrong_annotation_is_refuted_and_another_proposed(one: Wrong) -> None:
    inference = Inference(service_of(one.service))
    search = Search(one.service, seed=1, observe=inference.observe)
    while not any(set(key[:2]) <= one.commands for key in search.suspicions):
        assert search.searched.states < 40 * STATES, one.fault
        search.explore()
    suspicion = next(found[0] for key, found in search.suspicions.items() if set(key[:2]) <= one.commands)
    refutation = refutation_of(TracedMachine(one.service), suspicion)
    assert refutation is not None
    assert refutation.clash is not None
    assert f"{one.service.__module__}.py:" in explained(search.service, refutation)[0]
    assert refutation.kind == one.stages
    if one.stages is not None:
        return
    proposed, _ = inference.propose(search.novel)
    assert proposed.specification() != search.service.specification()


STRICTER = {"TooStrict": {"put", "echo"}, "Tree": {"adopt", "leave"}}
"""Right services in which something weaker would do."""


@pytest.mark.parametrize("service", RIGHT, ids=lambda service: service.__name__)
def test_a_right_annotation_is_not_accused_and_proposed_again(service: type[StateMachine]) -> None:
    inference = Inference(service_of(service))
    search = Search(service, seed=1, observe=inference.observe)
    for _ in range(STATES):
        search.explore()
    assert search.suspicions == {}
    if search.service.is_staged:
        assert search.searched.in_both_orders > 8 * STATES
        return
    assert search.searched.unordered.total() + search.searched.ordered.total() > 400 * STATES
    comparisons = compared(
        search.service, *inference.propose(search.novel), search.coverage.missing, search.suspected()
    )
    strict = {one.command for one in comparisons if one.verdict == "declared too strictly"}
    assert strict == STRICTER.get(service.__name__, set())
    assert all(one.verdict in ("as declared", "declared too strictly") for one in comparisons), comparisons
