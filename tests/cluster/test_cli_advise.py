"""`psmr cdep advise`: of a workload, of a log, as JSON and as a page; and one line for what it cannot be asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cdep import service_of
from psmr.advice.batches import Commands, commands_of, preload_of
from psmr.advice.command import AdviceOptions, advise
from psmr.advice.logs import commands_in_log
from psmr.cli import main
from psmr.cli.exits import ExitCode
from psmr.core.batch import KIND_COMMANDS, encode
from psmr.errors import ConfigurationError
from psmr.services import find_application
from psmr.storage import LogStore, claim, decode_unchecked
from psmr.storage import encode as encode_record
from psmr.workload import WorkloadOptions

APP = "kv:integer"
SERVICE = service_of(find_application(APP).service)


def silent(text: str) -> None:
    """Nobody listens."""


def write_log(folder: Path, batches: list[Commands], fingerprint: int = SERVICE.fingerprint) -> None:
    """A replica's folder with a log of batches of one session, each of them twice: the second is a retry."""
    claim(folder, cluster="c", cluster_id=0, replica_id=1, service="kv", fingerprint=fingerprint).close()
    with LogStore(folder, False) as store:
        records = []
        for number, batch in enumerate(batches, 1):
            one = encode(
                KIND_COMMANDS, fingerprint, 7, number, number - 1, batch.stride, batch.records, batch.count, batch.blob
            )
            records.append(decode_unchecked(encode_record(number, 1, number, one + one)))
        if records:
            store.append(records)


def made(count: int) -> list[Commands]:
    """Batches of the application's workload."""
    workload = find_application(APP).workload(WorkloadOptions(batch=64, parameters={"keys": "100"}))
    return preload_of(SERVICE, workload) + commands_of(SERVICE, workload, 2, count)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_workload_as_json_and_as_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "advice.html"
    words = [
        "cdep",
        "advise",
        APP,
        "--commands",
        "4000",
        "--set",
        "keys=500",
        "--rounds",
        "1",
        "--html",
        str(page),
        "--json",
    ]
    assert main(words) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["service"] == "IntegerKV"
    assert [row["workers"] for row in document["predicted"]] == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]
    assert document["predicted"][0]["speed_up"] == 1.0
    assert document["critical_path"]["speed_up_max"] >= document["critical_path"]["speed_up_max_of_64_groups"] >= 1
    assert {row["command"] for row in document["costs"]["commands"]} >= {"get", "put"}
    assert document["what_if"]
    assert document["verdict"].count("\n") == 0
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert "<polyline" in text
    assert "valid only if" in text


def test_a_log_is_read_each_batch_once_and_stays_as_it_is(tmp_path: Path) -> None:
    batches = made(3000)
    write_log(tmp_path, batches)
    before = files_of(tmp_path)
    found = commands_in_log(tmp_path, SERVICE)
    assert [(batch.records, batch.count) for batch in found] == [(batch.records, batch.count) for batch in batches]
    document = advise(AdviceOptions(APP, log=tmp_path, commands=2000, rounds=1), silent)
    assert 2000 <= document["commands"] < 2200
    assert document["source"] == f"the log in {tmp_path}"
    assert files_of(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["psmr.advice.probe:Probe"], "expected an Application with the service Probe"),
        (["kv", "--input", "there-is-none.csv"], "expected a file or folder, found none"),
        (["kv", "--log", "there-is-none"], "expected a file or folder, found none"),
        (["kv", "--log", "."], "expected the data folder of a replica, found no identity.json"),
        (["kv", "--set", "keys"], "expected NAME=VALUE, found no equals sign"),
        (["kv", "--set", "kyes=3"], "expected one of mix, keys"),
        (["kv", "--input", ".", "--log", "."], "expected --input or --log, found both"),
        (["kv", "--input", "bad.csv"], "give a file of the application's kind"),
        (["nowhere"], "expected a service's module, found none called nowhere"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("this is no trace\n")
    assert main(["cdep", "advise", *words]) == ExitCode.CALLER
    (*_, line) = capsys.readouterr().err.strip().splitlines()
    assert expected in line
    assert list(tmp_path.iterdir()) == [tmp_path / "bad.csv"]


def test_logs_that_cannot_be_taken_are_refused(tmp_path: Path) -> None:
    empty, other = tmp_path / "empty", tmp_path / "other"
    write_log(empty, [])
    write_log(other, made(100), fingerprint=99)
    with pytest.raises(ConfigurationError, match="expected commands in the log, found none: give the log of a run"):
        commands_in_log(empty, SERVICE)
    with pytest.raises(ConfigurationError, match=r"expected a log of IntegerKV .* found one of kv .0x0000000000000063"):
        commands_in_log(other, SERVICE)
