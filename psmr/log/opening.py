"""From bytes to what the core is told: of a log on disk when it is opened, of entries that another member sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psmr.core.control import Kind, MalformedControl, is_control, kind_of
from psmr.core.override import decode_override
from psmr.core.raft import AppendEntries, LogTerms, Membership
from psmr.core.roster import Roster, decode_roster
from psmr.core.service_version import decode_version
from psmr.errors import LogDamaged
from psmr.log.port import Base
from psmr.log.rosters import Rosters, membership_of
from psmr.storage import LogStore, Record, decode


def terms_of(store: LogStore, base: Base) -> LogTerms:
    """The terms of the entries behind `base`; older ones that the disk still has are not offered to anybody."""
    runs = [(max(first, base.index + 1), term) for first, term in store.term_runs()]
    kept = {first: term for first, term in runs if first <= store.last_index}
    return LogTerms(tuple(kept.items()), store.last_index, base.index, base.term)


def rosters_of(store: LogStore, base: Base, founders: Roster) -> Rosters:
    """The rosters of a log: that of `base`, or the founders', and those in the entries behind it."""
    rosters = Rosters([(base.index, decode_roster(base.about) if base.about else founders)])
    for index in store.control_indexes:
        if index > base.index:
            rosters.take(index, store.read(index, 1)[0].payload)
    return rosters


def entries_of(
    message: AppendEntries, payloads: Sequence[bytes]
) -> tuple[tuple[Record, ...], tuple[tuple[int, Membership], ...]] | None:
    """The records that came with a message, and which of them carry a membership; None unless all of it is whole."""
    if not payloads and not message.entry_terms:
        return (), ()  # a heartbeat, as most messages are
    records = records_of(message, payloads)
    if records is None:
        return None
    try:
        controls = [record for record in records if is_control(record.payload)]
        return records, tuple(_memberships_in(controls)) if controls else ()
    except MalformedControl:
        return None


def _memberships_in(controls: Sequence[Record]) -> Iterator[tuple[int, Membership]]:
    for record in controls:
        kind = kind_of(record.payload)
        if kind is Kind.ROSTER:
            yield record.index, membership_of(decode_roster(record.payload))
        elif kind is Kind.VERSION:
            decode_version(record.payload)  # none is taken in that delivery could not read
        else:
            decode_override(record.payload)


def records_of(message: AppendEntries, payloads: Sequence[bytes]) -> tuple[Record, ...] | None:
    """The records that came with a message; None unless they are whole and those that it announces."""
    if len(payloads) != len(message.entry_terms):
        return None
    try:
        records = tuple([decode(raw) for raw in payloads])
    except LogDamaged:
        return None
    index = message.prev_index
    for record, term in zip(records, message.entry_terms, strict=True):
        index += 1
        if record.index != index or record.term != term:
            return None
    return records
