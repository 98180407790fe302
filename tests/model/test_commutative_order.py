"""A service with commutative order: commands of several groups after the others of their batch, by however many workers."""

from __future__ import annotations

import random
from typing import Annotated

import pytest
from execution_support import Batch, Raised, decode, engines, execute

from cdep import Call as Named
from cdep import DeclarationError, Max, execution_order, mask, service_of
from psmr import Array, StateMachine, dependent, independent, partially_dependent, u8, u64
from psmr.core.batch import MalformedBatch
from psmr.execution.engine import Engine

ROWS = 48
NAMES = [b"", b"a", b"bee", b"sea", b"delta"]


class Purse(StateMachine, order="commutative"):
    """Every kind of command; what each returns tells when it was executed."""

    coins = Array(u64, capacity=256)

    @partially_dependent("place")
    def add(self, place: u8, coins: u64) -> u64:
        """One group."""
        self.coins[place] = self.coins[place] + coins
        return self.coins[place]

    @partially_dependent("source", "target", domain="place")
    def move(self, source: u8, target: u8, coins: u64) -> u64:
        """One group or two."""
        if self.coins[source] < coins:
            raise ValueError("too few")
        self.coins[source] = self.coins[source] - coins
        self.coins[target] = self.coins[target] + coins
        return self.coins[target]

    @partially_dependent("name")
    def note(self, name: Annotated[bytes, Max(8)]) -> Annotated[bytes, Max(8)]:
        """One group, with bytes in and out."""
        return name

    @dependent
    def double(self) -> u64:
        """All groups."""
        for place in range(4):
            self.coins[place] = self.coins[place] * 2
        return self.coins[0]

    @independent
    def echo(self, coins: u64) -> u64:
        """Any group."""
        return coins


class Strict(Purse, order="strict"):
    """The same in the order of arrival."""


class Heir(Purse):
    """Inherits the order."""


def drawn(seed: int) -> list[Batch]:
    chance = random.Random(seed)
    makers = [
        lambda: ("add", (chance.randrange(6), chance.randrange(9))),
        lambda: ("move", (chance.randrange(6), chance.randrange(6), chance.randrange(5))),
        lambda: ("note", (chance.choice(NAMES),)),
        lambda: ("double", ()),
        lambda: ("echo", (chance.randrange(100),)),
    ]
    return [[chance.choice(makers)() for _ in range(ROWS)] for _ in range(6)]


def named(service: type[StateMachine], batch: Batch) -> list[Named]:
    commands = {c.name: [p.name for p in c.parameters] for c in service_of(service).commands}
    return [Named(name, dict(zip(commands[name], arguments, strict=True))) for name, arguments in batch]


class Model:
    """The service without the engine."""

    def __init__(self) -> None:
        self.coins = [0] * 256

    def apply(self, name: str, arguments: tuple[object, ...]) -> object:
        if name in ("echo", "note"):
            return arguments[0]
        if name == "double":
            self.coins[:4] = [2 * coins for coins in self.coins[:4]]
            return self.coins[0]
        source, *others, coins = (int(str(argument)) for argument in arguments)
        if name == "add":
            self.coins[source] += coins
            return self.coins[source]
        if self.coins[source] < coins:
            return Raised("ValueError: too few")
        self.coins[source] -= coins
        self.coins[others[0]] += coins
        return self.coins[others[0]]


@pytest.mark.parametrize("service", [Purse, Strict])
def test_replies_and_state_are_those_of_the_order_declared(service: type[StateMachine]) -> None:
    log = drawn(5)
    model = Model()
    expected: list[list[object]] = []
    for batch in log:
        replies: list[object] = [None] * len(batch)
        for row in execution_order(service_of(service), named(service, batch)):
            replies[row] = model.apply(*batch[row])
        expected.append(replies)
    with engines(service, [1, 2, 3]) as made:
        found = {name: execute(engine, log) for name, engine in made.items()}
        assert len({tuple(replies) for replies in found.values()}) == 1
        assert len({engine.digest() for engine in made.values()}) == 1
        layout = next(iter(made.values())).layout
    plain = next(iter(found.values()))
    assert [decode(layout, batch, reply) for batch, reply in zip(log, plain, strict=True)] == expected


def test_the_two_orders_differ_on_this_log() -> None:
    batch = drawn(5)[0]
    service = service_of(Purse)
    order = execution_order(service, named(Purse, batch))
    assert execution_order(service_of(Strict), named(Strict, batch)) == list(range(ROWS))
    several = [mask(service, call, row).bit_count() > 1 for row, call in enumerate(named(Purse, batch))]
    assert [several[row] for row in order] == sorted(several)
    assert sorted(order) == list(range(ROWS)) != order


def test_a_malformed_row_is_called_by_its_place_in_the_batch() -> None:
    engine = Engine(Purse, 2)
    engine.start()
    try:
        stride = engine.layout.stride
        records = (3).to_bytes(2, "little").ljust(stride, b"\0") + b"\xff" * stride
        with pytest.raises(MalformedBatch, match="row 1"):
            engine.prepare(1, 1, stride, 2, records, b"", 0)
    finally:
        engine.close()


def test_the_order_is_part_of_the_specification_and_is_inherited() -> None:
    assert service_of(Heir).order == "commutative"
    assert service_of(Strict).order == "strict"
    assert "order commutative" in service_of(Purse).specification()
    assert "order" not in service_of(Strict).specification()
    with pytest.raises(DeclarationError, match="'any' is no order; use one of: 'strict', 'commutative'"):
        type("Wrong", (Purse,), {}, order="any")
