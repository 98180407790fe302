"""`psmr cdep verify` and `psmr cdep infer`: what they say, what they end with, and one line for what they cannot look at."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

from psmr.cli import main
from psmr.cli.exits import ExitCode

SERVICES = "services_to_verify"
FEW = ("--states", "10")
NOT_REFUTED, REFUTED, UNDECIDED = 0, 1, 2


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.chdir(tmp_path)


def test_a_refuted_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cdep", "verify", f"{SERVICES}:Transfers", "--script", "shown.py", *FEW]) == REFUTED
    text = capsys.readouterr().out
    assert text.startswith("Transfers: refuted\n")
    assert "services_to_verify.py:" in text.partition("but their declarations do not order them: ")[0]
    assert "but their declarations do not order them: " in text
    assert "cure: name 'target' as a key of transfer" in text
    assert "script written to shown.py" in text
    assert "with seed 1: " in text


def test_the_script_shows_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cdep", "verify", f"{SERVICES}:Transfers", "--script", "shown.py", "--json", *FEW]) == REFUTED
    document = json.loads(capsys.readouterr().out)
    assert Path("shown.py").read_text() == document["script"]
    shown = document["refutations"][0]
    assert shown["differences"]
    names = runpy.run_path("shown.py")
    text = capsys.readouterr().out
    assert names["found"] == shown["differences"]
    assert "first, then second:" in text
    assert all(difference in text for difference in shown["differences"])


def test_the_same_seed_finds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    documents = []
    for _ in range(2):
        assert main(["cdep", "verify", f"{SERVICES}:Transfers", "--seed", "5", "--json", *FEW]) == REFUTED
        documents.append(json.loads(capsys.readouterr().out))
    assert documents[0]["refutations"] == documents[1]["refutations"]
    assert documents[0]["searched"] == documents[1]["searched"]


def test_a_service_that_is_not_refuted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cdep", "verify", "kv:integer", "--states", "40", "--json"]) == NOT_REFUTED
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "not refuted"
    assert document["script"] is None
    assert document["cost"]["of"] == "workload"
    assert 0 < document["cost"]["pairs_ordered"] < 0.2
    assert document["searched"]["pairs_unordered"] > 100


def test_a_command_that_never_succeeds_is_undecided(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cdep", "verify", f"{SERVICES}:NeverSucceeds", "--states", "30"]) == UNDECIDED
    text = capsys.readouterr().out
    assert re.search(
        r"undecided: fail has raised in each of \d+ executions, \w+Error: .* \(\S*services_to_verify\.py:\d+\): ", text
    )
    assert main(["cdep", "infer", f"{SERVICES}:NeverSucceeds", "--states", "30"]) == UNDECIDED
    text = capsys.readouterr().out
    assert re.search(r"fail: undecided\n.*\n.*\n    \w+Error: .* \(\S*services_to_verify\.py:\d+\)\n", text)
    assert "write: as declared" in text


@pytest.mark.parametrize("command", ["verify", "infer"])
def test_a_handler_that_does_not_end_is_stopped_and_named(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("psmr.verification.endless.LIMIT_S", 0.2)
    assert main(["cdep", command, f"{SERVICES}:NeverEnds", "--states", "5"]) == ExitCode.CALLER
    found = (
        r"NeverEnds\.wait \(\S*services_to_verify\.py:\d+\): expected a handler that ends, found wait\(\) still running"
    )
    assert re.search(found, capsys.readouterr().err)


def test_no_time_is_undecided(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cdep", "verify", "kv:integer", "--seconds", "0"]) == UNDECIDED
    assert "0 states" in capsys.readouterr().out


def test_state_outside_every_container_shows_in_the_two_orders(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cdep", "verify", f"{SERVICES}:KeepsGlobals", *FEW]) == REFUTED
    text = capsys.readouterr().out
    assert "a reply of remember(): " in text
    assert "`psmr cdep lint`" in text
    (unseen,) = re.findall("beyond what was searched: .*", text)
    assert re.search(
        r"services_to_verify\.py:\d+:\d+ \w+ \(.*\): see psmr cdep lint services_to_verify:KeepsGlobals", unseen
    )


@pytest.mark.parametrize("command", ["verify", "infer"])
@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("KeepsAttributes", "found the attribute 'last' set by a handler, which cannot be traced"),
        (
            "OddState",
            "OddState.odd: expected a Map, Array, Table, Scratch or Event, found a Odd, which cannot be traced",
        ),
    ],
)
def test_state_that_cannot_be_traced(
    command: str, service: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cdep", command, f"{SERVICES}:{service}", *FEW]) == ExitCode.CALLER
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("command", ["verify", "infer"])
def test_a_service_without_commands(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "idle_service.py").write_text(
        "from psmr import StateMachine\n\n\nclass Idle(StateMachine):\n    pass\n"
    )
    assert main(["cdep", command, "idle_service:Idle"]) == ExitCode.CALLER
    assert capsys.readouterr().err == "psmr: Idle: declares no command; add an annotated method\n"


@pytest.mark.parametrize("command", ["verify", "infer"])
def test_handlers_without_a_source_are_traced_and_said(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cdep", command, f"{SERVICES}:NoSource", *FEW]) == NOT_REFUTED
    assert "expected handlers whose source is in a file, found none for echo" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["verify", "infer"])
@pytest.mark.parametrize(
    ("service", "setting", "message"),
    [
        ("kv:integer", "keys", "--set keys: expected NAME=VALUE, found no equals sign"),
        ("kv:integer", "keys=1", "kv:integer: keys: expected a whole number from 2 to "),
        (f"{SERVICES}:Watched", "keys=7", "Watched"),
    ],
)
def test_settings_of_a_workload_that_is_not_there(
    command: str, service: str, setting: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cdep", command, service, "--set", setting, *FEW]) == ExitCode.CALLER
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_a_workload_with_settings(capsys: pytest.CaptureFixture[str]) -> None:
    shares = []
    for keys in ("2", "100000"):
        assert main(["cdep", "verify", "kv:integer", "--set", f"keys={keys}", "--json", *FEW]) == NOT_REFUTED
        cost = json.loads(capsys.readouterr().out)["cost"]
        shares.append(cost["pairs_ordered"])
        assert cost["longest_chain"] >= cost["longest_chain_needed"] > 0
    assert shares[0] > shares[1]


def test_a_script_never_replaces_somebodys_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("thesis.py").write_text("years = 'of work'\n")
    assert main(["cdep", "verify", f"{SERVICES}:Transfers", "--script", "thesis.py"]) == ExitCode.CALLER
    assert "something else: give another path" in capsys.readouterr().err
    assert Path("thesis.py").read_text() == "years = 'of work'\n"


def test_what_is_inferred(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cdep", "infer", f"{SERVICES}:Transfers", "--states", "30"]) == REFUTED
    text = capsys.readouterr().out
    assert "deposit: as declared" in text
    assert "transfer: declared too weakly" in text
    assert '    @partially_dependent("source", "target", domain="account")' in text
    assert '    declared: @partially_dependent("source", domain="account")' in text


@pytest.mark.parametrize(("service", "states"), [("kv", "60"), ("kv:integer", "60"), ("nameserver", "150")])
def test_the_applications_are_inferred_as_they_are_declared(
    service: str, states: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cdep", "infer", service, "--states", states, "--json"]) == NOT_REFUTED
    document = json.loads(capsys.readouterr().out)
    assert {one["verdict"] for one in document["commands"]} == {"as declared"}
    assert all(one["proposed"] == one["declared"] for one in document["commands"])
    assert document["states"] > 0
