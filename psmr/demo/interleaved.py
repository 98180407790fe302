"""Many short segments as one batch: command by command, then put in their order; one by one they would take ten times as long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from proxies.encoding import CommandEncoder, Encoded
from psmr.workload import Segment

SHORT = 16
"""Calls of a segment, on average, below which this pays."""


def are_short(segments: Sequence[Segment]) -> bool:
    """Whether segments are many and short."""
    return len(segments) > SHORT and sum(segment.count for segment in segments) < SHORT * len(segments)


def interleaved(encoders: Mapping[str, CommandEncoder], segments: Sequence[Segment]) -> Encoded | None:
    """The calls in the order of the segments; the blob is by command. None where columns of one command are of several types."""
    places: dict[str, list[int]] = {}
    several: dict[str, list[Segment]] = {}
    count = 0
    for segment in segments:
        places.setdefault(segment.command, []).extend(range(count, count + segment.count))
        several.setdefault(segment.command, []).append(segment)
        count += segment.count
    parts: dict[str, Encoded] = {}
    base = 0
    for command, those in several.items():
        encoder = encoders[command]
        columns = [
            _joined([each.columns[parameter.name] for each in those]) for parameter in encoder.command.parameters
        ]
        if any(column is None for column in columns):
            return None
        parts[command] = encoder.columns(columns, base) if columns else encoder.repeat(len(places[command]))
        base += len(parts[command].blob)
    records = np.zeros((count, max((part.stride for part in parts.values()), default=0)), np.uint8)
    for command, part in parts.items():
        if part.count:
            rows = np.frombuffer(part.records, np.uint8).reshape(part.count, -1)
            records[places[command], : rows.shape[1]] = rows
    return Encoded(records.tobytes(), count, b"".join(part.blob for part in parts.values()))


def _joined(columns: Sequence[Any]) -> Any:
    """The columns as one; None if they are of several types, which might not go into one array unchanged."""
    first = columns[0]
    if isinstance(first, np.ndarray):
        alike = all(isinstance(each, np.ndarray) and each.dtype == first.dtype for each in columns)
        return np.concatenate(columns) if alike and first.ndim == 1 else None
    return list(chain.from_iterable(columns)) if all(isinstance(each, list) for each in columns) else None
