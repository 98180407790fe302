"""A handler that raises is answered with what it raised, alike everywhere, and has changed nothing."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from cluster_support import PATIENT, replicas, settle, uneven_cluster
from fault_services import Accounts

from psmr.client.connecting import connect_blocking
from psmr.client.untyped import AnyBlockingClient
from psmr.config import ClusterConfig
from psmr.errors import CommandRaised
from psmr.services import service_text

pytestmark = pytest.mark.cluster
WORKERS = (1, 2, 2)
INTERPRETED = 3


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterConfig]:
    """Replicas with one and two workers that run compiled code, and an interpreted one."""
    made = uneven_cluster(service_text(Accounts), tmp_path_factory.mktemp("raising"), WORKERS)
    with replicas(made, interpreted=(INTERPRETED,)):
        yield made


@pytest.fixture
def clients(config: ClusterConfig) -> Iterator[list[AnyBlockingClient]]:
    """A client at each replica, which answers with what it executed itself; account 1 holds 100, account 2 nothing."""
    with contextlib.ExitStack() as stack:
        made = [
            stack.enter_context(connect_blocking(Accounts, replica.clients, prefer_leader=False, **PATIENT))
            for replica in config.replicas
        ]
        made[0].close_all(0)
        made[0].deposit(1, 100)
        made[0].deposit(2, 0)
        yield made


RAISING: list[tuple[str, Callable[[AnyBlockingClient], object], str]] = [
    ("late", lambda bank: bank.withdraw(1, 101), "ValueError: the account does not hold that much"),
    ("two keys", lambda bank: bank.transfer(2, 1, 1), "KeyError: 'the source does not hold that much'"),
    ("by the machine", lambda bank: bank.share(1, 0), r"(ZeroDivision|FloatingPoint)Error: .*divi"),
    ("dependent", lambda bank: bank.close_all(3), "RuntimeError: too few accounts to close"),
    ("another worker's key", lambda bank: bank.withdraw(3, 1), "ValueError: the account does not hold that much"),
]


@pytest.mark.parametrize(("call", "text"), [case[1:] for case in RAISING], ids=[case[0] for case in RAISING])
def test_the_caller_is_told_and_nothing_has_changed(
    config: ClusterConfig, clients: list[AnyBlockingClient], call: Callable[[AnyBlockingClient], object], text: str
) -> None:
    (before, *_) = settle(config)
    texts = []
    for client in clients:
        with pytest.raises(CommandRaised) as raised:
            call(client)
        texts.append(str(raised.value))
    assert re.match(text, texts[0])
    assert len(set(texts)) == 1, "replicas tell it differently"
    assert settle(config)[0].get("digest") == before.get("digest")
    assert (clients[0].total(), clients[0].share(1, 1), clients[0].share(3, 1)) == (100, 100, 0)


def test_among_many_only_those_that_raise_fail(config: ClusterConfig, clients: list[AnyBlockingClient]) -> None:
    accounts: Sequence[int] = range(10, 210)
    column = np.array(accounts, np.uint64)
    clients[0].deposit.many(column, np.arange(200))
    for client in clients:
        replies = client.withdraw.many(column, np.full(200, 60))
        assert sorted(replies.raised) == [row for row in range(200) if not replies.present[row]]
        assert set(replies.raised.values()) == {"ValueError: the account does not hold that much"}
    left = np.arange(200)
    for _ in clients:
        left = np.where(left >= 60, left - 60, left)
    assert clients[0].share.many(column, np.ones(200, np.int64)).values.tolist() == left.tolist()
    settle(config)
