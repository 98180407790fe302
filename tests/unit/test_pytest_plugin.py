"""The pytest plugin as its users have it: test files of theirs, run by pytest."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import services_to_test  # imported here, it stays imported between the runs of pytest below
from inner_runs import run_inside

import psmr.testing.replays  # noqa: F401 - as above
from psmr.errors import CommandRaised
from psmr.testing import VirtualCluster, assert_commutes, assert_linearizable
from psmr.testing.session import Session, session

pytest_plugins = ["pytester"]
USES = """
import pytest
from psmr.testing import assert_commutes, assert_linearizable, assert_ordered, assert_replay_identical
from services_to_test import *
"""
CLUSTER = """
def test_it(psmr_cluster):
    history = psmr_cluster({service}, workers=3).run({calls}, clients=6)
    assert_linearizable(history, {model})
"""


class Suite:
    """A user's test file, to be run."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester

    def run(self, text: str, *options: str) -> pytest.RunResult:
        """What pytest says of it."""
        self._pytester.makepyfile(USES + text)
        return run_inside(self._pytester, *options)


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return Suite(pytester)


def test_three_lines_pass_for_a_right_service(suite: Suite) -> None:
    text = CLUSTER.format(service="Bank", calls=120, model="BankModel()")
    text += "def test_annotations():\n    assert_commutes(Bank, seconds=0.3)\n"
    text += "def test_replays():\n    assert_replay_identical(Bank, 100, forms=('simulated',))\n"
    suite.run(text).assert_outcomes(passed=3)


def test_a_wrong_reply_is_told_in_words_with_a_picture_and_the_seed(suite: Suite) -> None:
    calls = [("deposit", 1, 5), ("withdraw", 1, 2), ("balance", 1)]
    result = suite.run(CLUSTER.format(service="Bank", calls=calls, model="WrongModel()"), "--psmr-seed=7")
    result.assert_outcomes(failed=1)
    said = result.stdout.str()
    assert re.search(r"key 1: \d of 3 operations have an order, which none can follow", said)
    assert re.search(r"cannot follow: process 1 .*withdraw\(1, 2\) → 3, where the model replies 1", said)
    assert "seed 7 (the same again: --psmr-seed=7)" in said
    (page,) = re.findall(r"^E +as a picture: (\S+)", said, re.MULTILINE)
    assert "withdraw" in Path(page).read_text()
    assert_no_inside(said)


def test_a_missing_key_is_found_by_running_and_the_cure_named(suite: Suite) -> None:
    result = suite.run(CLUSTER.format(service="MissingKey", calls=400, model="BankModel()"))
    result.assert_outcomes(failed=1)
    said = result.stdout.str()
    assert re.search(r"MissingKey: replicas that executed one log differ; first at command \d+ of it, \w+\(", said)
    assert "cure: name 'target' as a key of transfer" in said
    assert_no_inside(said)


def test_a_missing_key_is_found_by_searching(suite: Suite) -> None:
    result = suite.run("def test_it():\n    assert_commutes(MissingKey, states=12)\n", "--psmr-seed=3")
    result.assert_outcomes(failed=1)
    said = result.stdout.str()
    assert "cure: name 'target' as a key of transfer" in said
    assert re.search(r"services_to_test.py:\d+", said)
    (script,) = re.findall(r"^E +as a script: (\S+)", said, re.MULTILINE)
    assert "may run in either order" in Path(script).read_text()
    assert "--psmr-seed=3" in said
    assert_no_inside(said)


def test_two_calls_are_compared_from_a_state(suite: Suite) -> None:
    result = suite.run(
        """
def test_apart():
    assert_commutes(Bank, ("deposit", 1, 5), ("deposit", 2, 5), state=[("deposit", 1, 1)])

def test_what_is_ordered_is_left_alone():
    assert_commutes(Bank, ("deposit", 1, 5), ("withdraw", 1, 5))
    assert_ordered(Bank, ("deposit", 1, 5), ("withdraw", 1, 5))

def test_reply_and_state():
    assert_commutes(OrderDependent, ("note", 1, 5), ("note", 2, 6), state=[("note", 3, 1)])

def test_not_ordered():
    assert_ordered(Bank, ("deposit", 1, 5), ("withdraw", 2, 5))
"""
    )
    result.assert_outcomes(passed=2, failed=2)
    said = result.stdout.str()
    assert "the reply of note(1, 5): 1 or 6" in said
    assert "last[0]: 6 or 5" in said
    assert "expected C-Dep to order deposit(1, 5) and withdraw(2, 5), found that they may run in either order" in said


def test_a_handler_that_reads_a_clock_is_found(suite: Suite) -> None:
    result = suite.run(
        """
def test_cluster(psmr_cluster):
    psmr_cluster(Clocked, workers=1, lint=False).run([("stamp", 1), ("stamp", 2)], clients=1)

def test_replays():
    assert_replay_identical(Clocked, [("stamp", 1), ("stamp", 2)])
"""
    )
    result.assert_outcomes(failed=2)
    said = result.stdout.str()
    assert said.count("differ; first at command 1 of it, stamp(1)") >= 2
    assert "it does not do the same either" in said
    assert_no_inside(said)


def test_what_is_found_only_when_the_test_ends_is_an_error(suite: Suite) -> None:
    result = suite.run(
        """
def test_it(psmr_cluster):
    client = psmr_cluster(Clocked, workers=1, lint=False).client()
    client.stamp(1)
"""
    )
    result.assert_outcomes(passed=1, errors=1)
    assert "first at command 1 of it, stamp(1)" in result.stdout.str()


