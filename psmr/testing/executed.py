"""What a batch that the engine has executed did, command by command: replies and events, read back from its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proxies.calls import CommandCall, Raised, order_of, replies_of
from proxies.layout import ServiceLayout
from psmr.core.event_format import declared_events, records
from psmr.core.reply import parse_reply
from psmr.execution.outcome import Executed
from psmr.testing.effects import Effect
from psmr.verification.machine import Call


class Reading:
    """Of the batches of one service."""

    def __init__(self, layout: ServiceLayout) -> None:
        self._layout = layout
        self._declared = list(declared_events(layout.service).items())

    def effects(self, calls: Sequence[CommandCall], done: Executed) -> Iterator[tuple[Call, Effect]]:
        """Each call, in the order of execution, with what it did; what it wrote is not known."""
        reply = parse_reply(done.reply)
        replies = replies_of(self._layout, list(calls), reply.records, reply.blob)
        told = self._told(done.events, len(calls))
        for row in order_of(self._layout, list(calls)):
            value = replies[row]
            raised = isinstance(value, Raised)
            shown = value.text if isinstance(value, Raised) else value
            effect = Effect(shown, raised, repr(value).encode(), tuple(told[row]), {})
            yield Call(calls[row].command, calls[row].arguments), effect

    def _told(self, events: bytes, count: int) -> list[list[tuple[str, tuple[bytes, ...]]]]:
        told: list[list[tuple[str, tuple[bytes, ...]]]] = [[] for _ in range(count)]
        for kind, row, place in records(events):
            name, layout = self._declared[kind]
            told[row].append((name, tuple(repr(value).encode() for value in layout.decode(events, place).values())))
        return told
