"""The check for what makes replicas differ: each planted fault at its line, nothing on plain services."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import fractions
import inspect
import linecache
import re
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import lint_corpus_clocks
import lint_corpus_kept
import lint_corpus_order
import lint_corpus_outside
import lint_corpus_rest
import lint_helpers
import lint_plain_services
import lint_unseen
import pytest

from cdep import StateMachine, annotation_of, dependent, u64
from cdep.lint import RULES, Report, lint
from cdep.lint.document import BEGIN, tables
from cdep.lint.names import CODE_OF, HARMLESS, SEEDED
from cdep.lint.program import Program
from cdep.lint.scope import Scope
from cdep.lint.source import SourceFile
from cdep.lint.values import UNKNOWN

CORPUS = (lint_corpus_clocks, lint_corpus_outside, lint_corpus_order, lint_corpus_kept, lint_corpus_rest)
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
    for module in (*CORPUS, lint_helpers):
        path = Path(str(module.__file__))
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            mark = MARK.search(line)
            if mark:
                found[mark[1]] |= {(path.name, number, code.strip()) for code in mark[2].split(",")}
    return found


FAULTY = {name: service for module in CORPUS for name, service in services_in(module).items()}
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


def test_the_document_says_what_the_rules_say() -> None:
    text = (Path(__file__).parents[2] / "docs" / "LINT.md").read_text()
    assert text[text.index(BEGIN) :] == tables(), (
        "put what cdep.lint.document.tables() gives at the end of docs/LINT.md"
    )


def test_every_code_is_found_in_the_corpus() -> None:
    assert {code for faults in EXPECTED.values() for _, _, code in faults} == set(RULES)


def test_names_belong_to_a_code_that_there_is() -> None:
    assert {*CODE_OF.values()} - {HARMLESS} <= RULES.keys()
    assert {code for code, _ in SEEDED.values()} <= RULES.keys()


def test_nothing_is_imported_and_nothing_is_run() -> None:
    before = set(sys.modules)
    for owner in [*FAULTY.values(), *PLAIN.values()]:
        looked_at(owner)
    assert set(sys.modules) == before
    assert lint_corpus_kept.CALLS == {"count": 0}


def test_the_chain_leads_from_the_command_to_the_line() -> None:
    (found,) = looked_at(lint_corpus_clocks.Inheriting).findings
    assert found.called_by == ("put", "_stamp")
    (found,) = looked_at(lint_corpus_clocks.ConstantOfAnotherModule).findings
    assert found.called_by == ("put", "REGION")


def test_a_long_chain_is_followed_to_its_end() -> None:
    (found,) = looked_at(lint_corpus_clocks.LongChain).findings
    assert (found.code, found.called_by[-1]) == ("clock", "_step_20")


def test_a_class_local_to_a_function_and_its_variables() -> None:
    clock = time.time

    class Local(StateMachine):
        @dependent
        def make(self, key: u64) -> u64:
            return u64(clock())

    (found,) = looked_at(Local).findings
    assert (found.code, found.what) == ("clock", "time.time")


def test_a_comment_allows_its_own_code_only() -> None:
    class Local(StateMachine):
        @dependent
        def make(self, key: u64) -> u64:
            return u64(time.time() + id(key))  # psmr: allow clock - to see it allowed

    report = looked_at(Local)
    assert [each.code for each in report.findings] == ["id"]
    assert [(each.finding.code, each.reason) for each in report.allowed] == [("clock", "to see it allowed")]


def test_a_comment_in_a_text_allows_nothing() -> None:
    class Local(StateMachine):
        @dependent
        def make(self, key: u64) -> u64:
            return u64(time.time() + len("# psmr: allow clock - no comment"))

    report = looked_at(Local)
    assert [each.code for each in report.findings] == ["clock"]
    assert report.allowed == ()


class OneModule(Scope):
    """As if a library's module were a service's own."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(())
        self.has = lambda name: name == module.__name__


@pytest.mark.parametrize(
    "module", [argparse, difflib, fractions, statistics, contextlib], ids=lambda each: each.__name__
)
def test_reading_ends_whatever_is_written(module: ModuleType) -> None:
    program = Program(OneModule(module), read, {})
    functions = [each for each in vars(module).values() if inspect.isfunction(each)]
    for owner in [each for each in vars(module).values() if isinstance(each, type)]:
        functions += [each for each in vars(owner).values() if inspect.isfunction(each)]
    for function in functions:
        program.call(function, UNKNOWN, [], {}, ())
    program.finish()
    assert len(program.codes) >= 10
    assert all(RULES[each.code] for each in program.findings.values())
