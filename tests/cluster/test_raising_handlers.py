"""A handler that raises is answered with what it raised, alike everywhere, and has changed nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster_support import PATIENCE_S, replicas, settle
from fault_services import Accounts

from psmr.client.connecting import connect_blocking
from psmr.client.untyped import AnyBlockingClient
from psmr.config import ClusterConfig, local_cluster
from psmr.errors import CommandRaised
from psmr.services import service_text

pytestmark = pytest.mark.cluster
INTERPRETED = 3


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterConfig]:
    """Replicas with one, two and five workers that run compiled code, and an interpreted one."""
    folder = tmp_path_factory.mktemp("raising")
    made = uneven_cluster(service_text(Accounts), folder)
    with replicas(made, interpreted=(INTERPRETED,)):
        settle(made)
        yield made
