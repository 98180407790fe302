"""The key-value model, and the step that histories are checked by: two tellings of one meaning."""

from __future__ import annotations

import random
from typing import Any

from apps.kv import APPLICATION, KV, IntegerKV
from apps.kv.model import KeyValueMeaning, KeyValueModel
from cdep import service_of
from psmr.checking import Operation, check

CALLS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("get", (b"a",), None),
    ("put", (b"a", b"1"), True),
    ("put", (b"a", b""), False),
    ("get", (b"a",), b""),
    ("compare_and_set", (b"a", b"1", b"2"), False),
    ("compare_and_set", (b"a", b"", b"2"), True),
    ("compare_and_set", (b"b", b"", b"2"), False),
    ("put", (b"b", b"3"), True),
    ("size", (), 2),
    ("delete", (b"a",), True),
    ("delete", (b"a",), False),
    ("clear", (), 1),
    ("size", (), 0),
]


def test_the_model_replies_as_the_documentation_says() -> None:
    model = KeyValueModel()
    for command, arguments, reply in CALLS:
        assert model.apply(command, arguments) == reply, (command, arguments)


def test_a_checkers_step_and_the_model_agree() -> None:
    chosen = random.Random(5)
    model, meaning, state = KeyValueModel(), KeyValueMeaning(), KeyValueMeaning.initial
    for _ in range(2000):
        command, arguments, _ = chosen.choice(CALLS)
        before = state
        state, reply = meaning.step(state, command, arguments)
        assert reply == model.apply(command, arguments)
        assert dict(state) == model.table
        assert command not in meaning.read_only or state == before


def test_a_history_is_cut_by_key_and_a_lost_write_found() -> None:
    operations = [Operation("p", 2 * n, 2 * n + 1, *call) for n, call in enumerate(CALLS)]
    assert check(operations, APPLICATION.checking).linearizable
    assert check(operations, APPLICATION.checking, partition=False).linearizable
    operations[3] = operations[3]._replace(reply=b"1")
    verdict = check(operations, APPLICATION.checking)
    assert verdict.linearizable is False
    assert verdict.counterexample is not None
    assert verdict.counterexample.key == b"a"


def test_the_classes_of_the_commands_are_those_of_the_readme() -> None:
    for owner in (KV, IntegerKV):
        classes = {command.name: (command.kind, command.access) for command in service_of(owner).commands}
        assert classes == {
            "get": ("partial", "read"),
            "put": ("partial", "write"),
            "delete": ("partial", "write"),
            "compare_and_set": ("partial", "write"),
            "clear": ("dependent", "write"),
            "size": ("dependent", "read"),
        }
