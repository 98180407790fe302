"""The events that a replay of the log emitted, by batch, for comparing them with a model's."""

from __future__ import annotations

from cdep import Service
from psmr.core.event_format import declared_events, records
from psmr.execution.outcome import Executed
from psmr.workload import Told


class ToldByBatch:
    """Takes in what delivery has (`psmr.replica.event_stream.EventSink`), and gives it by batch and row."""

    def __init__(self, service: Service) -> None:
        self._declared = list(declared_events(service).items())
        self._events: dict[tuple[int, int], bytes] = {}

    @property
    def is_needed(self) -> bool:
        """Whether the service declares events at all."""
        return bool(self._declared)

    def take(self, index: int, now_us: int, executed: Executed) -> None:
        """The events of an executed batch."""
        if executed.events:
            self._events[executed.session, executed.sequence] = bytes(executed.events)

    def of(self, batch: tuple[int, int]) -> dict[int, list[Told]]:
        """The events of a batch, given as (session, sequence), by row."""
        told: dict[int, list[Told]] = {}
        events = self._events.get(batch, b"")
        for kind, row, place in records(events):
            name, layout = self._declared[kind]
            told.setdefault(row, []).append((name, tuple(layout.decode(events, place).values())))
        return told
