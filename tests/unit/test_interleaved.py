"""Short segments encoded command by command are the calls that segments one by one are, in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pytest

from cdep import service_of
from proxies.layout import ServiceLayout, layout_of
from psmr.demo.interleaved import SHORT, are_short, interleaved
from psmr.demo.traffic import BatchEncoder
from psmr.services import find_application
from psmr.workload import Segment, WorkloadOptions

BATCHES = 3


def calls_in(layout: ServiceLayout, records: bytes, count: int, blob: bytes) -> Iterator[tuple[Any, ...]]:
    """Each call as (command, arguments …)."""
    stride = len(records) // count
    for row in range(count):
        record = records[row * stride : (row + 1) * stride]
        command = layout.commands[int.from_bytes(record[:2], "little")]
        (values,) = np.frombuffer(record, command.dtype(stride))
        arguments = []
        for field in command.fields:
            value = values[field.name]
            if field.type.kind == "bytes":
                begin = int(value["offset"])
                arguments.append(blob[begin : begin + int(value["length"])])
            else:
                arguments.append(value.item())
        yield command.command.name, *arguments


def segments_of(app: str) -> list[Sequence[Segment]]:
    """The first batches of the application's workload."""
    workload = find_application(app).workload(WorkloadOptions(1, 4, 256, None, {}))
    list(workload.preload())
    return list(islice(workload.batches(0), BATCHES))


@pytest.mark.parametrize("app", ["kv", "netfs", "exchange"])
def test_they_are_the_same_calls(app: str) -> None:
    service = service_of(find_application(app).service)
    encoder, layout = BatchEncoder(service), layout_of(service)
    for segments in segments_of(app):
        assert are_short(segments)
        together = list(calls_in(layout, *encoder.encode(segments)))
        one_by_one = [call for segment in segments for call in calls_in(layout, *encoder.encode([segment]))]
        assert together == one_by_one
        assert len({call[0] for call in together}) > 1


def test_columns_of_several_types_are_left_to_be_encoded_one_by_one() -> None:
    service = service_of(find_application("kv:integer").service)
    encoder, layout = BatchEncoder(service), layout_of(service)
    columns = [np.array([number], (np.int64, np.uint64)[number % 2]) for number in range(2 * SHORT)]
    segments = [Segment("get", {"key": column}, 1) for column in columns]
    encoders = encoder._encoders
    assert interleaved(encoders, segments) is None
    assert interleaved(encoders, segments[::2]) is not None
    assert list(calls_in(layout, *encoder.encode(segments))) == [("get", number) for number in range(2 * SHORT)]


def test_long_segments_are_no_matter_for_it() -> None:
    assert not are_short([Segment("get", {"key": [b"key"] * 100}, 100)] * 30)
    assert not are_short([Segment("get", {"key": [b"key"]}, 1)])
