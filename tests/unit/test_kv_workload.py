"""The key-value workloads: shares, keys, values, and what they refuse."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

import numpy as np
import pytest

from apps.distributions import Scrambled, Uniform, Zipfian
from apps.kv import APPLICATION, VARIANTS
from apps.kv.workload import LONGEST_RANGE
from apps.parameters import InvalidParameterError
from psmr.workload import Segment, WorkloadOptions

BATCHES = 400


def calls(client: int = 0, *, application: Any = APPLICATION, clients: int = 4, **parameters: str) -> list[Segment]:
    """The segments of a client's first batches."""
    workload = application.workload(WorkloadOptions(clients=clients, batch=64, parameters=parameters))
    return [segment for batch in islice(workload.batches(client), BATCHES) for segment in batch]


def shares(segments: list[Segment]) -> dict[str, float]:
    counts = Counter[str]()
    for segment in segments:
        counts[segment.command] += segment.count
    return {command: count / counts.total() for command, count in counts.items()}


def column(segments: list[Segment], command: str, name: str) -> list[Any]:
    return [value for segment in segments if segment.command == command for value in segment.columns[name]]


@pytest.mark.parametrize(
    ("mix", "expected"),
    [
        ("A", {"get": 0.5, "put": 0.5}),
        ("B", {"get": 0.95, "put": 0.05}),
        ("C", {"get": 1.0}),
        ("D", {"get": 0.95, "put": 0.05}),
        ("F", {"get": 2 / 3, "compare_and_set": 1 / 3}),
    ],
)
def test_the_mixes_have_the_shares_of_ycsb(mix: str, expected: dict[str, float]) -> None:
    assert shares(calls(mix=mix)) == pytest.approx(expected, abs=0.01)


def test_the_demonstration_has_every_command() -> None:
    found = shares(calls())
    assert found["size"] == pytest.approx(1 / 500, abs=0.001)
    assert {"get", "put", "delete", "compare_and_set"} <= found.keys()
    many = APPLICATION.workload(WorkloadOptions(batch=1000))
    cleared = sum(s.count for batch in islice(many.batches(0), 600) for s in batch if s.command == "clear")
    assert 1 <= cleared <= 60


def test_batches_have_the_size_asked_for_and_their_columns_too() -> None:
    workload = APPLICATION.workload(WorkloadOptions(batch=50))
    sizes = Counter(sum(segment.count for segment in batch) for batch in islice(workload.batches(1), BATCHES))
    assert sizes[50] > 0.98 * BATCHES
    for segment in calls():
        assert all(len(values) == segment.count for values in segment.columns.values())


def test_the_same_options_give_the_same_calls_and_clients_differ() -> None:
    keys = column(calls(mix="A"), "put", "key")
    assert column(calls(mix="A"), "put", "key") == keys
    assert column(calls(1, mix="A"), "put", "key") != keys


def test_no_value_is_written_twice() -> None:
    loaded = [segment for batch in APPLICATION.workload(WorkloadOptions()).preload() for segment in batch]
    values = column(loaded, "put", "value")
    for client in range(2):
        segments = calls(client)
        values += column(segments, "put", "value") + column(segments, "compare_and_set", "value")
    assert len(values) > 10_000
    assert len(set(values)) == len(values)


def test_a_compare_and_set_expects_what_its_client_knows() -> None:
    current: dict[bytes, bytes] = {}
    workload = APPLICATION.workload(WorkloadOptions(parameters={"mix": "F", "keys": "50"}))
    for batch in (*workload.preload(), *islice(workload.batches(0), 50)):
        for segment in batch:
            if segment.command == "get":
                continue
            expected = segment.columns.get("expected", [None] * segment.count)
            for key, old, new in zip(segment.columns["key"], expected, segment.columns["value"], strict=True):
                assert old is None or current[key] == old
                current[key] = new


def test_inserted_keys_are_new_and_each_clients_own() -> None:
    first, second = (set(column(calls(client, mix="D", keys="100"), "put", "key")) for client in range(2))
    assert not first & second
    assert not {b"user%d" % number for number in range(100)} & (first | second)


def test_reads_of_the_latest_find_what_the_client_inserted() -> None:
    segments = calls(mix="D", keys="1000")
    known = {b"user%d" % number for number in range(1000)}
    recent = 0
    for segment in segments:
        keys = segment.columns["key"]
        if segment.command == "put":
            known |= set(keys)
        else:
            assert known.issuperset(keys)
            recent += sum(int(key[4:]) >= 1000 for key in keys)
    assert recent > len(column(segments, "get", "key")) / 4


def test_ranges_are_gets_of_consecutive_keys() -> None:
    keys = np.array(column(calls(application=VARIANTS["integer"], mix="E", keys="5000"), "get", "key"), np.int64)
    steps = np.diff(keys) % 5000
    assert (steps == 1).mean() > 1 - 2.5 / (LONGEST_RANGE / 2)


def test_values_have_the_length_asked_for() -> None:
    values = column(calls(mix="A", value_bytes="100"), "put", "value")
    assert {len(value) for value in values} == {100}


def test_the_zipfian_distribution_follows_its_law() -> None:
    ranks = Zipfian(1000).draw(np.random.default_rng(1), 200_000)
    weights = 1 / np.arange(1, 1001) ** 0.99
    counts = np.bincount(ranks, minlength=1000)
    expected = 200_000 * weights / weights.sum()
    assert counts[:2] == pytest.approx(expected[:2], rel=0.03)
    assert counts[10:100].sum() == pytest.approx(expected[10:100].sum(), rel=0.1)
    assert ranks.min() == 0
    assert ranks.max() <= 999


def test_scrambling_scatters_and_keeps_the_range() -> None:
    drawn = Scrambled(Zipfian(1000)).draw(np.random.default_rng(1), 50_000)
    popular = np.argsort(np.bincount(drawn, minlength=1000))[-5:]
    assert min(np.diff(np.sort(popular))) > 1
    assert 0 <= drawn.min() <= drawn.max() < 1000


@pytest.mark.parametrize("items", [1, 2, 3])
def test_few_items_are_all_drawn(items: int) -> None:
    generator = np.random.default_rng(1)
    for distribution in (Zipfian(items), Uniform(items), Scrambled(Zipfian(items))):
        drawn = distribution.draw(generator, 1000)
        assert 0 <= drawn.min() <= drawn.max() < items
    assert set(Zipfian(items).draw(generator, 1000).tolist()) == set(range(items))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"mix": "G"}, "mix: expected one of A, B, C, D, E, F, demo, found 'G'"),
        ({"keys": "1"}, "keys: expected a whole number from 2 to"),
        ({"keys": "many"}, "found 'many'"),
        ({"value_bytes": "257"}, "value_bytes: expected a whole number from 20 to 256, found '257'"),
        ({"distribution": "normal"}, "distribution: expected one of zipfian, uniform, found 'normal'"),
        ({"kyes": "5"}, "kyes: expected one of mix, keys"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(parameters: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        APPLICATION.workload(WorkloadOptions(parameters=parameters))
