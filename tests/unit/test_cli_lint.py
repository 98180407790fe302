"""`psmr cdep lint`, and what it finds when a cluster is to be started."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import lint_corpus_outside
import lint_plain_services
import pytest

from psmr.cli import main
from psmr.cli.exits import ExitCode
from psmr.cluster import LocalCluster
from psmr.config import local_cluster
from psmr.errors import ConfigurationError
from psmr.lint import refuse_nondeterminism
from psmr.services import app_names

HEAD = "from psmr import StateMachine, dependent, u64\n"
SERVICE = """
class Service(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64({})
"""
CLOCK = HEAD + "import time\n" + SERVICE.format("time.time()")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if name.startswith("looked_"):
            del sys.modules[name]


def cluster_file(folder: Path, service: str, lint: str = "on") -> str:
    config = local_cluster("looked", service, folder / "data", token="0", replicas=1, lint=lint)
    (folder / "cluster.toml").write_text(config.to_toml())
    return "cluster.toml"


@pytest.mark.parametrize("application", app_names())
def test_nothing_is_found_in_the_applications(application: str, capsys: pytest.CaptureFixture[str]) -> None:
    variants = getattr(importlib.import_module(f"apps.{application}"), "VARIANTS", {})
    for name in [application, *(f"{application}:{variant}" for variant in variants)]:
        assert main(["cdep", "lint", name]) == ExitCode.OK
        assert "nothing that would make replicas differ" in capsys.readouterr().out


def test_place_code_reason_and_cure_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cdep", "lint", "lint_corpus_clocks:FarAway"]) == ExitCode.FAILED
    text = capsys.readouterr().out
    assert "lint_helpers.py:" in text
    assert "put → _one → _two → drawn → _deeper" in text
    assert "every replica draws other numbers" in text
    assert "pass it as an argument" in text


def test_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "looked_json.py").write_text(CLOCK)
    assert main(["cdep", "lint", "looked_json", "--json"]) == ExitCode.FAILED
    document = json.loads(capsys.readouterr().out)
    (found,) = document["findings"]
    assert (document["service"], document["commands"], document["functions"]) == ("looked_json:Service", 1, 1)
    assert (found["file"], found["line"], found["column"]) == (str(here / "looked_json.py"), 7, 20)
    assert (found["code"], found["found"], found["called_by"]) == ("clock", "time.time", ["make"])
    assert "self.now_us" in found["cure"]
    assert document["allowed"] == []


def test_an_allowed_line_is_no_finding_and_is_listed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "time.time())  # psmr: allow clock - one replica, to try things"
    (here / "looked_allowed.py").write_text(HEAD + "import time\n" + SERVICE.format(line).rstrip().removesuffix(")"))
    assert main(["cdep", "lint", "looked_allowed", "--json"]) == ExitCode.OK
    (allowed,) = json.loads(capsys.readouterr().out)["allowed"]
    assert (allowed["code"], allowed["reason"]) == ("clock", "one replica, to try things")
    assert main(["cdep", "lint", "looked_allowed"]) == ExitCode.OK
    assert "one replica, to try things" in capsys.readouterr().out


BAD = [
    ("no_commands", "from psmr import StateMachine\nclass Service(StateMachine):\n    pass\n", "declares no command"),
    (
        "no_source",
        HEAD + f"names = {{'StateMachine': StateMachine, 'dependent': dependent, 'u64': u64, '__name__': __name__}}\n"
        f"exec(compile({SERVICE.format('key')!r}, '<made up>', 'exec'), names)\nService = names['Service']\n",
        "Service.make: expected its source at <made up>:3, found none",
    ),
    ("broken_import", HEAD + "import looked_broken\n" + SERVICE.format("key"), "looked_broken.py:1"),
]


@pytest.mark.parametrize(("name", "source", "message"), BAD)
def test_what_cannot_be_checked(
    name: str, source: str, message: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / f"looked_{name}.py").write_text(source)
    (here / "looked_broken.py").write_text("def broken(:\n")
    assert main(["cdep", "lint", f"looked_{name}:Service"]) == ExitCode.CALLER
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_a_source_that_was_changed_since(here: Path) -> None:
    path = here / "looked_changed.py"
    path.write_text(CLOCK)
    from psmr.services import find_service

    owner = find_service("looked_changed")
    path.write_text(HEAD)
    with pytest.raises(ConfigurationError, match="the file was changed since it was imported"):
        refuse_nondeterminism(owner)


@pytest.mark.parametrize(
    "words", [["serve", "cluster.toml", "--id", "1"], ["up", "cluster.toml"], ["upgrade", "cluster.toml"]]
)
def test_a_cluster_is_not_started_with_findings(
    words: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "looked_clock.py").write_text(CLOCK)
    cluster_file(here, "looked_clock")
    assert main(words) == ExitCode.CALLER
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"found 1 place that may not: {here}/looked_clock.py:7:20 clock (time.time): every replica executes" in said
    assert "--allow-nondeterminism" in said


def test_a_demonstration_is_not_started_with_findings(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    application = "from psmr.workload import Application\nAPPLICATION = Application(service=Service, {})\n"
    fields = ", ".join(f"{name}=None" for name in _fields_of_an_application())
    (here / "looked_demo.py").write_text(CLOCK + application.format(fields))
    assert main(["demo", "looked_demo"]) == ExitCode.CALLER
    assert "looked_demo.py:7:20 clock" in capsys.readouterr().err


def _fields_of_an_application() -> list[str]:
    from dataclasses import MISSING, fields

    from psmr.workload import Application

    return [each.name for each in fields(Application) if each.default is MISSING and each.name != "service"]


@pytest.mark.parametrize(("lint", "option"), [("off", []), ("on", ["--allow-nondeterminism"])])
def test_whoever_insists_is_warned(
    lint: str, option: list[str], here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "looked_anyway.py").write_text(CLOCK)
    cluster_file(here, "looked_anyway", lint)
    started = []
    monkeypatch.setattr(
        "psmr.replica.serve.serve", lambda config, number, owner, joins, override: started.append(number) or 0
    )
    assert main(["serve", "cluster.toml", "--id", "1", *option]) == ExitCode.OK
    said = capsys.readouterr().err
    assert started == [1]
    assert said.startswith("WARNING: it runs all the same, and replicas may differ: looked_anyway:Service: ")
    assert "looked_anyway.py:7:20 clock" in said


def test_whoever_watches_replicas_passes_the_permission_on(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "looked_watched.py").write_text(CLOCK)
    cluster_file(here, "looked_watched")
    started: list[list[str]] = []

    class Ended:
        """A replica that ends at once."""

        pid = 1

        def __init__(self, words: list[str], **options: object) -> None:
            started.append(words)

        def poll(self) -> int:
            return 0

        def send_signal(self, number: int) -> None:
            """Ended already."""

        def wait(self, timeout_s: float | None = None) -> int:
            return 0

    monkeypatch.setattr("psmr.cluster.processes.subprocess.Popen", Ended)
    main(["up", "cluster.toml", "--allow-nondeterminism"])
    assert "WARNING: it runs all the same" in capsys.readouterr().err
    assert [words[-1] for words in started] == ["--allow-nondeterminism"]


def test_a_plain_service_starts_without_a_word(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psmr.replica.serve.serve", lambda config, number, owner, joins, override: 0)
    assert main(["serve", cluster_file(here, "kv"), "--id", "1"]) == ExitCode.OK
    assert capsys.readouterr().err == ""


def test_a_local_cluster_is_refused_before_anything_is_started() -> None:
    cluster = LocalCluster(lint_corpus_outside.Dice, replicas=1)
    with (
        pytest.raises(ConfigurationError, match=r"lint_corpus_outside.py:\d+:\d+ random \(random.randrange\)"),
        cluster,
    ):
        pytest.fail("it was started")


def test_the_first_findings_stand_for_many() -> None:
    with pytest.raises(ConfigurationError, match="and 1 more: see psmr cdep lint"):
        refuse_nondeterminism(lint_corpus_outside.Many)
    said: list[str] = []
    refuse_nondeterminism(lint_corpus_outside.Many, allowed=True, say=said.append)
    assert len(said) == 1
    refuse_nondeterminism(lint_plain_services.Accounts, allowed=True, say=said.append)
    assert len(said) == 1
