"""A map that is used as a dictionary says what it has instead, declared, in interpreted handlers and in traced ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from psmr import Map, u64
from psmr.state.mistaken import MAP_CURE
from psmr.verification.cells import Recorder
from psmr.verification.traced_map import TracedMap

DECLARED: Map[Any, Any] = Map(u64, u64, capacity=10)


@pytest.mark.parametrize("known", [DECLARED, TracedMap("m", DECLARED, Recorder())])
@pytest.mark.parametrize(
    ("use", "found"),
    [
        (lambda known: known.items(), ".items"),
        (lambda known: [*known], "iteration"),
        (lambda known: known[1], "[key]"),
        (lambda known: known.__setitem__(1, 2), "[key] = value"),
        (lambda known: known.__delitem__(1), "del [key]"),
    ],
)
def test_what_it_has_is_said(known: Any, use: Callable[[Any], object], found: str) -> None:
    with pytest.raises((AttributeError, TypeError)) as error:
        use(known)
    assert str(error.value) == f"expected a method of Map, found {found}: {MAP_CURE}"
