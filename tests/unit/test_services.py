"""Finding services and applications by what a user wrote, and the one line for each way not to find them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cdep import DeclarationError
from psmr.errors import ConfigurationError
from psmr.services import app_names, find_application, find_service, service_text

HEADER = """
from psmr import StateMachine, Map, u64, partially_dependent, dependent
from psmr.workload import Application
"""
ONE = """
class {name}(StateMachine):
    table = Map(u64, u64, capacity=8)

    @partially_dependent("key", access="read")
    def get(self, key: u64) -> u64 | None:
        return self.table.get(key)
"""
APPLICATION = "{variable} = Application({service}, dict, list, None)\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory; modules imported from it are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


def write(here: Path, name: str, *parts: str) -> None:
    path = here.joinpath(*name.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "\n".join(parts))


def complaint(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        find_service(text)
    message = str(caught.value)
    assert "\n" not in message
    assert "expected" in message
    assert "found" in message
    return message


def test_the_only_state_machine_of_a_module_in_the_current_directory(here: Path) -> None:
    write(here, "ledger", ONE.format(name="Ledger"))
    found = find_service("ledger")
    assert (found.__module__, found.__name__) == ("ledger", "Ledger")
    assert find_service("ledger:Ledger") is found
    assert service_text(found) == "ledger:Ledger"


def test_a_package_offers_what_it_gathers_from_its_modules(here: Path) -> None:
    write(here, "bank.ledger", ONE.format(name="Ledger"))
    write(here, "bank.__init__", "from bank.ledger import Ledger")
    assert find_service("bank").__name__ == "Ledger"
    assert find_service("bank.ledger") is find_service("bank")


def test_a_state_machine_imported_from_elsewhere_is_not_the_modules_own(here: Path) -> None:
    write(here, "base", ONE.format(name="Base"))
    write(here, "derived", "from base import Base", "class Derived(Base):\n    pass")
    assert find_service("derived").__name__ == "Derived"
    assert find_service("derived:Base").__name__ == "Base"


def test_service_and_application_say_which_of_several(here: Path) -> None:
    two = ONE.format(name="First") + ONE.format(name="Second")
    write(here, "with_service", two, "SERVICE = Second")
    write(here, "with_application", two, APPLICATION.format(variable="APPLICATION", service="First"))
    assert find_service("with_service").__name__ == "Second"
    assert find_service("with_application").__name__ == "First"


def test_applications_and_their_variants(here: Path) -> None:
    write(
        here,
        "stores",
        ONE.format(name="Bytes") + ONE.format(name="Numbers"),
        APPLICATION.format(variable="APPLICATION", service="Bytes"),
        APPLICATION.format(variable="NUMBERS", service="Numbers") + 'VARIANTS = {"integer": NUMBERS}',
    )
    assert find_application("stores").service.__name__ == "Bytes"
    assert find_application("stores:integer").service.__name__ == "Numbers"
    assert find_application("stores:Numbers") is find_application("stores:integer")
    assert find_application("stores:NUMBERS") is find_application("stores:integer")
    assert find_service("stores:integer").__name__ == "Numbers"
    assert find_service("stores:NUMBERS").__name__ == "Numbers"


def test_an_application_is_missing(here: Path) -> None:
    write(here, "ledger", ONE.format(name="Ledger"))
    with pytest.raises(ConfigurationError, match=r"expected .* APPLICATION .*, found none: define APPLICATION"):
        find_application("ledger")
    with pytest.raises(ConfigurationError, match=r"expected .* service Ledger, found .*: define APPLICATION"):
        find_application("ledger:Ledger")


def test_a_module_that_does_not_exist(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmr.services.app_names", lambda: ["exchange", "kv"])
    assert "did you mean apps.kv?" in complaint("aps.kv")
    assert "did you mean exchange?" in complaint("exchanges")
    assert "give one of exchange, kv" in complaint("nowhere")
    assert str(here) in complaint("nowhere.to.be.found")


@pytest.mark.parametrize("text", ["", "kv:", ":KV", "a-b", "kv:A.B", "../kv", "kv.py:1"])
def test_text_of_another_form(text: str) -> None:
    assert '"apps.kv:KV"' in complaint(text)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x = 1\ny = 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("import no_such_module_anywhere\n", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("x = (\n", "SyntaxError: '(' was never closed"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("import json\njson.loads('{')\n", "JSONDecodeError"),
    ],
)
def test_a_module_that_cannot_be_imported_names_exception_and_line(here: Path, source: str, found: str) -> None:
    (here / "broken.py").write_text(source)
    message = complaint("broken")
    assert found in message
    # The line is the user's own, not the one of the library that it called.
    line = 2 if source.count("\n") > 1 else 1
    assert f"{here / 'broken.py'}:{line})" in message


def test_a_module_without_a_state_machine(here: Path) -> None:
    write(here, "empty")
    assert complaint("empty").startswith("empty: expected a module with a class based on psmr.StateMachine, found none")


def test_several_state_machines_are_listed(here: Path) -> None:
    write(here, "two", ONE.format(name="First"), ONE.format(name="Second"))
    assert complaint("two").endswith("found 2: name one: two:First or two:Second")


def test_a_name_that_is_none(here: Path) -> None:
    write(here, "ledger", ONE.format(name="Ledger"), "number = 7")
    assert "found nothing of that name: did you mean Ledger?" in complaint("ledger:ledge")
    assert "found int number: it has: Ledger" in complaint("ledger:number")
    assert "found nothing of that name: it has: Ledger" in complaint("ledger:StateMachines")


def test_a_wrong_annotation_is_passed_on(here: Path) -> None:
    write(here, "wrong", ONE.format(name="Wrong").replace('("key"', '("kee"'))
    with pytest.raises(DeclarationError, match=r"Wrong\.get"):
        find_service("wrong")


def test_a_class_that_others_cannot_import_has_no_text(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    write(here, "ledger", ONE.format(name="Ledger"))
    ledger = find_service("ledger")
    monkeypatch.setattr(ledger, "__module__", "__main__")
    with pytest.raises(ConfigurationError, match="move it to the top of a module"):
        service_text(ledger)


def test_names_of_applications_are_those_of_the_package() -> None:
    assert all(name.isidentifier() for name in app_names())


def test_a_file_is_answered_with_the_name_of_its_module(here: Path) -> None:
    write(here, "shop.ledger", ONE.format(name="Ledger"))
    for text in ("shop/ledger.py", "./shop/ledger.py", str(here / "shop" / "ledger.py")):
        assert complaint(text).endswith("give the module, not its file: shop.ledger")
    assert complaint("nothing.py").endswith("give the module, not its file: nothing")
    assert complaint("shop/ledger.py:Ledger").endswith("not its file: shop.ledger:Ledger")
