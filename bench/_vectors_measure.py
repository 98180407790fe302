"""Nanoseconds a command of each form: the same calls in turn, processor time, answers compared before."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from apps.kv.service import IntegerKV
from bench._vectors_balances import Balances
from bench._vectors_engine import Form, Turns
from bench._vectors_interpreted import Interpreted
from bench._vectors_mixes import LENGTHS, ROWS, Drawn, Mix
from cdep import StateMachine
from proxies.encoding import Encoded

RUN_LENGTHS = (*LENGTHS, ROWS)
FORMS = ("scalar", "ahead", "vectors")
_KINDS: dict[str, tuple[type[StateMachine], str, str]] = {
    "kv:integer": (IntegerKV, "_vectors_map", "put"),
    "balances": (Balances, "_vectors_array", "deposit"),
}


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to execute: numbers of keys, then batches a run of a form, runs, and batches of a mix."""

    keys: Sequence[int]
    batches: int
    runs: int
    mix_batches: int


def forms_of(turns: Turns, kind: str) -> dict[str, Form]:
    """Compiled forms of a service, by name: what is generated today is `scalar`."""
    written = importlib.import_module(f"bench.{_KINDS[kind][1]}")
    runs = (turns.module.run, written.run_ahead, written.run_vectors)
    return {name: turns.compiled(run) for name, run in zip(FORMS, runs, strict=True)}


def measured(kind: str, effort: Effort, seed: int = 1) -> list[dict[str, Any]]:
    """A row for each number of keys and each length of runs, half of which read and half write; keys are drawn evenly."""
    return _of_lengths(kind, effort, seed, forms_of)


def measured_interpreted(effort: Effort, seed: int = 1) -> list[dict[str, Any]]:
    """The same of balances whose handlers are not compiled."""

    def forms(turns: Turns, kind: str) -> dict[str, Form]:
        interpreted = Interpreted(turns)
        return {"scalar": interpreted.scalar(), "vectors": interpreted.vectors()}

    return [{**row, "kind": "balances, interpreted"} for row in _of_lengths("balances", effort, seed, forms)]


def _of_lengths(
    kind: str, effort: Effort, seed: int, forms_made: Callable[[Turns, str], dict[str, Form]]
) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for keys in effort.keys:
        # State and answers of a form of its own, which are compared; then one state for all, so that it is as warm for each.
        equal = _agree(kind, keys, effort, seed, forms_made)
        turns = Turns(_KINDS[kind][0])
        try:
            forms = forms_made(turns, kind)
            turns.execute(_loading(kind, turns, keys), forms["vectors"])
            for length in RUN_LENGTHS:
                taken: dict[str, list[float]] = {name: [] for name in forms}
                for _ in range(effort.runs):
                    for name, form in forms.items():
                        batches = [
                            _batch(kind, turns, random.integers(0, keys, ROWS), length) for _ in range(effort.batches)
                        ]
                        taken[name].append(turns.execute(batches, form)[0] / (ROWS * effort.batches))
                rows.append({"kind": kind, "keys": keys, "length": length, "answers_equal": equal, **_medians(taken)})
        finally:
            turns.close()
    return rows


def _agree(
    kind: str, keys: int, effort: Effort, seed: int, forms_made: Callable[[Turns, str], dict[str, Form]]
) -> bool:
    """Whether all forms give the same replies and leave the same state; at first the keys are new."""
    found: set[tuple[int, int]] = set()
    names: Sequence[str] = ("scalar",)
    number = 0
    while number < len(names):
        turns = Turns(_KINDS[kind][0])
        try:
            forms = forms_made(turns, kind)
            names = tuple(forms)
            random = np.random.default_rng(seed)
            drawn = [random.integers(0, min(keys, 4 * ROWS), ROWS) for _ in RUN_LENGTHS]
            batches = [_batch(kind, turns, chosen, length) for chosen, length in zip(drawn, RUN_LENGTHS, strict=True)]
            replies = turns.execute(batches, forms[names[number]])[1]
            found.add((replies, turns.engine.digest()))
        finally:
            turns.close()
        number += 1
    return len(found) == 1


def _medians(taken: dict[str, list[float]]) -> dict[str, Any]:
    return {"ns": {name: round(median(values), 1) for name, values in taken.items()}}


def _loading(kind: str, turns: Turns, keys: int) -> Any:
    everything = np.random.default_rng(0).permutation(keys)
    return (_batch(kind, turns, everything[first : first + ROWS], 0) for first in range(0, keys, ROWS))


def _batch(kind: str, turns: Turns, keys: np.ndarray[Any, Any], length: int) -> Encoded:
    """Calls with these keys: `length` that read, as many that write, and so on; 0: all write."""
    layout = turns.engine.layout.command(_KINDS[kind][2])
    records = np.zeros(len(keys), layout.dtype(layout.stride))
    key, value = (field.name for field in layout.fields)
    # Runs begin with reads where batches hold one command only, by turns.
    records["op"] = (np.arange(len(keys)) // length + (keys[0] & 1)) % 2 if length else 1
    records[key] = keys
    records[value] = keys + 1
    return Encoded(records=records.tobytes(), blob=b"", count=len(keys))


def measured_mix(mix: Mix, drawn: Drawn, workers: int, runs: int) -> dict[str, Any]:
    """What a command of a mix takes in each form, all workers together; the calls are executed `runs` times over."""
    batches = drawn.parallel()
    calls = sum(batch.count for batch in batches)
    each = [(name, Turns(IntegerKV, workers)) for name in FORMS]
    try:
        forms = {name: forms_of(turns, "kv:integer")[name] for name, turns in each}
        for name, turns in each:
            turns.execute(drawn.loading(), forms[name])
        taken: dict[str, list[float]] = {name: [] for name in FORMS}
        equal = True
        for _ in range(runs):
            replies = set()
            for name, turns in each:
                spent_ns, digest = turns.execute(batches, forms[name])
                taken[name].append(spent_ns / calls)
                replies.add(digest)
            equal = equal and len(replies) == 1
        equal = equal and len({turns.engine.digest() for _, turns in each}) == 1
    finally:
        for _, turns in each:
            turns.close()
    return {"mix": mix.name, "workers": workers, "answers_equal": equal, **_medians(taken)}
