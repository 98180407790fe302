"""Vector forms do what scalar handlers do, a form that does not is noticed, and runs are counted as C-Dep allows them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from apps import kv
from bench import _vectors_measure as measure
from bench import vectors
from bench._vectors_engine import Form, Turns
from bench._vectors_interpreted import runs
from bench._vectors_measure import Effort, measured, measured_interpreted, measured_mix
from bench._vectors_mixes import Drawn, Mix, Row, run_lengths

pytestmark = pytest.mark.cluster

_EFFORT = Effort(keys=(3_000,), batches=1, runs=1, mix_batches=3)
_EVERYBODY = (1 << 64) - 1


def _row(command: str, key: int, groups: int = 1) -> Row:
    return command, (key,), groups, command == "put"


@pytest.mark.parametrize("kind", [pytest.param("kv:integer", marks=pytest.mark.long), "balances"])
def test_forms_by_hand_answer_as_generated_handlers_do(kind: str) -> None:
    rows = measured(kind, _EFFORT)
    assert [row["length"] for row in rows] == [1, 4, 16, 64, 1024]
    assert all(row["answers_equal"] for row in rows)


def test_numpy_answers_as_interpreted_handlers_do() -> None:
    assert all(row["answers_equal"] for row in measured_interpreted(_EFFORT))


@pytest.mark.parametrize(("name", "workers", "keys"), [("demo", 3, 500), ("A", 1, 200_000)])
def test_forms_agree_on_mixes_also_where_the_map_is_large_enough_to_be_touched(
    name: str, workers: int, keys: int
) -> None:
    mix = Mix(name, kv.VARIANTS["integer"], {"mix": name, "keys": str(keys)})
    assert measured_mix(mix, Drawn(mix, _EFFORT.mix_batches), workers, 2)["answers_equal"]


def test_a_form_that_leaves_another_state_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = measure.forms_of

    def with_a_fault(turns: Turns, kind: str) -> dict[str, Form]:
        forms = made(turns, kind)

        def faulty(worker: int) -> None:
            forms["ahead"](worker)
            turns.memory.set(turns.memory.bases[0], -1)

        return {**forms, "vectors": faulty}

    monkeypatch.setattr(measure, "forms_of", with_a_fault)
    rows = measured("balances", _EFFORT)
    assert not any(row["answers_equal"] for row in rows)
    assert not vectors.passed({"rows": rows, "mixes": []})


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([_row("get", 1), _row("get", 1), _row("put", 1)], [2, 1]),
        ([_row("put", 1), _row("put", 2), _row("put", 1)], [2, 1]),
        ([_row("put", 1), _row("put", 2, _EVERYBODY), _row("put", 3)], [1, 1]),
        ([_row("put", 1), _row("put", 2, 0b10), _row("put", 3)], [2]),
        ([], []),
    ],
    ids=["reads repeat keys", "writes do not", "a row of several workers cuts", "others' rows do not", "nothing"],
)
def test_run_lengths_of_the_first_of_two_workers(rows: Sequence[Row], expected: list[int]) -> None:
    assert list(run_lengths(rows, 0, 2)) == expected


def test_interpreted_runs_are_cut_where_a_deposit_would_meet_its_account_again() -> None:
    deposits, keys = np.array([0, 0, 1, 1, 1, 0]), np.array([5, 5, 5, 6, 5, 5])
    assert list(runs(deposits, keys)) == [(0, 2), (2, 4), (4, 5), (5, 6)]
