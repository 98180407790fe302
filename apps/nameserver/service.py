"""A nameserver's zone: resource records by owner name. How names, records and changes are packed: `packing`."""

from __future__ import annotations

from typing import Annotated

from apps.nameserver.packing import (
    CHANGE_HEAD_BYTES,
    CHANGES_BYTES_MAX,
    DATA_BYTES_MAX,
    EVERY_KIND,
    NAME_BYTES_MAX,
    PAGE_BYTES_MAX,
    RECORD_HEAD_BYTES,
    RECORDS_BYTES_MAX,
)
from psmr import Array, Map, Max, Scratch, StateMachine, dependent, partially_dependent, u16, u32, u64

Name = Annotated[bytes, Max(NAME_BYTES_MAX)]
Data = Annotated[bytes, Max(DATA_BYTES_MAX)]
Records = Annotated[bytes, Max(RECORDS_BYTES_MAX)]
Page = Annotated[bytes, Max(PAGE_BYTES_MAX)]
Changes = Annotated[bytes, Max(CHANGES_BYTES_MAX)]
Number = int | u16 | u32
"""A 16- or 32-bit argument, or a number read from packed bytes: handlers see both as whole numbers."""


class Nameserver(StateMachine):
    """The records of one zone. A name without records does not exist."""

    records = Map[bytes, bytes](Max(NAME_BYTES_MAX), Max(RECORDS_BYTES_MAX), capacity=65_536)
    serials = Array(u64, capacity=1)
    built = Scratch(RECORDS_BYTES_MAX)
    page = Scratch(PAGE_BYTES_MAX + NAME_BYTES_MAX + 1)

    @partially_dependent("name", access="read")
    def lookup(self, name: Name, kind: u16) -> Records | None:
        """The name's records of one kind (255: of every kind), perhaps none; None if there is no such name."""
        records = self.records.get(name)
        if records is None:
            return None
        if kind == EVERY_KIND:
            return records
        self.built.begin()
        place = 0
        while place < len(records):
            end = self._end(records, place)
            if self._number(records, place) == kind:
                self.built.append(records[place:end])
            place = end
        return self.built.value()

    @partially_dependent("name")
    def add(self, name: Name, kind: u16, ttl: u32, data: Data) -> bool:
        """Add a record; True if it is new. One that is there already gets the new ttl."""
        records = self.records.get(name, name[:0])
        place = self._find(records, kind, data)
        self.records.put(name, self._with(records, place, kind, ttl, data))
        return place < 0

    @partially_dependent("name")
    def remove(self, name: Name, kind: u16, data: Data) -> bool:
        """Remove a record; True if it was there. With its last record a name goes."""
        records = self.records.get(name, name[:0])
        place = self._find(records, kind, data)
        if place < 0:
            return False
        self._store(name, self._without(records, place))
        return True

    @dependent(access="read")
    def list_type(self, kind: u16, after: Name) -> Page:
        """The names with a record of one kind that come after `after` in byte order: as many as fit a page.

        An empty page: there are no more. The command reads the records of every name, 32 MiB of them at most.
        """
        self.page.begin()
        page = self.page.value()
        bound = after
        bounded = False
        cursor = self.records.next(-1)
        while cursor >= 0:
            name = self.records.key_at(cursor)
            if name > after and (not bounded or name < bound) and self._has(self.records.value_at(cursor), kind):
                page = self._page_with(page, name)
                while len(page) > PAGE_BYTES_MAX:
                    last = self._last_on(page)
                    bound = page[last + 1 :]
                    bounded = True
                    page = page[:last]
            cursor = self.records.next(cursor)
        return page

    @dependent
    def update_zone(self, changes: Changes) -> u64:
        """Apply all changes, or none if one cannot be: the zone's new serial.

        Raises ValueError for malformed changes, an empty list, and the removal of a record that is not there or not
        told apart from another.
        """
        if len(changes) == 0:
            raise ValueError("an update without changes")
        place = 0
        while place < len(changes):
            start = place + 1
            place = start + changes[place]
            name = changes[start:place]
            if place + 2 > len(changes):
                raise ValueError("the changes are cut short")
            count = self._number(changes, place)
            place = self._update_name(name, changes, place + 2, count)
        serial = self.serials[0] + u64(1)
        self.serials[0] = serial
        return serial

    @dependent(access="read")
    def serial(self) -> u64:
        """How many updates the zone has had."""
        return self.serials[0]

    def _number(self, packed: bytes, place: int) -> int:
        """The u16 at `place`."""
        return packed[place] | (packed[place + 1] << 8)

    def _end(self, records: bytes, place: int) -> int:
        """Where the record at `place` ends."""
        return place + RECORD_HEAD_BYTES + self._number(records, place + 6)

    def _find(self, records: bytes, kind: Number, data: bytes) -> int:
        """Where the record of this kind and data begins, or -1."""
        place = 0
        while place < len(records):
            end = self._end(records, place)
            if self._number(records, place) == kind and records[place + RECORD_HEAD_BYTES : end] == data:
                return place
            place = end
        return -1

    def _find_by_beginning(self, records: bytes, kind: Number, data: bytes) -> int:
        """Where the one record of this kind begins whose data begin with `data`; raises ValueError if it is not one."""
        place = self._find(records, kind, data)
        if place >= 0:
            return place
        found = -1
        place = 0
        while place < len(records):
            end = self._end(records, place)
            start = place + RECORD_HEAD_BYTES
            fits = self._number(records, place) == kind and start + len(data) <= end
            if fits and records[start : start + len(data)] == data:
                if found >= 0:
                    raise ValueError("the removal fits several records")
                found = place
            place = end
        if found < 0:
            raise ValueError("the record to remove is not there")
        return found

    def _with(self, records: bytes, place: int, kind: Number, ttl: Number, data: bytes) -> bytes:
        """The records with one more, or with another ttl for the one at `place`."""
        self.built.begin()
        if place < 0:
            self.built.append(records)
        else:
            self.built.append(records[:place])
        self.built.append_byte(kind & 255)
        self.built.append_byte(kind >> 8)
        for shift in range(0, 32, 8):
            self.built.append_byte((ttl >> shift) & 255)
        self.built.append_byte(len(data) & 255)
        self.built.append_byte(len(data) >> 8)
        self.built.append(data)
        if place >= 0:
            self.built.append(records[self._end(records, place) :])
        return self.built.value()

    def _without(self, records: bytes, place: int) -> bytes:
        """The records without the one at `place`."""
        self.built.begin()
        self.built.append(records[:place])
        self.built.append(records[self._end(records, place) :])
        return self.built.value()

    def _store(self, name: bytes, records: bytes) -> None:
        """Make these the name's records; without any the name goes."""
        if len(records) == 0:
            self.records.remove(name)
        else:
            self.records.put(name, records)

    def _update_name(self, name: bytes, changes: bytes, place: int, count: int) -> int:
        """Apply the `count` changes at `place` to one name; where they end."""
        records = self.records.get(name, name[:0])
        for _ in range(count):
            start = place + CHANGE_HEAD_BYTES
            if start > len(changes):
                raise ValueError("the changes are cut short")
            end = start + self._number(changes, place + 7)
            if end > len(changes) or end - start > DATA_BYTES_MAX:
                raise ValueError("a record's data are cut short or too long")
            records = self._changed(records, changes, place, changes[start:end])
            place = end
        self._store(name, records)
        return place

    def _changed(self, records: bytes, changes: bytes, place: int, data: bytes) -> bytes:
        """The records after the change whose head is at `place`."""
        action = changes[place]
        kind = self._number(changes, place + 1)
        if action == 0:
            return self._without(records, self._find_by_beginning(records, kind, data))
        if action != 1:
            raise ValueError("a change is neither an addition nor a removal")
        ttl = self._number(changes, place + 3) | (self._number(changes, place + 5) << 16)
        return self._with(records, self._find(records, kind, data), kind, ttl, data)

    def _has(self, records: bytes, kind: Number) -> bool:
        place = 0
        while place < len(records):
            if self._number(records, place) == kind:
                return True
            place = self._end(records, place)
        return False

    def _page_with(self, page: bytes, name: bytes) -> bytes:
        """The page with one more name at its place in byte order."""
        place = 0
        while place < len(page):
            end = place + 1 + page[place]
            if page[place + 1 : end] > name:
                break
            place = end
        self.page.begin()
        self.page.append(page[:place])
        self.page.append_byte(len(name))
        self.page.append(name)
        self.page.append(page[place:])
        return self.page.value()

    def _last_on(self, page: bytes) -> int:
        """Where the last name on the page begins."""
        place = 0
        while place + 1 + page[place] < len(page):
            place = place + 1 + page[place]
        return place
