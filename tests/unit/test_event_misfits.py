"""`emit` with values that do not fit the event: an interpreted handler raises one line that names the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from psmr import Event, Size, i64, u64
from psmr.state.access import Access
from psmr.verification.cells import Recorder
from psmr.verification.machine import _TracedEvent

TOLD = Event(account=u64, amount=i64, name=Size(4))
BOUND = TOLD.bind(cast(Access, None), 0)
TRACED = _TracedEvent("told", TOLD.fields, Recorder())
ORDER = r"expected 3 values in the order declared, without names \(account, amount, name\), found "


@pytest.mark.parametrize("emit", [BOUND.emit, TRACED.emit], ids=["executed", "traced"])
@pytest.mark.parametrize(
    ("values", "named", "words"),
    [
        ((1, 2), {}, ORDER + "2$"),
        ((1, 2, b"four", 5), {}, ORDER + "4$"),
        ((1, 2), {"name": b"four"}, ORDER + "2, name=$"),
        ((1, b"x", b"four"), {}, r"amount: expected i64, found bytes \(b'x'\)$"),
        ((1, "5", b"four"), {}, r"amount: expected i64, found str \('5'\)$"),
        ((None, 5, b"four"), {}, r"account: expected u64, found NoneType \(None\)$"),
        ((1, 1.5, b"four"), {}, r"amount: expected i64, found a float \(1.5\)"),
        ((1, 2, 3), {}, r"name: expected Size\(4\), found int \(3\)$"),
        ((1, 2, "four"), {}, r"name: expected Size\(4\), found str \('four'\)$"),
    ],
)
def test_the_field_is_named(
    emit: Callable[..., None], values: tuple[Any, ...], named: dict[str, Any], words: str
) -> None:
    with pytest.raises(TypeError, match=f"^emit: {words}"):
        emit(*values, **named)
