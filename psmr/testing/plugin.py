"""The pytest plugin: fixtures, options, and the seed in the report of a test that failed.

pytest loads it wherever the package is installed, so that all that it imports is pytest: whoever does not use it pays nothing.
"""

from __future__ import annotations

import random
from argparse import ArgumentTypeError
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from psmr.testing import session as sessions
from psmr.testing.session import SECONDS, SEED, Session

if TYPE_CHECKING:
    from cdep import StateMachine
    from psmr.cluster import LocalCluster
    from psmr.testing.cluster import VirtualCluster
    from psmr.workload import Application

_KEY = pytest.StashKey[Session]()
_DRAW = "random"
_HANDED = "psmr_seed"
_SEEDS = 1 << 31
T = TypeVar("T")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--psmr-seconds` and `--psmr-seed`."""
    group = parser.getgroup("psmr", "replicated services")
    group.addoption(
        "--psmr-seconds",
        type=_seconds,
        default=SECONDS,
        metavar="SECONDS",
        help=f"how long each assert_commutes searches a service (default: {SECONDS:g})",
    )
    group.addoption(
        "--psmr-seed",
        type=_seed,
        default=SEED,
        metavar="N",
        help=f"decides everything that is left to chance; {_DRAW!r} draws one, which a failure names (default: {SEED})",
    )


def pytest_configure(config: pytest.Config) -> None:
    """From here on the assertions know this run's options."""
    handed: dict[str, Any] = getattr(config, "workerinput", {})
    seed = handed.get(_HANDED, config.getoption("--psmr-seed"))
    config.stash[_KEY] = entered = Session(seed, config.getoption("--psmr-seconds"))
    sessions.enter(entered)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A test worker of pytest-xdist is handed the seed: one that was drawn is drawn once."""
    node.workerinput[_HANDED] = node.config.stash[_KEY].seed


def pytest_unconfigure(config: pytest.Config) -> None:
    """The run is over."""
    entered = config.stash.get(_KEY, None)
    if entered is not None:
        sessions.leave(entered)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test begins: nothing is used yet, and reports go to its own folder."""
    entered = item.config.stash[_KEY]
    entered.seeds = ()
    entered.folder = lambda: _folder_of(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say which seed it was."""
    report = yield
    seeds = item.config.stash[_KEY].seeds
    if report.failed and seeds:
        same = "; ".join(f"the same again: --psmr-seed={seed}" for seed in seeds[-1:])
        report.sections.append(("psmr", f"seed {', '.join(map(str, seeds))} ({same})"))
    return report


@pytest.fixture
def psmr_cluster(tmp_path: Path) -> Iterator[Callable[..., VirtualCluster]]:
    """Makes clusters of a service in this process, in virtual time: `psmr_cluster(Service, replicas=3, workers=2)`.

    Options and what it does: `psmr.testing.VirtualCluster`. When the test ends replicas are compared, and all of it is gone.
    """
    from psmr.testing.asked import check_options
    from psmr.testing.cluster import VirtualCluster

    made: list[VirtualCluster] = []

    def make(service: type[StateMachine] | Application, **options: Any) -> VirtualCluster:
        __tracebackhide__ = True
        _made(lambda: check_options(VirtualCluster, options))
        made.append(_made(lambda: VirtualCluster(service, **{"folder": tmp_path, **options})))
        return made[-1]

    try:
        yield make
        for cluster in made:
            _agree(cluster)
    finally:
        for cluster in made:
            cluster.close()


@pytest.fixture
def psmr_processes() -> Iterator[Callable[..., LocalCluster]]:
    """Starts clusters of replica processes on this machine: `psmr_processes(Service, replicas=3, workers=2)`.

    Each leads and serves when it is returned; clients connect to its `addresses` with `psmr.connect_blocking`. Options and what
    it does: `psmr.cluster.LocalCluster`. When the test ends the processes are stopped and their folders removed.
    """
    from psmr.testing.processes import Processes

    processes = Processes()

    def start(service: type[StateMachine] | Application, **options: Any) -> LocalCluster:
        __tracebackhide__ = True
        return _made(lambda: processes.start(service, **options))

    try:
        yield start
    finally:
        processes.close()


def _agree(cluster: VirtualCluster) -> None:
    """Fail, with the message alone, where replicas differ and the test has not said so."""
    try:
        cluster.check()
    except AssertionError as error:
        pytest.fail(str(error), pytrace=False)


def _made(make: Callable[[], T]) -> T:
    """What is made; what the caller has done wrong, in one line."""
    __tracebackhide__ = True
    from psmr.testing.plain import told_plainly

    return told_plainly(make)()


def _folder_of(item: pytest.Item) -> Path:
    """The folder of a test, `tmp_path`; a temporary one for a test that has no fixtures."""
    request = getattr(item, "_request", None)
    if request is None:
        return Session().folder()
    folder: Path = request.getfixturevalue("tmp_path")
    return folder


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ArgumentTypeError(f"expected how many seconds to search, such as 2.5, found {text!r}")
    return seconds


def _seed(text: str) -> int:
    if text == _DRAW:
        return random.SystemRandom().randrange(_SEEDS)
    if not text.isdecimal():
        raise ArgumentTypeError(f"expected a seed, a number from 0 on, or {_DRAW}, found {text!r}")
    return int(text)
