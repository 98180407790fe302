"""Steps and state as documents: what `psmr replay` prints, for people or as JSON, alike on all replicas."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from typing import Any

from cdep import Service
from psmr.errors import ConfigurationError
from psmr.replaying.cells import CellName, Cells, Held
from psmr.replaying.player import Player
from psmr.replaying.position import Position
from psmr.replaying.steps import Step, Write

Document = dict[str, Any]


def value_of(value: Any) -> Any:
    """A value as JSON has it: bytes in hexadecimal behind "0x"; as text a float for which JSON has no number."""
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"nan:{struct.pack('>d', value).hex()}" if math.isnan(value) else repr(value)
    return value


def write_document(write: Write) -> Document:
    """One cell that was written."""
    name = write.cell
    return {
        "cell": str(name),
        "container": name.container,
        "field": name.field,
        "key": value_of(name.key),
        "old": value_of(write.old),
        "new": value_of(write.new),
        "place": write.place,
    }


def step_document(step: Step) -> Document:
    """One command."""
    return {
        "index": step.position.index,
        "row": step.position.row,
        "batch_row": step.batch_row,
        "session": step.session,
        "sequence": step.sequence,
        "now_us": step.now_us,
        "command": step.command,
        "arguments": {name: value_of(value) for name, value in step.arguments.items()},
        "reply": value_of(step.reply),
        "raised": step.raised,
        "events": [
            {"name": name, "fields": {key: value_of(value) for key, value in fields.items()}}
            for name, fields in step.events
        ],
        "writes": [write_document(write) for write in step.writes],
        "writes_left_out": step.left_out,
    }


def position_document(player: Player, position: Position) -> Document:
    """Where a player stands, and in which log."""
    folder, service = player.folder, player.engine.service
    return {
        "folder": str(folder.path),
        "service": service.name,
        "version": service.version,
        "fingerprint": f"{service.fingerprint:#018x}",
        "position": str(position),
        "started_at": player.origin.index,
        "first": folder.first,
        "last": folder.last,
        "committed": folder.committed,
        "now_us": player.now_us,
        "digest": digest_text(player.digest),
        "notes": folder.notes,
    }


def digest_text(digest: int) -> str:
    """A digest of the state, to be compared."""
    return f"{digest:016x}"


class Shown:
    """What of the state was asked for: `container`, `container.field`, and behind a colon one key or row of it."""

    def __init__(self, text: str, service: Service) -> None:
        name, colon, key = text.partition(":")
        container, _, field = name.partition(".")
        state = dict(service.state)
        kinds = ("Map(", "Array(", "Table(")
        known = [known for known, form in state.items() if form.startswith(kinds)]
        if container not in known:
            raise ConfigurationError(
                f"--show {text}: expected one of {', '.join(known) or 'no container at all'}, found {container}: "
                f"{service.name} keeps its state in these"
            )
        self.text = text
        self.container = container
        self.field = field or None
        self._form = state[container]
        fields = re.findall(r"(\w+)=", self._form.partition(", ")[2]) if self._form.startswith("Table(") else []
        fields = [each for each in fields if each != "block"]
        if self.field not in (None, *fields):
            raise ConfigurationError(
                f"--show {text}: expected {'one of the fields ' + ', '.join(fields) if fields else 'no field'} behind "
                f"{container}, found {self.field}: it is a {self._form}"
            )
        self.key = self._key(key) if colon else None

    def _key(self, text: str) -> int | bytes:
        """The key as the container has it."""
        is_bytes = self._form.startswith(("Map(Max", "Map(Size"))
        try:
            if text.startswith("0x") and is_bytes:
                return bytes.fromhex(text[2:])
            return text.encode() if is_bytes else int(text, 0)
        except ValueError as error:
            raise ConfigurationError(
                f"--show {self.text}: expected a key of {self._form}, found {text!r}: numbers as they are, bytes as text or as "
                "0x and hexadecimal digits"
            ) from error

    def found(self, cells: Cells) -> Iterator[tuple[CellName, Held]]:
        """The cells, in canonical order."""
        for name, held in cells.content(self.container, self.key):
            if self.field is None or name.field == self.field:
                yield name, held


def shown_document(shown: Shown, cells: Cells, limit: int) -> Document:
    """Up to `limit` of the cells, and whether there are more."""
    found: list[Document] = []
    has_more = False
    for name, held in shown.found(cells):
        if len(found) == limit:
            has_more = True
            break
        found.append({"cell": str(name), "field": name.field, "key": value_of(name.key), "value": value_of(held.value)})
    return {"shown": shown.text, "cells": found, "more": has_more}
