"""Recorded histories of known verdict, written by hand, for each model."""

from __future__ import annotations

import pytest

from psmr.checking.recorded_check import check_recorded, model_named
from psmr.checking.report import in_words
from psmr.checking.timeline import timeline

_TYPES = {"(": "invoke", ")": "ok", "x": "fail", "?": "info"}


def history(script: str) -> str:
    """EDN of events such as `1( write 3`: process 1 calls; `)` answers, `x` fails, `?` is unknown."""
    lines = []
    for place, event in enumerate(script.split("; ")):
        who, f, *value = event.split(" ", 2)
        shown = value[0] if value else "nil"
        lines.append(f"{{:process {who[:-1]}, :type :{_TYPES[who[-1]]}, :f :{f}, :value {shown}, :index {place}}}")
    return "\n".join(lines)


def verdict(script: str, model: str, *, initial: str | None = None, keyed: bool = False) -> bool | None:
    found = [
        check_recorded(
            history(script), model_named(model, initial=initial, keyed=keyed, partition=partition), partition=partition
        ).verdict.linearizable
        for partition in (True, False)
    ]
    assert found[0] is found[1]
    return found[0]


BANK = "{0 10, 1 10}"
MOVE = "{:from 0, :to 1, :amount 5}"
MOVE_ALL = "{:from 0, :to 1, :amount 11}"
GOOD = [
    ("register", "0( write 1; 0) write 1; 1( read; 1) read 1"),
    ("register", "0( write 1; 1( read; 1) read nil; 1( read; 1) read 1; 0) write 1"),
    ("register", "0( write 1; 0? write 1; 1( read; 1) read nil; 1( read; 1) read 1"),
    ("register", "0( write 1; 1( read; 1) read nil; 1( read; 1) read 1"),
    ("register", "0( write 1; 0x write 1; 1( read; 1) read nil"),
    ("register", "0( read; 0) read nil; 1( read; 1? read"),
    ("cas-register", "0( write 1; 0) write 1; 1( cas [1 2]; 1) cas [1 2]; 0( read; 0) read 2"),
    ("cas-register", "0( write 1; 0) write 1; 1( cas [3 2]; 1? cas [3 2]; 0( read; 0) read 1"),
    ("kv", '0( put [1 "a"]; 1( append [1 "b"]; 0) put [1 "a"]; 1) append [1 "b"]; 0( get [1 nil]; 0) get [1 "ab"]'),
    ("kv", '0( put [1 "a"]; 1( append [1 "b"]; 0) put [1 "a"]; 1) append [1 "b"]; 0( get [1 nil]; 0) get [1 "a"]'),
    ("kv", "0( append [1 7]; 0) append [1 7]; 0( append [1 8]; 0) append [1 8]; 0( get [1 nil]; 0) get [1 [7 8]]"),
    ("kv", '0( get [1 nil]; 0) get [1 ""]; 0( get [2 nil]; 0) get [2 nil]'),
    ("mutex", "0( acquire; 1( acquire; 0) acquire; 0( release; 1) acquire; 0) release"),
    ("mutex", "0( acquire; 0) acquire; 1( release; 1? release; 2( acquire; 2) acquire"),
    ("queue", "0( enqueue 1; 0) enqueue 1; 0( enqueue 2; 0) enqueue 2; 1( dequeue; 1) dequeue 1"),
    ("queue", "0( enqueue 1; 1( enqueue 2; 0) enqueue 1; 1) enqueue 2; 1( dequeue; 1) dequeue 2"),
    ("queue", "0( dequeue; 0) dequeue nil"),
    ("unordered-queue", "0( enqueue 1; 0) enqueue 1; 0( enqueue 2; 0) enqueue 2; 1( dequeue; 1) dequeue 2"),
    ("unordered-queue", "0( enqueue 1; 0) enqueue 1; 1( dequeue; 1? dequeue; 2( dequeue; 2) dequeue nil"),
    ("unordered-queue", "0( enqueue 1; 0) enqueue 1; 1( dequeue; 1? dequeue; 2( dequeue; 2) dequeue 1"),
    ("set", "0( add 1; 0) add 1; 0( add 2; 0) add 2; 1( read; 1) read #{1 2}; 1( read; 1) read [2 1]"),
    ("set", "0( add 1; 0) add 1; 0( remove 1; 1( read; 1) read [1]; 0) remove 1; 1( read; 1) read nil"),
    ("bank", f"0( transfer {MOVE}; 1( read; 1) read {BANK}; 0) transfer {MOVE}; 1( read; 1) read {{0 5, 1 15}}"),
    ("bank", f"0( transfer {MOVE_ALL}; 0? transfer {MOVE_ALL}; 1( read; 1) read {BANK}"),
]
BAD = [
    ("register", "0( write 1; 0) write 1; 1( read; 1) read nil"),
    ("register", "0( write 1; 1( read; 1) read 1; 1( read; 1) read nil; 0) write 1"),
    ("register", "0( write 1; 0? write 1; 1( read; 1) read 1; 1( read; 1) read nil"),
    ("register", "0( read; 0) read 1; 1( write 1; 1) write 1"),
    ("register", "0( write 1; 0x write 1; 1( read; 1) read 1"),
    ("register", "0( write 1; 0) write 1; 1( read; 1) read true"),
    ("cas-register", "0( write 1; 0) write 1; 1( cas [3 2]; 1) cas [3 2]"),
    ("cas-register", "0( write 1; 0) write 1; 1( cas [1 2]; 2( cas [1 3]; 1) cas [1 2]; 2) cas [1 3]"),
    ("kv", '0( put [1 "a"]; 1( append [1 "b"]; 0) put [1 "a"]; 1) append [1 "b"]; 0( get [1 nil]; 0) get [1 "ba"]'),
    ("kv", '0( put [1 "a"]; 0) put [1 "a"]; 0( get [2 nil]; 0) get [2 "a"]'),
    ("mutex", "0( acquire; 0) acquire; 1( acquire; 1) acquire"),
    ("mutex", "0( release; 0) release"),
    ("queue", "0( enqueue 1; 0) enqueue 1; 0( enqueue 2; 0) enqueue 2; 1( dequeue; 1) dequeue 2"),
    ("queue", "0( enqueue 1; 0) enqueue 1; 1( dequeue; 2( dequeue; 1) dequeue 1; 2) dequeue 1"),
    ("unordered-queue", "0( enqueue 1; 0) enqueue 1; 1( dequeue; 1) dequeue 1; 1( dequeue; 1) dequeue 1"),
    ("unordered-queue", "0( enqueue 1; 0) enqueue 1; 1( dequeue; 1) dequeue nil"),
    ("set", "0( add 1; 0) add 1; 1( read; 1) read []"),
    ("set", "1( read; 0( add 1; 0) add 1; 1) read [1 2]"),
    ("bank", f"0( transfer {MOVE}; 1( read; 1) read {{0 5, 1 10}}; 0) transfer {MOVE}"),
    ("bank", f"0( transfer {MOVE_ALL}; 0) transfer {MOVE_ALL}"),
]


