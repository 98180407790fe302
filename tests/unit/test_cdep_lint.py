"""The check for what makes replicas differ: each planted fault at its line, nothing on plain services."""

from __future__ import annotations

import linecache
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import lint_corpus
import lint_helpers
import lint_plain_services
import lint_unseen
import pytest

from cdep import StateMachine, annotation_of
from cdep.lint import Report, lint
from cdep.lint.source import SourceFile

FILES: dict[str, SourceFile] = {}
MARK = re.compile(r"# fault (\w+): ([\w, -]+)$")


def read(path: str, names: dict[str, Any]) -> str:
    return "".join(linecache.getlines(path, names))


def looked_at(owner: type[StateMachine]) -> Report:
    return lint(owner, read, FILES)


def services_in(module: Any) -> dict[str, type[StateMachine]]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, StateMachine)
        and value.__module__ == module.__name__
        and _has_commands(value)
    }


def _has_commands(value: type[StateMachine]) -> bool:
    return any(annotation_of(member) for base in value.__mro__ for member in vars(base).values())


def marked() -> dict[str, set[tuple[str, int, str]]]:
    """The faults by class: file, line, code."""
    found = defaultdict(set)
    for path in (lint_corpus.__file__, lint_helpers.__file__):
        for number, line in enumerate(Path(path).read_text().splitlines(), start=1):
            mark = MARK.search(line)
            if mark:
                found[mark[1]] |= {(Path(path).name, number, code.strip()) for code in mark[2].split(",")}
    return found


FAULTY = services_in(lint_corpus)
PLAIN = services_in(lint_plain_services)
UNSEEN = services_in(lint_unseen)
EXPECTED = marked()


def test_every_service_of_the_corpus_has_a_fault() -> None:
    assert FAULTY.keys() == EXPECTED.keys()
    assert len(FAULTY) >= 30


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_is_found_at_its_line_and_nothing_else(name: str) -> None:
    found = {(Path(each.file).name, each.line, each.code) for each in looked_at(FAULTY[name]).findings}
    assert found == EXPECTED[name]


@pytest.mark.parametrize("name", PLAIN)
def test_nothing_is_found_in_a_plain_service(name: str) -> None:
    assert looked_at(PLAIN[name]).findings == ()


@pytest.mark.parametrize("name", UNSEEN)
def test_what_no_look_at_the_text_can_see(name: str) -> None:
    """Held here so that nobody takes the check for a proof; running replicas compare their digests for these."""
    assert looked_at(UNSEEN[name]).findings == ()


def test_there_are_enough_plain_services() -> None:
    assert len(PLAIN) >= 20
