"""From a class to its service: commands, numbers, state, fingerprint."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType, new_class
from typing import Annotated, Optional

import pytest

from cdep import (
    CallError,
    DeclarationError,
    Dependency,
    Max,
    Service,
    StateField,
    StateMachine,
    annotation_of,
    dependent,
    fields_of,
    i64,
    independent,
    partially_dependent,
    service_of,
    u16,
    u64,
    value_type,
)


class Cells(StateField):
    """A state field that says what it was told."""

    def __init__(self, text: str) -> None:
        self.text = text

    def specification(self) -> str:
        return f"Cells({self.text})"


class Accounts(StateMachine, version=3, spread_reads=("account",)):
    """Balances.

    Never below zero.
    """

    LIMIT = 10
    balance = Cells("u64")

    @partially_dependent("account")
    def deposit(self, account: u64, amount: i64) -> i64:
        """Add to a balance."""
        return self._added(account, amount)

    @partially_dependent("source", "target", domain="account", access={"source": "read"})
    def transfer(self, source: u64, target: u64, amount: i64) -> bool:
        return bool(source != target and amount > 0)

    @partially_dependent("account", access="read")
    def find(self, account: u64) -> i64 | None:
        return None

    @dependent(access="read")
    def total(self) -> Annotated[bytes, Max(8)]:
        return b""

    @dependent
    def close(self) -> None:
        return None

    @independent
    def ping(self, code: u16) -> Optional[u16]:  # noqa: UP045 - both spellings must work
        return code

    def _added(self, account: u64, amount: i64) -> i64:
        return i64(amount)


def test_commands_are_numbered_in_order_of_definition() -> None:
    commands = service_of(Accounts).commands
    assert [command.name for command in commands] == ["deposit", "transfer", "find", "total", "close", "ping"]
    assert [command.op for command in commands] == list(range(6))


def test_signatures() -> None:
    service = service_of(Accounts)
    deposit = service.command("deposit")
    assert [(p.name, p.type.name) for p in deposit.parameters] == [("account", "u64"), ("amount", "i64")]
    assert deposit.doc == "Add to a balance."
    replies = {c.name: (c.reply and c.reply.name, c.optional) for c in service.commands}
    assert replies == {
        "deposit": ("i64", False),
        "transfer": ("bool", False),
        "find": ("i64", True),
        "total": ("Max(8)", False),
        "close": (None, False),
        "ping": ("u16", True),
    }


def test_kinds_accesses_and_dependencies() -> None:
    service = service_of(Accounts)
    assert {c.name: (c.kind, c.access) for c in service.commands} == {
        "deposit": ("partial", "write"),
        "transfer": ("partial", "write"),
        "find": ("partial", "read"),
        "total": ("dependent", "read"),
        "close": ("dependent", "write"),
        "ping": ("independent", "none"),
    }
    assert service.command("transfer").dependencies == (
        Dependency("source", "account", "read"),
        Dependency("target", "account", "write"),
    )
    assert service.command("close").dependencies == ()


def test_service_carries_where_it_was_declared() -> None:
    service = service_of(Accounts)
    assert (service.name, service.module, service.qualname) == ("Accounts", __name__, "Accounts")
    assert (service.version, service.spread_reads) == (3, ("account",))
    assert service.doc == "Balances.\n\nNever below zero."


def test_state_is_found_by_name() -> None:
    assert fields_of(Accounts) == {"balance": Accounts.balance}
    assert Accounts.balance.name == "balance"
    assert service_of(Accounts).state == (("balance", "Cells(u64)"),)


def test_unknown_command_lists_the_known_ones() -> None:
    with pytest.raises(CallError, match="no command 'depose'; use one of: deposit, transfer"):
        service_of(Accounts).command("depose")


def test_handlers_stay_plain_functions() -> None:
    assert Accounts().deposit(u64(1), i64(2)) == 2
    assert Accounts.deposit.__name__ == "deposit"
    assert annotation_of(Accounts.deposit) is not None
    assert annotation_of(Accounts._added) is None


def _variant(doc: str, version: int = 1, key: object = u64, access: str = "write", text: str = "u64") -> Service:
    def put(self: object, key: u64) -> None: ...

    put.__doc__ = doc
    put.__annotations__["key"] = key
    put.__qualname__ = "Store.put"
    annotated = partially_dependent("key", access=access)(put)  # type: ignore[arg-type]
    body = {"put": annotated, "cells": Cells(text), "__doc__": doc}
    return service_of(new_class("Store", (StateMachine,), {"version": version}, lambda space: space.update(body)))


def test_fingerprint_ignores_docstrings() -> None:
    assert _variant("one").fingerprint == _variant("another").fingerprint
    assert 0 < _variant("one").fingerprint < 1 << 64


@pytest.mark.parametrize(
    "changed",
    [
        _variant("", version=2),
        _variant("", key=i64),
        _variant("", access="read"),
        _variant("", text="u32"),
    ],
)
def test_fingerprint_sees_every_other_change(changed: Service) -> None:
    assert changed.fingerprint != _variant("").fingerprint


def test_fingerprint_is_fixed_for_all_time() -> None:
    """Logs on disk carry it: a change of the canonical text is a change of format."""
    assert service_of(Accounts).specification() == (
        "service Accounts version 3\n"
        "command 0 deposit(account: u64, amount: i64) -> i64 partial write account:account:write\n"
        "command 1 transfer(source: u64, target: u64, amount: i64) -> bool partial write "
        "source:account:read target:account:write\n"
        "command 2 find(account: u64) -> i64 | None partial read account:account:read\n"
        "command 3 total() -> Max(8) dependent read\n"
        "command 4 close() -> None dependent write\n"
        "command 5 ping(code: u16) -> u16 | None independent none\n"
        "state balance Cells(u64)\n"
        "spread_reads account"
    )
    assert service_of(Accounts).fingerprint == 4907301622714238337


def test_inherited_commands_come_first_and_keep_their_numbers() -> None:
    class Audited(Accounts):
        log = Cells("log")

        @independent
        def audit(self) -> None: ...

        @dependent
        def deposit(self, account: u64, amount: i64) -> i64:
            return amount

    service = service_of(Audited)
    names = [command.name for command in service.commands]
    assert names == ["deposit", "transfer", "find", "total", "close", "ping", "audit"]
    assert service.command("deposit").kind == "dependent"
    assert list(fields_of(Audited)) == ["balance", "log"]
    assert service.spread_reads == ("account",)
    assert service.version == 1
    assert service_of(Accounts).command("deposit").kind == "partial"


def test_a_base_without_commands_is_allowed_but_is_no_service() -> None:
    class Base(StateMachine):
        cells = Cells("shared")

    class Real(Base):
        @dependent
        def act(self) -> None: ...

    with pytest.raises(DeclarationError, match="Base: declares no command; add an annotated method"):
        service_of(Base)
    with pytest.raises(DeclarationError, match="StateMachine: declares no command"):
        service_of(StateMachine)
    assert service_of(Real).state == (("cells", "Cells(shared)"),)


def test_commands_of_a_mixin_count() -> None:
    class Pinging:
        @independent
        def ping(self) -> None: ...

    class Real(Pinging, StateMachine):
        @dependent
        def act(self) -> None: ...

    assert [command.name for command in service_of(Real).commands] == ["ping", "act"]


def test_types_local_to_a_function_or_a_class_are_found() -> None:
    Name = Annotated[bytes, Max(12)]  # noqa: N806 - a type

    class Local(StateMachine):
        Text = Annotated[bytes, Max(500)]

        @partially_dependent("name")
        def write(self, name: Name, text: Text) -> None: ...

    class Below(Local):
        @dependent
        def clear(self) -> None: ...

    for service in (service_of(Local), service_of(Below)):
        assert [p.type.name for p in service.command("write").parameters] == ["Max(12)", "Max(500)"]


def test_types_without_postponed_evaluation() -> None:
    """A service module need not say `from __future__ import annotations`."""

    def put(self: object, key: u64) -> None: ...

    put.__annotations__ = {"key": u64, "return": None}
    store = type("Store", (StateMachine,), {"put": partially_dependent("key")(put)})
    assert service_of(store).command("put").parameters[0].type == value_type(u64)


def test_types_are_looked_up_in_the_handlers_module() -> None:
    """A handler inherited from another module means that module's names."""
    module = ModuleType("elsewhere")
    module.__dict__["Special"] = u16

    def put(self: object, key: Special) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    moved = FunctionType(put.__code__, module.__dict__, "put")
    moved.__annotations__ = {"key": "Special", "return": "None"}
    moved.__module__ = module.__name__
    store = type("Store", (StateMachine,), {"put": independent(moved)})
    assert service_of(store).command("put").parameters[0].type.name == "u16"
    assert module.__name__ not in sys.modules