@pytest.mark.parametrize(("model", "script"), GOOD)
def test_linearizable(model: str, script: str) -> None:
    assert verdict(script, model, initial=BANK if model == "bank" else None) is True


@pytest.mark.parametrize(("model", "script"), BAD)
def test_not_linearizable(model: str, script: str) -> None:
    assert verdict(script, model, initial=BANK if model == "bank" else None) is False


def test_the_initial_state_is_what_was_given() -> None:
    assert verdict("0( read; 0) read 7", "register", initial="7") is True
    assert verdict("0( read; 0) read nil", "register", initial="7") is False


@pytest.mark.parametrize("model", ["register", "unordered-queue"])
def test_one_of_it_for_each_key(model: str) -> None:
    write, read = ("write", "read") if model == "register" else ("enqueue", "dequeue")
    first = f"0( {write} [:a 1]; 0) {write} [:a 1]; 0( {write} [:b 2]; 0) {write} [:b 2]; 1( {read} [:a nil]; "
    assert verdict(first + f"1) {read} [:a 1]", model, keyed=True) is True
    assert verdict(first + f"1) {read} [:a 2]", model, keyed=True) is False


def test_what_cannot_be_placed_is_said_and_drawn() -> None:
    judged = check_recorded(history("0( write 1; 0) write 1; 1( read; 1) read 2"), model_named("register"))
    assert in_words(judged).splitlines() == [
        "NOT linearizable: 2 operations, 1 part",
        "the history: 1 of 2 operations have an order, which none can follow",
        "  placed: process 0, records 1 to 2: write 1 → ok",
        "  state then: 1",
        "  cannot be placed: process 1, records 3 to 4: read → 2, where the model would answer 1",
    ]
    page = timeline(judged)
    assert page is not None
    assert 'class="bar placed" title="process 0, records 1 to 2: write 1 → ok"' in page
    assert 'class="bar unplaceable" title="process 1, records 3 to 4: read → 2' in page


def test_of_several_answers_all_are_named() -> None:
    script = "0( enqueue 1; 0) enqueue 1; 0( enqueue 2; 0) enqueue 2; 1( dequeue; 1) dequeue 3"
    judged = check_recorded(history(script), model_named("unordered-queue"))
    assert in_words(judged).splitlines()[-1].endswith("dequeue → 3, where the model would answer one of 1, 2")


def test_there_is_no_picture_of_an_order() -> None:
    assert timeline(check_recorded(history("0( write 1; 0) write 1"), model_named("register"))) is None


def test_without_time_there_is_no_verdict() -> None:
    judged = check_recorded(history("0( write 1; 0) write 1"), model_named("register"), timeout_s=0)
    assert judged.verdict.linearizable is None
    assert in_words(judged).startswith("undecided: 1 operations, 1 part; time ran out for 1 of them")
