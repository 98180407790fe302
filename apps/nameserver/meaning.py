"""What the nameserver means to `psmr.checking`: a pure step, name by name."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

from apps.nameserver.model import Records, changed_records, listed, looked_up, with_record, without_record
from apps.nameserver.packing import Record, pack_section, unpack_changes


class State(NamedTuple):
    """The serial, and what each name holds."""

    serial: int
    names: frozenset[tuple[bytes, Records]]

    def records(self, name: bytes) -> Records:
        """What one name holds."""
        return next((records for known, records in self.names if known == name), ())

    def with_records(self, name: bytes, records: Records) -> State:
        """The state after a name's records became these."""
        held = self.records(name)
        if held == records:
            return self
        rest = self.names - {(name, held)}
        return State(self.serial, rest | {(name, records)} if records else rest)


class NameserverMeaning:
    """A step of the nameserver; see `psmr.checking.Model`.

    An update is taken to have been accepted: whether it was is a matter of all its names, and one name's part of a history
    holds the others' records only as far as updates tell of them. So a removal of what is not there changes nothing.
    """

    initial = State(0, frozenset())
    read_only = frozenset({"lookup", "list_type", "serial"})

    def step(self, state: State, command: str, arguments: tuple[Any, ...], /) -> tuple[State, Any]:
        """The state after a call, and its reply."""
        if command == "lookup":
            return state, looked_up(state.records(arguments[0]), arguments[1])
        if command == "update_zone":
            return _updated(state, arguments[0]), state.serial + 1
        if command == "list_type":
            return state, listed(dict(state.names), *arguments)
        if command == "serial":
            return state, state.serial
        name, *record = arguments
        held = state.records(name)
        changed = with_record(held, Record(*record)) if command == "add" else without_record(held, *record)
        return state.with_records(name, changed), len(changed) != len(held)

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable | None:
        """The name; updates, listings and the serial have none."""
        return arguments[0] if command in ("lookup", "add", "remove") else None

    def parts(self, command: str, arguments: tuple[Any, ...], /) -> dict[Hashable, tuple[Any, ...]]:
        """An update, name by name."""
        if command != "update_zone":
            return {}
        return {name: (pack_section(name, changes),) for name, changes in unpack_changes(arguments[0])}


def _updated(state: State, packed: bytes) -> State:
    by_name = dict(state.names)
    for name, changes in unpack_changes(packed):
        records = by_name.pop(name, ())
        for change in changes:
            try:
                records = changed_records(records, change)
            except ValueError:
                continue
        if records:
            by_name[name] = records
    return State(state.serial + 1, frozenset(by_name.items()))
