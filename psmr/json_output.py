"""`--json [FILE]`, alike in every command: where what a command found goes as JSON, and what stdout is then for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psmr.files import check_place, line_by_line, write_whole

if TYPE_CHECKING:
    from argparse import ArgumentParser

OPTION = "--json"
METAVAR = "[FILE]"
HELP = "Write the result there, too, as JSON; without FILE, print only that."
STANDARD_OUTPUT = Path("-")
"""What stands for FILE where none was given."""
_WHAT, _STARTS_WITH = "JSON", "{"


class JsonOutput:
    """Where to write: nowhere (None), to stdout, which is for nothing else then, or to a file beside what stdout says.

    Raises ConfigurationError at once, before any work, for a file that cannot be written or holds something else.
    """

    def __init__(self, file: Path | None) -> None:
        self.is_alone = file == STANDARD_OUTPUT
        """Whether stdout is for JSON alone."""
        self.file = None if self.is_alone else file
        if self.file is not None:
            check_place(self.file, what=_WHAT, starts_with=_STARTS_WITH)

    @property
    def is_wanted(self) -> bool:
        """Whether anything is to be written."""
        return self.is_alone or self.file is not None

    def write(self, document: dict[str, Any]) -> None:
        """One object: on one line of stdout, or as a file that is written whole or not at all."""
        if self.is_alone:
            print_json(document)
        elif self.file is not None:
            text = json.dumps(document, indent=2) + "\n"
            write_whole(self.file, text, what=_WHAT, starts_with=_STARTS_WITH)

    @contextmanager
    def stream(self) -> Iterator[Callable[[dict[str, Any]], None]]:
        """Objects that come one by one, each on a line of its own at once: a file ends with a whole line at any time."""
        if self.file is None:
            yield print_json if self.is_alone else _drop
            return
        with line_by_line(self.file, what=_WHAT, starts_with=_STARTS_WITH) as add:
            yield lambda document: add(json.dumps(document))


def print_json(document: dict[str, Any]) -> None:
    """One JSON object on one line of stdout, at once."""
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(document, ensure_ascii=not is_unicode) + "\n")
    sys.stdout.flush()


def add_json_option(parser: ArgumentParser) -> None:
    """The option for a module that is a command of its own; `JsonOutput` takes what it parses to."""
    parser.add_argument(OPTION, nargs="?", type=Path, const=STANDARD_OUTPUT, metavar="FILE", help=HELP)


def _drop(document: dict[str, Any]) -> None:
    """Nobody asked."""
