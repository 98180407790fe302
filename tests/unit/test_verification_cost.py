"""The longest chain of calls, against one found by looking at every pair."""

from __future__ import annotations

from random import Random

import pytest
from services_to_verify import Transfers, Watched

from apps.exchange import Exchange
from apps.kv import KV
from cdep import StateMachine, service_of
from psmr.verification.cost import Parts, cost_of, longest_chain, parts_of
from psmr.verification.declared import ordered
from psmr.verification.machine import Call
from psmr.verification.pools import Pools


def looked_for(names: list[str], parts: list[Parts], apart: set[tuple[str, str]]) -> float:
    """Each part behind the ones of its call before it, and behind every part before that it is ordered with."""
    ends: list[list[float]] = []
    for place, own in enumerate(parts):
        mine: list[float] = []
        for part in own:
            start = max(mine, default=0.0)
            for before in range(place):
                if (names[before], names[place]) not in apart:
                    for other, end in zip(parts[before], ends[before], strict=True):
                        start = max(start, end if ordered(other, part) else 0.0)
            mine.append(start + 1 / len(own))
        ends.append(mine)
    return max((end for mine in ends for end in mine), default=0.0)


@pytest.mark.parametrize("owner", [KV, Transfers, Watched, Exchange], ids=lambda owner: owner.__name__)
def test_the_longest_chain_is_the_one_that_looking_at_all_pairs_finds(owner: type[StateMachine]) -> None:
    service = service_of(owner)
    chance = Random(4)
    palette = Pools(owner, service, (), chance).palette()
    names = [command.name for command in service.commands]
    for _ in range(8):
        calls = [palette.call(chance.choice(names)) for _ in range(40)]
        apart = {(chance.choice(names), chance.choice(names)) for _ in range(2)}
        apart |= {pair[::-1] for pair in apart}
        parts = parts_of(service, calls)
        of_calls = [call.command for call in calls]
        assert longest_chain(of_calls, parts, apart) == pytest.approx(looked_for(of_calls, parts, apart))


def test_what_is_ordered_for_no_reason_costs() -> None:
    service = service_of(Watched)
    calls = [Call("push", ())] * 6
    cost = cost_of(service, service, calls, [("push", "push")], is_workload=True)
    assert (cost.longest, cost.longest_needed) == (6, 1)
    assert (cost.speed_up_max, cost.speed_up_max_needed) == (1, 6)
    assert (cost.ordered, cost.needless, cost.dependent) == (1, 1, 1)
    nothing = cost_of(service, service, [], [], is_workload=False)
    assert (nothing.longest, nothing.speed_up_max, nothing.speed_up_max_needed) == (0, 1, 1)
