"""The readers of recorded histories: EDN and JSON Lines say the same; what is neither gets one line that says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psmr.checking.edn import read_edn
from psmr.checking.recorded import read_calls
from psmr.checking.values import FALSE, TRUE, FrozenMap, Keyword, Symbol, Tagged, show
from psmr.cli import main
from psmr.errors import ConfigurationError

CALL = "{:process 0, :type :invoke, :f :read, :value nil, :time 5, :index 0}"
DONE = "{:process 0, :type :ok, :f :read, :value [1 2], :time 9, :index 1}"
JSON = [
    {"process": 0, "type": "invoke", "f": "read", "value": None, "time": 5, "index": 0},
    {"process": 0, "type": "ok", "f": "read", "value": [1, 2], "time": 9, "index": 1},
]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nil", None),
        ("true", TRUE),
        ("false", FALSE),
        ("-12", -12),
        ("+3N", 3),
        ("1.5e3", 1500.0),
        ("2M", 2.0),
        (r'"a\n\"\u0041"', 'a\n"A'),
        (r"\newline", Tagged("char", "\n")),
        (r"\a", Tagged("char", "a")),
        (r"[\u0041 \uab12 \u]", (Tagged("char", "A"), Tagged("char", "\uab12"), Tagged("char", "u"))),
        (":a/b", Keyword("a/b")),
        ("a.b/c", Symbol("a.b/c")),
        ("(1, 2)", (1, 2)),
        ("#{1 2}", frozenset({1, 2})),
        ("{:a [1], nil {}}", FrozenMap({Keyword("a"): (1,), None: FrozenMap()})),
        ("#x.Y{:a 1}", FrozenMap({Keyword("a"): 1})),
        ('#inst "2020"', Tagged("inst", "2020")),
        ("#_ #_ 1 2 ; comment\n 3", 3),
        ("[#_ #t 1 2]", (2,)),
    ],
)
def test_edn_values(text: str, value: Any) -> None:
    assert read_edn(text) == [value]
    assert read_edn(show(value)) == [value] or isinstance(value, Tagged)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("\n[1 2", 'line 2: expected "]" for the "[" of line 2, found the end'),
        ("[1)", 'expected "]", found ")"'),
        ("]", 'expected a value, found "]"'),
        ('"abc', "expected a value, found '\"abc', which begins none"),
        (r'"\q"', r"in a string, found \q"),
        ("{:a}", "a key without one"),
        ("{1 2 1 3}", "two equal ones"),
        ("#{1 1}", "two equal ones"),
        ("01", "neither a number nor a name"),
        ("1.2.3", "neither a number nor a name"),
        ("::", "neither a number nor a name"),
        ("##NaN", "which begins none"),
        ("#_", "found the end"),
        ("[#tag]", 'found "]"'),
        ("\\unknown", "expected a character"),
        ("\\ucess", r"expected a character, found \ucess"),
        ("\\uabcde", r"expected a character, found \uabcde"),
        ("[" * 100, "nested at most 64 deep"),
        ("#a " * 100, "at most 64 tags"),
        ("1" * 2000, "at most 1000 characters"),
    ],
)
def test_what_is_not_edn(text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_edn(text)
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        f"{CALL}\n{DONE}\n",
        f"[{CALL}\n {DONE}]",
        f"#jepsen.history.Op{CALL} #jepsen.history.Op{DONE}",
        f"{DONE}\n{CALL}",
        "\n".join(map(json.dumps, JSON)),
        json.dumps(JSON, indent=1),
        f"{{:process :nemesis, :type :info, :f :kill, :index 7}}\n{CALL}\n{DONE}",
    ],
)
def test_every_way_of_writing_says_the_same(text: str) -> None:
    (call,) = read_calls(text)
    assert (call.at, call.ended_at) == (0, 1)
    assert call.end is not None
    assert (call.begin.process, call.begin.f, call.end.value, call.end.time_ns) == (0, "read", (1, 2), 9)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected the records of a history, found none"),
        ("{:process :nemesis, :type :info, :f :kill}", "expected calls of clients, found none"),
        ("5", "record 1: expected a map"),
        ("{:type :invoke, :f :read}", "record 1: expected a number or a name as :process, found nil"),
        ("{:process 1, :type :maybe, :f :read}", "expected invoke, ok, fail or info as :type, found :maybe"),
        ("{:process 1, :type :invoke}", "expected the name of an operation as :f, found nil"),
        ("{:process 1, :type :invoke, :f :read, :time 1.5}", "expected a whole number as :time, found 1.5"),
        (DONE, "record 1: expected a call of process 0 before its ok, found none"),
        (f"{CALL}\n{CALL.replace(':index 0', ':index 1')}", "record 2: expected one call of a process at a time"),
        (f"{CALL}\n{CALL}", "expected an :index of its own"),
        (f"{CALL}\n{DONE.replace(':read', ':write')}", "record 2: expected the end of read"),
        ('{"process": 1', "line 1: expected a JSON object"),
        ('{"process": 1, "type": "invoke", "f": "w", "value": NaN}', "NaN, which is no JSON"),
        ('{"process": 1}\n3', "record 1: expected invoke"),
        ('[{"process": 1}', "expected an array of JSON objects"),
        ("[" * 100 + "]" * 100, "found deeper ones: mend the JSON: one object a line, or an array of them"),
        ("[" * 100 + ":a" + "]" * 100, "found deeper ones: mend the EDN"),
        ('{"a": ' * 100_000, "line 1: expected a JSON object"),
    ],
)
def test_what_is_no_history(text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_calls(text)
    assert complaint in str(error.value)


def test_a_byte_order_mark_is_no_part_of_a_history(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join(map(json.dumps, JSON)), encoding="utf-8-sig")
    assert main(["check", str(path), "--model", "register", "--initial", "[1 2]"]) == 0


def test_half_a_surrogate_pair_can_be_drawn(tmp_path: Path) -> None:
    read = {"process": 0, "type": "invoke", "f": "read", "value": None}
    history, page = tmp_path / "history.jsonl", tmp_path / "history.html"
    history.write_text("\n".join(map(json.dumps, (read, {**read, "type": "ok", "value": "\ud800"}))))
    assert main(["check", str(history), "--model", "register", "--html", str(page), "--json", str(tmp_path / "x")]) == 1
    assert "process 0" in page.read_text()


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='{}[]()#_"\\:;,= \n01.-NMeabnilt', max_size=40), st.sampled_from(["", CALL, '{"f": ']))
def test_any_text_is_read_or_complained_of(text: str, before: str) -> None:
    try:
        read_calls(before + text)
    except ConfigurationError as error:
        assert "expected" in str(error)  # noqa: PT017 - either is right, and nothing else may be raised


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ["--model", "regster"],
            "--model regster: expected the name of a model, found an unknown one: did you mean register?",
        ),
        (["--model", "bank"], "--model bank: expected {account balance, ...} as the initial state"),
        (["--model", "register", "--initial", "1 2"], "expected one value as the initial state (--initial), found 2"),
        (["--model", "register", "--initial", "{0 1"], '--initial: line 1: expected "}" for the "{"'),
        (["--model", "queue", "--initial", "1"], "--initial: expected none for queue"),
        (["--model", "mutex"], "h.edn: record 1: expected an operation of mutex (acquire, release) as :f, found read"),
        (["--model", "kv"], "h.edn: record 1: expected [key value] as :value of read, found nil"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "h.edn").write_text(f"{CALL}\n{DONE}")
    assert main(["check", str(tmp_path / "h.edn"), *words]) == 2
    printed = capsys.readouterr()
    assert complaint in printed.err
    assert printed.err.count("\n") == 1


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none.edn"), "--model", "register"]) == 2
    assert "none.edn: expected a history, found: No such file or directory" in capsys.readouterr().err
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert main(["check", str(tmp_path / "bytes"), "--model", "register"]) == 2
    assert "found: bytes that are not UTF-8" in capsys.readouterr().err


def test_exit_codes_and_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, page = tmp_path / "h.edn", tmp_path / "h.html"
    path.write_text(f"{CALL}\n{DONE}")
    command = ["check", str(path), "--model", "register", "--html", str(page), "--json"]
    assert main(command) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["linearizable"] is False
    assert document["counterexample"]["unplaceable"][0]["record"] == 1
    assert document["html"] == str(page)
    assert page.read_text().startswith("<!doctype html>")
    assert main([*command, "--time-limit", "0"]) == 2
    assert json.loads(capsys.readouterr().out)["linearizable"] is None
    assert main([*command[:-3], "--initial", "[1 2]"]) == 0
    assert capsys.readouterr().out == "linearizable: 1 operations, 1 part\n"
