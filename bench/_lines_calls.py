"""Batches of a service in parallel mode: its workload's calls without those that must be ordered against everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from apps import kv, nameserver
from bench._work import CELLS, Work
from cdep import Service, StateMachine, service_of
from proxies.encoding import CommandEncoder, Encoded, joined
from proxies.layout import layout_of
from psmr.workload import Application, Segment, WorkloadOptions

KEYS = 2_000
SERVICES = ("work", "kv:integer", "kv", "nameserver")
_APPLICATIONS: dict[str, tuple[Application, dict[str, str]]] = {
    "kv": (kv.APPLICATION, {"keys": str(KEYS)}),
    "kv:integer": (kv.VARIANTS["integer"], {"keys": str(KEYS)}),
    "nameserver": (nameserver.APPLICATION, {"names": str(KEYS // 8)}),
}


@dataclass(frozen=True, slots=True)
class Calls:
    """A service and its batches: those that load it, and those to look at."""

    owner: type[StateMachine]
    loading: Sequence[Encoded]
    batches: Sequence[Encoded]


def calls_of(name: str, batches: int, rows: int) -> Calls:
    """`batches` of at most `rows` commands each, for one of `SERVICES`; the same every time."""
    if name == "work":
        return Calls(Work, [], [_turns(np.random.default_rng(number), rows) for number in range(batches)])
    application, parameters = _APPLICATIONS[name]
    service = service_of(application.service)
    workload = application.workload(WorkloadOptions(seed=1, clients=1, batch=rows, parameters=parameters))
    loading = [_encode(service, segments) for segments in workload.preload()]
    drawn = islice(workload.batches(0), batches)
    return Calls(application.service, loading, [_encode(service, _parallel(service, segments)) for segments in drawn])


def _turns(random: np.random.Generator, rows: int) -> Encoded:
    turn = CommandEncoder(service_of(Work), layout_of(service_of(Work)).command("turn"))
    rounds = np.ones(rows, np.uint32)
    return turn.columns([random.integers(0, CELLS, rows), rounds, random.integers(0, 1 << 60, rows)])


def _parallel(service: Service, segments: Sequence[Segment]) -> list[Segment]:
    return [segment for segment in segments if service.command(segment.command).kind == "partial"]


def _encode(service: Service, segments: Sequence[Segment]) -> Encoded:
    """A batch of the segments' calls."""
    parts: list[Encoded] = []
    base = 0
    for segment in segments:
        command = service.command(segment.command)
        encoder = CommandEncoder(service, layout_of(service).command(segment.command))
        parts.append(encoder.columns([segment.columns[parameter.name] for parameter in command.parameters], base))
        base += len(parts[-1].blob)
    return joined(parts)
