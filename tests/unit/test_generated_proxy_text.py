"""The text of generated clients, and the files it goes to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
from ledger_support import BlockingLoopback, Ledger

from cdep import Size, StateMachine, dependent, f64, i64, u64
from cdep import service_of as service
from proxies.client_text import client_text
from psmr import proxy_files
from psmr.errors import ConfigurationError


class Outer:
    class Replies(StateMachine):
        r"""A service whose names are in the way: "quotes", \backslashes and a"""  # as in real life

        @dependent
        def batch(self, self_: u64, count: bool, driver: f64) -> f64:
            '''Ends with a """quote"'''
            return driver

        @dependent
        def close(self) -> None:
            r"""Ends with a \
            and has lines.

                indented
            """

        @dependent
        def int(self, bytes: Annotated[bytes, Size(4)]) -> Annotated[bytes, Size(4)] | None:  # noqa: A002
            return bytes

        @dependent
        def close_(self) -> bool:
            return True

        @dependent
        def get(self) -> None: ...

        @dependent
        def async_get(self) -> None: ...

        @dependent
        def a_rather_long_name_of_a_command(self, first_parameter: u64, second_one: u64) -> i64 | None:
            return None


SERVICES: list[type[StateMachine]] = [Ledger, Outer.Replies]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("PSMR_CACHE", str(folder))
        yield folder


@pytest.mark.parametrize("owner", SERVICES)
@pytest.mark.parametrize("width", ["88", "132"])
def test_the_text_is_as_the_formatter_would_have_it(owner: type[StateMachine], width: str) -> None:
    text = client_text(service(owner))
    format_ = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", width, "-"]
    assert subprocess.run(format_, input=text, capture_output=True, text=True, check=True).stdout == text
    check = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", "--line-length", width, "-"]
    subprocess.run(check, input=text, capture_output=True, text=True, check=True)


def test_the_same_service_gives_the_same_text() -> None:
    text = client_text(service(Ledger))
    assert "Generated from ledger_support:Ledger; do not edit." in text
    program = (
        "import cdep, ledger_support, proxies.client_text as generator; "
        "print(generator.client_text(cdep.service_of(ledger_support.Ledger)), end='')"
    )
    for seed in "1", "2":
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[2]}"}
        run = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
        )
        assert run.stdout == text


def test_names_in_the_way_are_moved_aside(cache: Path) -> None:
    module = proxy_files.client_module(Outer.Replies)
    client = module.BlockingReplies(BlockingLoopback())
    assert {"batch_", "close_", "close__", "int_", "get", "async_get"} <= vars(client).keys()
    assert client.close_.proxy.name == "Replies.close"
    assert client.close__.proxy.name == "Replies.close_"
    assert client.batch_.groups(self_=3, count=True, driver=0.5) == 2**64 - 1


def test_writing_leaves_an_equal_file_alone(tmp_path: Path) -> None:
    client, server = proxy_files.write_proxies(Ledger, tmp_path / "generated")
    assert (client.name, server.name) == ("ledger_client.py", "ledger_server.py")
    before = client.stat().st_mtime_ns, client.stat().st_ino
    proxy_files.write_proxies(Ledger, tmp_path / "generated")
    assert (client.stat().st_mtime_ns, client.stat().st_ino) == before
    client.write_text("# another version")
    proxy_files.write_proxies(Ledger, tmp_path / "generated")
    assert client.read_text() == client_text(service(Ledger))
    assert sorted(path.name for path in client.parent.iterdir()) == ["ledger_client.py", "ledger_server.py"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"file/generated/ledger_client.py: expected a place to write to"):
        proxy_files.write_proxies(Ledger, tmp_path / "file" / "generated")


def test_a_client_of_another_version_is_refused(tmp_path: Path) -> None:
    text = client_text(service(Ledger)).replace("FINGERPRINT = 0x", "FINGERPRINT = 0x1 ^ 0x")
    path = proxy_files.write_file(tmp_path, "old_client.py", text)
    for _ in range(2):  # a module that failed is not left half imported
        with pytest.raises(ConfigurationError, match=r"client proxy of Ledger was generated for fingerprint .* again"):
            proxy_files.import_file("psmr_test_old_client", path)


def test_a_class_that_no_file_can_import(cache: Path) -> None:
    class Local(StateMachine):
        @dependent
        def act(self) -> None: ...

    with pytest.raises(ConfigurationError, match="expected a class at the top of an importable module"):
        proxy_files.client_module(Local)
