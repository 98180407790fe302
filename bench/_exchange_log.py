"""The exchange's workload as batches of records, put together command by command: segments of one call would take minutes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from apps.exchange.workload import workload
from cdep import StateMachine, service_of
from proxies.encoding import CommandEncoder, Encoded
from proxies.layout import layout_of
from psmr.workload import Segment, WorkloadOptions

ROWS = 1_024


class FlowLog:
    """Batches of one service: those that prepare it, then the workload's, endless. The same for the same parameters and seed."""

    def __init__(self, owner: type[StateMachine], parameters: Mapping[str, str], seed: int = 1) -> None:
        service = service_of(owner)
        self._layout = layout_of(service)
        self._encoders = {
            command.name: CommandEncoder(service, self._layout.command(command.name)) for command in service.commands
        }
        self._names = {
            command.name: [parameter.name for parameter in command.parameters] for command in service.commands
        }
        self._flow = workload(WorkloadOptions(seed=seed, clients=1, batch=ROWS, parameters=parameters))

    def opening(self) -> Iterator[Encoded]:
        """What is sent before the run."""
        return map(self._encoded, self._flow.preload())

    def batches(self) -> Iterator[Encoded]:
        """The run."""
        return map(self._encoded, self._flow.batches(0))

    def all_batches(self) -> Iterator[Encoded]:
        """What prepares it, then the run."""
        yield from self.opening()
        yield from self.batches()

    def _encoded(self, segments: Sequence[Segment]) -> Encoded:
        places: dict[str, list[np.ndarray]] = {}
        columns: dict[str, list[Segment]] = {}
        count = 0
        for segment in segments:
            places.setdefault(segment.command, []).append(np.arange(count, count + segment.count))
            columns.setdefault(segment.command, []).append(segment)
            count += segment.count
        records = np.zeros((count, self._layout.stride), np.uint8)
        for command, rows in places.items():
            part = self._part(command, columns[command])
            records[np.concatenate(rows), : part.shape[1]] = part
        return Encoded(records=records.tobytes(), count=count, blob=b"")

    def _part(self, command: str, segments: Iterable[Segment]) -> np.ndarray:
        several = list(segments)
        columns = [np.concatenate([segment.columns[name] for segment in several]) for name in self._names[command]]
        encoded = self._encoders[command].columns(columns)
        return np.frombuffer(encoded.records, np.uint8).reshape(encoded.count, -1)
