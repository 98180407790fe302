"""Clusters of replica processes for a test."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import Any

from cdep import StateMachine
from psmr.cluster import LocalCluster
from psmr.testing.asked import check_options, whole
from psmr.testing.calls import owner_of
from psmr.workload import Application


class Processes:
    """Those that were started, to be stopped together."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def start(self, service: type[StateMachine] | Application, **options: Any) -> LocalCluster:
        """A cluster that has a leader. What this process can import, its replicas can."""
        check_options(LocalCluster, options)
        whole("replicas", options.get("replicas", 1), 1)
        variables = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **options.pop("variables", {})}
        cluster = self._stack.enter_context(LocalCluster(owner_of(service), variables=variables, **options))
        cluster.wait_ready()
        return cluster

    def close(self) -> None:
        """Stop them and remove their folders."""
        self._stack.close()
