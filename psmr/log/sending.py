"""Entries on their way to followers: what the core wants sent, cut to what there is room for."""

from __future__ import annotations

from msgspec import structs

from psmr.core.raft import AppendAccepted, AppendEntries, AppendRejected, Message, SendEntries
from psmr.log.in_flight import InFlight
from psmr.storage import LogStore, Record
from psmr.transport.peers import PeerLinks

_READ_BYTES = 4 << 20
_ANSWERS = (AppendAccepted, AppendRejected)


class Sending:
    """Sends the store's records; at most about `limit_bytes` are on the way to one follower."""

    def __init__(self, links: PeerLinks, store: LogStore, limit_bytes: int) -> None:
        self._links = links
        self._store = store
        self._in_flight = InFlight(limit_bytes)

    def clear(self) -> None:
        """Another role: nothing that was sent before will be answered."""
        self._in_flight.clear()

    def note_answer(self, sender: int, message: Message, term: int) -> None:
        """If the message answers entries sent in this term, they are no longer on their way."""
        if isinstance(message, _ANSWERS) and message.term == term:
            durable_index = message.durable_index if isinstance(message, AppendAccepted) else 0
            self._in_flight.answered(sender, message.round, durable_index)

    def send(self, effect: SendEntries) -> bool:
        """Send what there is room for; whether that was all. If not, the rest goes after an answer, when the core asks again."""
        message, peer = effect.message, effect.to
        records = self._records(message, self._in_flight.room_bytes(peer), alone=self._in_flight.is_nothing(peer))
        is_whole = len(records) == len(message.entry_terms)
        if not is_whole:
            message = structs.replace(message, entry_terms=message.entry_terms[: len(records)])
        is_sent = bool(records) and self._links.send(peer, message, [record.raw for record in records])
        if is_sent:
            size_bytes = sum(len(record.raw) for record in records)
            self._in_flight.send(peer, message.round, message.last_index, size_bytes)
        if not is_whole:
            self._in_flight.hold(peer)
        return is_whole and is_sent

    def _records(self, message: AppendEntries, room_bytes: int, *, alone: bool) -> list[Record]:
        """The message's records from its first on, as many as there is room for; `alone`: at least one, however large."""
        records: list[Record] = []
        wanted = len(message.entry_terms)
        while len(records) < wanted and room_bytes > 0:
            for record in self._store.read(message.first_index + len(records), min(room_bytes, _READ_BYTES)):
                room_bytes -= len(record.raw)
                if len(records) == wanted or (room_bytes < 0 and (records or not alone)):
                    return records
                records.append(record)
        return records