BAD = {
    "psmr_cluster(Timed)": "expected handlers that do the same on every replica, found 1 place that may not",
    "psmr_cluster(7)": "expected a service, a class based on psmr.StateMachine, found 7",
    "psmr_cluster(Bank(), workers=2)": "give the class, Bank",
    "psmr_cluster(Bank, replicas=9)": "expected replicas, a whole number from 1 to 7, found 9",
    "psmr_cluster(Bank, wrokers=2)": "found 'wrokers': did you mean workers?",
    "psmr_cluster(Bank, seed='x')": "expected a seed, a whole number from 0 on, found 'x'",
    "psmr_cluster(Bank).run(0)": "how many to make up, a whole number from 1 on, found 0",
    "psmr_cluster(Bank).run(True)": "how many to make up, a whole number from 1 on, found True",
    "psmr_cluster(Bank).run(5, clients=1.5)": "expected clients, a whole number from 1 on, found 1.5",
    "psmr_cluster(Bank).run(5, faults=3)": "expected faults among crash, partition, or True for all, found 3",
    "psmr_cluster(Bank).elapse(-1)": "expected virtual time in seconds, such as 2.5, found -1",
    "psmr_cluster(Bank).partition(3)": "expected the replicas of a side, found 3",
    "psmr_cluster(Bank).partition([0], [0, 1])": "expected each replica on one side, found [0] on several",
    "assert_commutes(Bank, states=0)": "expected states, a whole number from 1 on, found 0",
    "assert_commutes(Bank, seconds=float('nan'))": "expected how long to search in seconds, such as 2.5, found nan",
    "assert_replay_identical(Bank, 5, workers=2)": "expected numbers of workers, found 2",
    "assert_replay_identical(Bank, 5, forms=())": "found [] and [1, 2, 3]: name one at least",
    "assert_replay_identical(Bank, 5, batch='x')": "expected calls of a batch, a whole number from 1 on, found 'x'",
    'psmr_cluster(Bank).run([("depsit", 1, 5)])': "found 'depsit': did you mean deposit?",
    'psmr_cluster(Bank).run([("deposit", 1)])': "Bank.deposit: expected 2 arguments, found 1",
    'psmr_cluster(Bank).client().deposit(1, "much")': "Bank.deposit: parameter 'amount'",
    "psmr_cluster(Bank).run(5, faults='cresh')": "did you mean crash?",
    'assert_commutes(Bank, ("deposit", -1, 5), ("balance", 1))': "Bank.deposit: parameter 'account'",
    'assert_commutes(Bank, ("deposit", 1, 5))': "expected two calls whose orders are to be compared, found one",
    "assert_replay_identical(Bank, 5, forms=['compield'])": "expected forms among simulated, interpreted, compiled",
    "assert_linearizable(psmr_cluster(Bank).run(5), dict)": "found dict without initial, read_only, step, key",
    "assert_linearizable(psmr_cluster(OrderDependent, lint=False).run(5), BankModel)": "give the model of this service",
}

MODEL = "type('M', (), {{'initial': 0, 'read_only': (), 'step': None, 'key': None, {}}})()"
BAD |= {
    f"assert_linearizable([], {MODEL.format(wrong)})": said
    for wrong, said in {
        "'initial': lambda self: 0": "expected initial of the model M to be a value, found a method",
        "'initial': {}": "expected a hashable state as initial of the model M, found a dict",
        "'read_only': 'balance'": "expected names of commands as read_only of the model M, found 'balance'",
    }.items()
}


def test_bad_input_is_one_message_at_the_line_of_the_test(suite: Suite) -> None:
    text = "".join(f"def test_{place}(psmr_cluster):\n    {line}\n\n" for place, line in enumerate(BAD))
    result = suite.run(text)
    result.assert_outcomes(failed=len(BAD))
    said = result.stdout.str()
    for message in BAD.values():
        assert message in said
    assert_no_inside(said)


@pytest.mark.parametrize(
    ("option", "said"), [("--psmr-seed=x", "expected a seed"), ("--psmr-seconds=0", "how many sec")]
)
def test_an_option_that_cannot_be_is_refused(suite: Suite, option: str, said: str) -> None:
    result = suite.run("", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()


def test_a_drawn_seed_is_told_and_the_options_end_with_the_run(suite: Suite) -> None:
    before = session()
    result = suite.run("def test_it(psmr_cluster):\n    psmr_cluster(Bank)\n    assert False\n", "--psmr-seed=random")
    (seed,) = re.findall(r"--psmr-seed=(\d+)", result.stdout.str())
    assert int(seed) >= 0
    assert session() is before
    assert before.seed == Session().seed


def test_whoever_does_not_use_it_loads_nothing() -> None:
    program = (
        "import sys, psmr.testing.plugin; print([name for name in sys.modules if name in ('numpy', 'numba', 'cdep')])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_it_needs_no_pytest() -> None:
    """The names are there, and do their work, for any runner of tests."""
    assert_commutes(services_to_test.Bank, ("deposit", 1, 5), ("deposit", 2, 5))
    with VirtualCluster(services_to_test.Bank) as cluster:
        assert_linearizable(cluster.run(20), services_to_test.BankModel())


def test_what_a_handler_raises_is_raised_at_the_client_and_in_the_history() -> None:
    with VirtualCluster(services_to_test.Bank) as cluster:
        client = cluster.client()
        assert client.deposit(1, 5) == 5
        with pytest.raises(CommandRaised, match="ValueError: not enough"):
            client.withdraw(1, 6)
        assert client.balance(1) == 5
        assert_linearizable(cluster.history, services_to_test.BankModel())


def assert_no_inside(said: str) -> None:
    """No line of the package in what a user reads of a failure."""
    assert "psmr/testing/" not in said
    assert "Traceback" not in said
