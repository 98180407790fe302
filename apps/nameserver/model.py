"""What the nameserver means: for each name a tuple of records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.nameserver.packing import (
    ADD,
    DATA_BYTES_MAX,
    EVERY_KIND,
    PAGE_BYTES_MAX,
    RECORDS_BYTES_MAX,
    Change,
    MalformedPackingError,
    Record,
    pack_page,
    pack_records,
    unpack_changes,
)

Records = tuple[Record, ...]


def with_record(records: Records, record: Record) -> Records:
    """The records with one more, or with its ttl where it was. Raises ValueError when they get too many for a name."""
    place = _place(records, record.kind, record.data)
    changed = (*records, record) if place is None else (*records[:place], record, *records[place + 1 :])
    if len(pack_records(changed)) > RECORDS_BYTES_MAX:
        raise ValueError(f"the records of a name take more than {RECORDS_BYTES_MAX} bytes")
    return changed


def without_record(records: Records, kind: int, data: bytes) -> Records:
    """The records without one; as they are if it is not there."""
    place = _place(records, kind, data)
    return records if place is None else (*records[:place], *records[place + 1 :])


def changed_records(records: Records, change: Change) -> Records:
    """The records after one change of an update. Raises ValueError when it cannot be made."""
    if change.action == ADD:
        return with_record(records, Record(change.kind, change.ttl, change.data))
    fitting = [record for record in records if record.kind == change.kind and record.data.startswith(change.data)]
    exact = [record for record in fitting if record.data == change.data]
    if len(exact or fitting) != 1:
        raise ValueError(f"expected one record of kind {change.kind} to remove, found {len(fitting)}")
    (gone,) = exact or fitting
    return without_record(records, gone.kind, gone.data)


def looked_up(records: Records, kind: int) -> bytes | None:
    """What a lookup of a name with these records replies."""
    if not records:
        return None
    return pack_records([record for record in records if kind in (EVERY_KIND, record.kind)])


def listed(records: Mapping[bytes, Records], kind: int, after: bytes) -> bytes:
    """The page of names after `after` that have a record of one kind."""
    page = b""
    for name in sorted(name for name in records if name > after):
        if any(record.kind == kind for record in records[name]):
            if len(page) + 1 + len(name) > PAGE_BYTES_MAX:
                break
            page += pack_page([name])
    return page


def _place(records: Records, kind: int, data: bytes) -> int | None:
    return next((place for place, held in enumerate(records) if held.kind == kind and held.data == data), None)


class NameserverModel:
    """The nameserver in plain sequential Python."""

    def __init__(self) -> None:
        self.records: dict[bytes, Records] = {}
        self.serial = 0
        self._commands: dict[str, Callable[..., Any]] = {
            "lookup": lambda name, kind: looked_up(self.records.get(name, ()), kind),
            "add": self._add,
            "remove": self._remove,
            "list_type": lambda kind, after: listed(self.records, kind, after),
            "update_zone": self._update_zone,
            "serial": lambda: self.serial,
        }

    def apply(self, command: str, arguments: Sequence[Any]) -> Any:
        """Execute one call; raises ValueError where the service replies an error."""
        return self._commands[command](*arguments)

    def state(self) -> dict[str, Any]:
        """Packed records by name, and the serial."""
        return {
            "records": {name: pack_records(records) for name, records in self.records.items()},
            "serials": [self.serial],
        }

    def _add(self, name: bytes, kind: int, ttl: int, data: bytes) -> bool:
        held = self.records.get(name, ())
        changed = with_record(held, Record(kind, ttl, data))
        self.records[name] = changed
        return len(changed) > len(held)

    def _remove(self, name: bytes, kind: int, data: bytes) -> bool:
        held = self.records.get(name, ())
        changed = without_record(held, kind, data)
        self._store(name, changed)
        return len(changed) < len(held)

    def _store(self, name: bytes, records: Records) -> None:
        if records:
            self.records[name] = records
        else:
            self.records.pop(name, None)

    def _update_zone(self, packed: bytes) -> int:
        if not packed:
            raise ValueError("an update without changes")
        fresh: dict[bytes, Records] = {}
        for name, changes in unpack_changes(packed):
            records = fresh.get(name, self.records.get(name, ()))
            for change in changes:
                if len(change.data) > DATA_BYTES_MAX:
                    raise MalformedPackingError(f"{name!r}: record data of {len(change.data)} bytes")
                records = changed_records(records, change)
            fresh[name] = records
        for name, records in fresh.items():
            self._store(name, records)
        self.serial += 1
        return self.serial
