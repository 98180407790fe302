"""Commands with an early stage: what may be declared, what conflicts with what, who delivers it, and what the tables say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cdep import (
    ALL_GROUPS,
    WAIT,
    Call,
    Carried,
    DeclarationError,
    StateMachine,
    conflict,
    dependent,
    early,
    f64,
    group_of,
    groups_table,
    i64,
    independent,
    mask,
    masks,
    partially_dependent,
    relation_svg,
    relation_table,
    service_of,
    u8,
    u32,
    u64,
)


class Market(StateMachine):
    @partially_dependent("stock")
    def order(self, client: u32, stock: u32, amount: u64, carried: Carried) -> u64:
        return u64(carried)

    @early(order, "client")
    def _reserve(self, amount: u64, client: u32) -> i64:
        return i64(amount) if client else WAIT

    @independent
    def withdraw(self, client: u32, carried: Carried) -> bool:
        return carried != WAIT

    @early(withdraw, "client")
    def _withdraw(self, client: u32) -> Carried:
        return i64(client)

    @partially_dependent("client", stage="early")
    def deposit(self, client: u32) -> None: ...

    @partially_dependent("client", access="read", stage="exact")
    def credit(self, client: u32) -> i64: ...

    @partially_dependent("stock")
    def close(self, stock: u32) -> None: ...

    @partially_dependent("client", "stock")
    def move(self, client: u32, stock: u32) -> None: ...

    @dependent(access="read")
    def audit(self) -> u64: ...

    @independent
    def ping(self) -> None: ...


MARKET = service_of(Market)


def call(name: str, **arguments: int) -> Call:
    return Call(name, arguments)


def test_each_command_has_its_stage() -> None:
    assert {command.name: command.stage for command in MARKET.commands} == {
        "order": "main",
        "withdraw": "main",
        "deposit": "early",
        "credit": "exact",
        "close": "main",
        "move": "exact",
        "audit": "exact",
        "ping": "main",
    }
    assert MARKET.is_staged
    assert MARKET.early_domains == {"client"}
    assert [parameter.name for parameter in MARKET.command("order").parameters] == ["client", "stock", "amount"]


def test_stages_are_part_of_the_specification_and_of_no_other() -> None:
    lines = MARKET.specification().splitlines()
    assert lines[1].endswith(" stock:stock:write early (amount, client) client:client:write stage main")
    assert lines[4].endswith(" client:client:read stage exact")

    class Plain(StateMachine):
        @partially_dependent("stock")
        def close(self, stock: u32) -> None: ...

    assert "stage" not in service_of(Plain).specification()
    assert not service_of(Plain).is_staged


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (call("order", client=1, stock=2, amount=3), call("order", client=1, stock=9, amount=3), True),
        (call("order", client=1, stock=2, amount=3), call("order", client=8, stock=2, amount=3), True),
        (call("order", client=1, stock=2, amount=3), call("order", client=2, stock=1, amount=3), False),
        (call("withdraw", client=1), call("deposit", client=1), True),
        (call("withdraw", client=1), call("close", stock=1), False),
        (call("credit", client=1), call("close", stock=5), True),
        (call("credit", client=1), call("deposit", client=2), False),
        (call("credit", client=1), call("credit", client=1), False),
        (call("audit"), call("credit", client=1), False),
        (call("ping"), call("move", client=1, stock=1), False),
    ],
)
def test_what_conflicts_shares_a_group(a: Call, b: Call, expected: bool) -> None:
    assert conflict(MARKET, a, b) == conflict(MARKET, b, a) == expected
    if expected:
        assert mask(MARKET, a, 3) & mask(MARKET, b, 7)


def test_groups_are_those_of_both_stages() -> None:
    order = call("order", client=70, stock=900, amount=1)
    assert mask(MARKET, order, 5) == 1 << group_of(70) | 1 << group_of(900)
    assert mask(MARKET, call("withdraw", client=70), 5) == 1 << group_of(70) | 1 << 5
    assert mask(MARKET, call("credit", client=70), 5) == ALL_GROUPS


def test_columns_of_masks_are_those_of_single_calls() -> None:
    import numpy as np

    positions = np.arange(4)
    columns = {"client": np.arange(70, 74, dtype=np.uint32), "stock": np.arange(4, dtype=np.uint32)}
    for name in ("order", "withdraw", "credit", "move"):
        expected = [
            mask(MARKET, call(name, client=70 + row, stock=row, amount=0), position)
            for row, position in enumerate(positions)
        ]
        assert masks(MARKET, name, columns, positions).tolist() == expected


def test_tables_say_the_stages() -> None:
    groups = {row.command: row for row in groups_table(MARKET)}
    assert groups["order"].kind == "partial write, staged"
    assert groups["order"].touches == "client write, then stock write"
    assert groups["order"].groups == "1 of 64 by client, then 1 of 64 by stock"
    assert groups["withdraw"].touches == "client write, then nothing"
    assert groups["credit"].kind == "partial read, exact"
    assert groups["credit"].groups == "all 64, once everything before it is complete"
    assert groups["deposit"].kind == "partial write, early"
    relation = {row.command: dict(row.conflicts) for row in relation_table(MARKET)}
    assert relation["order"] == {
        "order": "same client or stock",
        "withdraw": "same client",
        "deposit": "same client",
        "credit": "always",
        "close": "same stock",
        "move": "always",
        "audit": "always",
    }


def test_the_picture_shows_early_stages_as_what_they_conflict_with() -> None:
    picture = relation_svg(MARKET)
    assert picture.startswith("<svg ")
    assert [command.name for command in MARKET.commands if command.commutes] == ["ping"]
    assert "same client or stock" in picture


def no_carried() -> None:
    class Bad(StateMachine):
        @partially_dependent("stock")
        def order(self, client: u32, stock: u32) -> None: ...

        @early(order, "client")
        def _reserve(self, client: u32) -> i64: ...


def carried_without_stage() -> None:
    class Bad(StateMachine):
        @partially_dependent("stock")
        def order(self, stock: u32, carried: Carried) -> None: ...


def carried_not_last() -> None:
    class Bad(StateMachine):
        @partially_dependent("stock")
        def order(self, client: u32, carried: Carried, stock: u32) -> None: ...

        @early(order, "client")
        def _reserve(self, client: u32) -> i64: ...


def public_stage() -> None:
    class Bad(StateMachine):
        @partially_dependent("stock")
        def order(self, client: u32, stock: u32, carried: Carried) -> None: ...

        @early(order, "client")
        def reserve(self, client: u32) -> i64: ...


def stage_of_no_command() -> None:
    def plain(self: Any) -> None: ...

    class Bad(StateMachine):
        @early(plain, "client")
        def _reserve(self, client: u32) -> i64: ...


def unknown_parameter() -> None:
    class Bad(StateMachine):
        @partially_dependent("stock")
        def order(self, client: u32, stock: u32, carried: Carried) -> None: ...

        @early(order, "client")
        def _reserve(self, client: u8) -> i64: ...


def float_key() -> None:
    class Bad(StateMachine):
        @partially_dependent("stock")
        def order(self, price: f64, stock: u32, carried: Carried) -> None: ...

        @early(order, "price")
        def _reserve(self, price: f64) -> i64: ...


def returns_nothing() -> None:
    class Bad(StateMachine):
        @partially_dependent("stock")
        def order(self, client: u32, stock: u32, carried: Carried) -> None: ...

        @early(order, "client")
        def _reserve(self, client: u32) -> None: ...


def two_stages() -> None:
    class Bad(StateMachine):
        @partially_dependent("stock")
        def order(self, client: u32, stock: u32, carried: Carried) -> None: ...

        @early(order, "client")
        def _reserve(self, client: u32) -> i64: ...

        @early(order, "client")
        def _reserve_more(self, client: u32) -> i64: ...


def one_domain_for_both() -> None:
    class Bad(StateMachine):
        @partially_dependent("client")
        def order(self, client: u32, carried: Carried) -> None: ...

        @early(order, "client")
        def _reserve(self, client: u32) -> i64: ...


def does_not_say_which() -> None:
    class Bad(Market):
        @partially_dependent("client")
        def look(self, client: u32) -> None: ...


def early_with_other_keys() -> None:
    class Bad(Market):
        @partially_dependent("stock", stage="early")
        def look(self, stock: u32) -> None: ...


def stage_without_stages() -> None:
    class Bad(StateMachine):
        @partially_dependent("client", stage="exact")
        def look(self, client: u32) -> None: ...


def no_such_stage() -> None:
    class Bad(Market):
        @partially_dependent("client", stage="late")  # type: ignore[arg-type]
        def look(self, client: u32) -> None: ...


def dependent_main() -> None:
    class Bad(StateMachine):
        @dependent
        def order(self, client: u32, carried: Carried) -> None: ...

        @early(order, "client")
        def _reserve(self, client: u32) -> i64: ...


def spread_reads() -> None:
    class Bad(Market, spread_reads=("stock",)):
        pass


def commutative() -> None:
    class Bad(Market, order="commutative"):
        pass


@pytest.mark.parametrize(
    ("declare", "cure"),
    [
        (
            no_carried,
            "Bad.order: an early stage and a last parameter 'carried: Carried' belong together; add the other",
        ),
        (carried_without_stage, "Bad.order: an early stage and a last parameter 'carried: Carried' belong together"),
        (carried_not_last, "Bad.order: what an early stage returned comes last; move the parameter of type Carried"),
        (public_stage, "Bad.reserve: is an early stage; make it a plain method, its name with a '_'"),
        (stage_of_no_command, "plain: has an early stage, but is no command; annotate it, above its early stage"),
        (unknown_parameter, "Bad._reserve: parameter 'client' is none of order; take any of: client: u32, stock: u32"),
        (float_key, "Bad._reserve: key 'price' is an f64, and floats make no keys"),
        (returns_nothing, "Bad._reserve: an early stage returns what main gets as carried; write '-> i64'"),
        (two_stages, "Bad._reserve_more: order has an early stage already, _reserve; keep one"),
        (one_domain_for_both, "Bad.order: its main stage depends on a domain of early stages; name its other keys"),
        (
            does_not_say_which,
            "Bad.look: early stages have its domain; say stage='early' if main stages before it never",
        ),
        (early_with_other_keys, "Bad.look: stage='early' is for keys of early stages' domains alone (client)"),
        (stage_without_stages, "Bad.look: says stage='exact', but no command has an early stage; leave it out"),
        (no_such_stage, 'Bad.look: \'late\' is no stage; use "early" or "exact", or leave it out'),
        (dependent_main, "Bad.order: has an early stage; make its main stage @partially_dependent or @independent"),
        (spread_reads, "Bad: early stages go with neither spread_reads nor commutative order; remove one or the other"),
        (commutative, "Bad: early stages go with neither spread_reads nor commutative order; remove one or the other"),
    ],
)
def test_a_wrong_declaration_is_refused(declare: Callable[[], None], cure: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declare()
    assert str(refused.value).startswith(cure)
    assert "\n" not in str(refused.value)
