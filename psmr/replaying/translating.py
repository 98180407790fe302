"""Entries of a log for another version of the service that wrote them: the same commands, by name, so that both can be compared.

What is compared is what two versions make of one log, so nothing of it is left out: a command that the other version does not
have, or has with other parameters, is an error.
"""

from __future__ import annotations

import numpy as np

from cdep import Service
from proxies.layout import CommandLayout, layout_of
from psmr.core.batch import KIND_COMMANDS, Batch, MalformedBatch, encode, split
from psmr.core.control import is_control
from psmr.errors import ConfigurationError
from psmr.log.port import Entry

_MISSING = 0xFFFF


class Translation:
    """From `source`, which wrote the log, to `target`."""

    def __init__(self, source: Service, target: Service) -> None:
        self.source = source
        self._target = target
        self._stride = layout_of(target).stride
        known = {layout.command.name: layout for layout in layout_of(target).commands}
        ops = [_op(layout, known.get(layout.command.name)) for layout in layout_of(source).commands]
        self._ops = np.array(ops, "<u2")

    def entry(self, entry: Entry) -> Entry:
        """The entry as the other version would have been sent it. Raises ConfigurationError for a command that it does not have."""
        if is_control(entry.payload):
            return entry
        try:
            batches = split(entry.payload)
        except MalformedBatch:
            return entry  # nobody executes it
        if not any(batch.kind == KIND_COMMANDS and batch.fingerprint == self.source.fingerprint for batch in batches):
            return entry
        payload = b"".join(self._batch(entry.index, batch) for batch in batches)
        return Entry(entry.index, entry.time_us, memoryview(payload))

    def _batch(self, index: int, batch: Batch) -> bytes:
        if batch.kind != KIND_COMMANDS or batch.fingerprint != self.source.fingerprint or not batch.count:
            return bytes(batch.raw)
        rows = np.frombuffer(batch.records, np.uint8).reshape(batch.count, batch.stride)
        found = rows[:, :2].copy().view("<u2").ravel()
        if found.max() >= len(self._ops):
            return bytes(batch.raw)  # of no version: malformed here as there
        ops = self._ops[found]
        if (ops == _MISSING).any():
            name = self.source.commands[int(found[ops == _MISSING][0])].name
            raise ConfigurationError(
                f"log index {index}: expected commands that {self._target.name} version {self._target.version} "
                f"({self._target.fingerprint:#018x}) has, with the same parameters, found {name}: replay up to there, or from "
                "behind it"
            )
        records = rows[:, : self._stride].copy()
        records[:, :2] = ops.view(np.uint8).reshape(-1, 2)
        return encode(
            KIND_COMMANDS,
            self._target.fingerprint,
            batch.session,
            batch.sequence,
            batch.answered,
            records.shape[1],
            records.ravel(),
            batch.count,
            batch.blob,
        )


def _op(layout: CommandLayout, other: CommandLayout | None) -> int:
    if other is None or layout.fields != other.fields:
        return _MISSING
    return other.command.op
