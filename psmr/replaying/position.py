"""A place in the log: behind an entry, or behind one command of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from psmr.errors import ConfigurationError

_TEXT = re.compile(r"(\d{1,19})(?::(\d{1,9}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Position:
    """Behind the entry at `index`; with `row`, behind that command of it: it is executed, and those behind it are not.

    Rows count, from 0, the commands of the entry that were executed, over all its batches, as they stand in them.
    """

    index: int
    row: int | None = None

    @classmethod
    def parse(cls, text: str, option: str) -> Position:
        """Of `index` or `index:row`. Raises ConfigurationError, naming the option."""
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            raise ConfigurationError(
                f"{option} {text}: expected a log index, or index:row for one command of an entry: 1200 or 1200:17"
            )
        index, row = found.groups()
        if row is not None and int(index) == 0:
            raise ConfigurationError(
                f"{option} {text}: expected a log index from 1 on with a row, found {text.strip()}"
            )
        return cls(int(index), None if row is None else int(row))

    def __str__(self) -> str:
        return str(self.index) if self.row is None else f"{self.index}:{self.row}"
