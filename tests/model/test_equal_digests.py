"""One log, six ways: interpreted and compiled, by one, two and five workers. Replies and state are equal, to the byte.

And they are what the service's sequential model says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from digest_services import Everything
from execution_support import NOW_US, Batch, Raised, decode, engines, execute, plain, state_of
from netfs_calls import netfs_call
from plain_state import PlainService
from random_calls import Draw, byte_store_call, everything_call, integer_store_call, nameserver_call, random_log

from apps import kv, nameserver, netfs
from cdep import StateMachine, service_of
from proxies.layout import layout_of
from psmr.execution.engine import Engine
from psmr.workload import Model

WORKERS = (1, 2, 5)
SEEDS = (1, 2)
CALLS = 900


@dataclass(frozen=True)
class Subject:
    """A service with its model and the calls to try."""

    owner: type[StateMachine]
    model: Callable[[], Model]
    draw: Draw


SUBJECTS = [
    Subject(kv.KV, kv.APPLICATION.model, byte_store_call),
    Subject(kv.IntegerKV, kv.VARIANTS["integer"].model, integer_store_call),
    Subject(nameserver.Nameserver, nameserver.APPLICATION.model, nameserver_call),
    Subject(netfs.NetFS, netfs.APPLICATION.model, netfs_call),
    Subject(Everything, lambda: PlainService(Everything), everything_call),
]


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.owner.__name__)
@pytest.mark.parametrize("seed", SEEDS)
def test_one_log_gives_one_state_and_one_set_of_replies(subject: Subject, seed: int) -> None:
    log = random_log(subject.draw, seed, CALLS)
    with engines(subject.owner, WORKERS) as made:
        replies = {name: execute(engine, log) for name, engine in made.items()}
        first, *others = made
        for other in others:
            _assert_same_replies(subject, log, replies, first, other)
        assert {name: engine.digest() for name, engine in made.items()} == dict.fromkeys(made, made[first].digest())
        assert len({engine.row_digests and engine.row_digests.read(0, CALLS) for engine in made.values()}) == 1
        _assert_as_the_model(subject, log, replies[first], made[first])
        assert made["compiled, 5 workers"].counters().synchronous_commands > 0


def _assert_same_replies(
    subject: Subject, log: list[Batch], replies: dict[str, list[bytes]], first: str, other: str
) -> None:
    layout = layout_of(service_of(subject.owner))
    for number, batch in enumerate(log):
        if replies[first][number] == replies[other][number]:
            continue
        answers = (decode(layout, batch, replies[name][number]) for name in (first, other))
        differing = [(call, *pair) for call, *pair in zip(batch, *answers, strict=True) if pair[0] != pair[1]]
        pytest.fail(f"batch {number}: {first} and {other} reply differently: {differing or 'in the bytes only'}")


def _assert_as_the_model(subject: Subject, log: list[Batch], replies: Sequence[bytes], engine: Engine) -> None:
    model = subject.model()
    for number, batch in enumerate(log):
        if isinstance(model, PlainService):
            model.stamp(NOW_US + 1_000_000 * (number + 1))
        for call, reply in zip(batch, decode(engine.layout, batch, replies[number]), strict=True):
            if isinstance(reply, Raised) and reply.text.startswith("CapacityExceeded"):
                continue  # plain state has room without end
            assert reply == _reply_of(model, call, reply), f"batch {number}: {call}"
    state, wanted = state_of(engine), model.state()
    assert {name: state[name] for name in wanted} == wanted


def _reply_of(model: Model, call: tuple[str, tuple[Any, ...]], found: Any) -> Any:
    """What the model replies; an error is as good as another, unless the model has the handlers' own."""
    try:
        return plain(model.apply(*call))
    except (ValueError, LookupError, ArithmeticError, RuntimeError) as error:
        return found if isinstance(found, Raised) else Raised(f"{type(error).__name__}: {error}")
