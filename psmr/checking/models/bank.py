"""Accounts between which money moves, none of it made or lost."""

from __future__ import annotations

from typing import Any

from psmr.checking.models.meaning import Meant, OneState, UnlikeTheModel, no_such
from psmr.checking.models.registers import Unmet
from psmr.checking.values import FrozenMap, Keyword, show

_TRANSFER = "{:from account, :to account, :amount n} as :value of transfer"


class Bank(OneState):
    """`transfer {:from a, :to b, :amount n}`, which fails where `a` holds less than `n`; `read`, whose answer has all balances."""

    read_only = frozenset({"read"})

    def __init__(self, initial: Any) -> None:
        self.initial = _balances(initial, "{account balance, ...} as the initial state of bank (--initial)")

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        """The state after `command`, and its reply."""
        if command == "read":
            return state, state
        source, target, amount = arguments
        if source not in state or target not in state or not 0 <= amount <= state[source]:
            return state, Unmet(state)
        after = FrozenMap(state)
        after[source] -= amount
        after[target] += amount
        return after, None

    def meant(self, f: str, called: Any, answered: Any, is_known: bool, /) -> Meant:
        """As `RecordedModel` has it."""
        if f == "read":
            expected = "{account balance, ...} as :value of the answer to read"
            return Meant(f, (), _balances(answered, expected) if is_known else None)
        if f != "transfer":
            raise no_such(f, "bank", "transfer, read")
        fields = _by_name(called)
        if set(fields) != {"from", "to", "amount"} or not isinstance(fields["amount"], int):
            raise UnlikeTheModel(_TRANSFER, show(called))
        return Meant(f, (_account(fields["from"]), _account(fields["to"]), fields["amount"]), None)


def _balances(value: Any, expected: str) -> FrozenMap:
    if not isinstance(value, FrozenMap) or not all(isinstance(balance, int) for balance in value.values()):
        raise UnlikeTheModel(expected, show(value))
    return FrozenMap({_account(account): balance for account, balance in value.items()})


def _account(name: Any) -> Any:
    """In JSON the keys of an object are strings, also where accounts are numbers."""
    return int(name) if isinstance(name, str) and name.isdecimal() else name


def _by_name(value: Any) -> dict[Any, Any]:
    if not isinstance(value, FrozenMap):
        return {}
    return {key.name if isinstance(key, Keyword) else key: held for key, held in value.items()}
