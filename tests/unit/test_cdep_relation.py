"""C-Dep: the graph of command classes and the predicate over calls, case by case."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pytest

from cdep import (
    Call,
    CallError,
    Condition,
    Max,
    Size,
    StateMachine,
    conflict,
    dependent,
    i32,
    i64,
    independent,
    partially_dependent,
    relation,
    service_of,
    u64,
)


class Accounts(StateMachine):
    @partially_dependent("account")
    def deposit(self, account: u64, amount: i64) -> None: ...

    @partially_dependent("source", "target", domain="account")
    def transfer(self, source: u64, target: u64) -> None: ...

    @partially_dependent("account", access="read")
    def balance(self, account: i32) -> None: ...

    @partially_dependent("name")
    def rename(self, name: Annotated[bytes, Max(16)]) -> None: ...

    @partially_dependent("name", "account", access={"name": "read"})
    def attach(self, name: Annotated[bytes, Size(2)], account: u64) -> None: ...

    @dependent
    def close(self) -> None: ...

    @dependent(access="read")
    def total(self) -> None: ...

    @independent
    def ping(self) -> None: ...


SERVICE = service_of(Accounts)
NEVER = None


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("deposit", "deposit", (("account", "account"),)),
        ("deposit", "transfer", (("account", "source"), ("account", "target"))),
        (
            "transfer",
            "transfer",
            (("source", "source"), ("source", "target"), ("target", "source"), ("target", "target")),
        ),
        ("deposit", "balance", (("account", "account"),)),
        ("balance", "balance", NEVER),
        ("deposit", "rename", NEVER),
        ("rename", "attach", (("name", "name"),)),
        ("attach", "attach", (("account", "account"),)),
        ("deposit", "close", "always"),
        ("balance", "close", "always"),
        ("close", "close", "always"),
        ("close", "total", "always"),
        ("deposit", "total", "always"),
        ("attach", "total", "always"),
        ("balance", "total", NEVER),
        ("total", "total", NEVER),
        ("close", "ping", NEVER),
        ("ping", "ping", NEVER),
    ],
)
def test_condition_of_an_edge(a: str, b: str, expected: Condition | None) -> None:
    graph = relation(SERVICE)
    assert graph.has_edge(a, b) == (expected is not NEVER)
    if expected is not NEVER:
        assert graph.edges[a, b]["condition"] == expected


def test_nodes_carry_kind_and_access() -> None:
    nodes = relation(SERVICE).nodes
    assert list(nodes) == [command.name for command in SERVICE.commands]
    assert nodes["attach"] == {"kind": "partial", "access": "write"}
    assert nodes["total"] == {"kind": "dependent", "access": "read"}
    assert nodes["ping"] == {"kind": "independent", "access": "none"}


DEPOSIT_7 = Call("deposit", {"account": 7, "amount": 1})
CLOSE = Call("close", {})
TOTAL = Call("total", {})
BALANCE_7 = Call("balance", {"account": 7})


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (DEPOSIT_7, Call("deposit", {"account": 7, "amount": 2}), True),
        (DEPOSIT_7, Call("deposit", {"account": 8, "amount": 1}), False),
        (DEPOSIT_7, Call("transfer", {"source": 1, "target": 7}), True),
        (DEPOSIT_7, Call("transfer", {"source": 1, "target": 2}), False),
        (DEPOSIT_7, BALANCE_7, True),
        (BALANCE_7, BALANCE_7, False),
        (BALANCE_7, TOTAL, False),
        (BALANCE_7, CLOSE, True),
        (DEPOSIT_7, TOTAL, True),
        (TOTAL, TOTAL, False),
        (TOTAL, CLOSE, True),
        (CLOSE, Call("ping", {}), False),
        (Call("rename", {"name": b"ab"}), Call("attach", {"name": b"ab", "account": 1}), True),
        (Call("rename", {"name": b"a"}), Call("attach", {"name": b"a\0", "account": 1}), False),
        (Call("attach", {"name": b"ab", "account": 1}), Call("attach", {"name": b"ab", "account": 2}), False),
    ],
)
def test_conflict_of_calls(a: Call, b: Call, expected: bool) -> None:
    assert conflict(SERVICE, a, b) is expected
    assert conflict(SERVICE, b, a) is expected


def test_keys_are_compared_by_value_whatever_carries_them() -> None:
    """NumPy's 'S' scalars lose trailing zeros; as unsigned, -1 would be another key than the integer -1."""
    assert conflict(SERVICE, DEPOSIT_7, Call("deposit", {"account": np.uint64(7), "amount": 0}))
    assert not conflict(SERVICE, Call("deposit", {"account": 2**64 - 1}), Call("balance", {"account": np.int32(-1)}))
    attach = Call("attach", {"name": np.bytes_(b"a\0"), "account": 1})
    assert conflict(SERVICE, Call("rename", {"name": bytearray(b"a\0")}), attach)
    void = Call("attach", {"name": np.void(b"a\0"), "account": 1})
    assert conflict(SERVICE, Call("rename", {"name": memoryview(b"a\0")}), void)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (Call("depose", {}), "no command 'depose'"),
        (Call("deposit", {"amount": 1}), "no argument 'account'; give every parameter a value"),
        (Call("deposit", {"account": 7.0}), "expected a key of type u64, found 7.0"),
        (Call("deposit", {"account": b"7"}), "expected a key of type u64, found b'7'"),
        (Call("rename", {"name": "ab"}), r"expected a key of type Max\(16\), found 'ab'"),
        (Call("rename", {"name": bytes(17)}), r"expected a key of type Max\(16\)"),
        (Call("attach", {"name": b"a", "account": 1}), r"expected a key of type Size\(2\), found b'a'"),
    ],
)
def test_calls_that_do_not_fit_are_refused(call: Call, message: str) -> None:
    with pytest.raises(CallError, match=message):
        conflict(SERVICE, call, DEPOSIT_7)
