"""pytest run by a test, in its process: what libraries it loads stays loaded."""

from __future__ import annotations

import numba
import pytest

import psmr.testing.cluster
import psmr.testing.replays
from psmr.verification import verifying

LOADED = (psmr.testing.cluster, psmr.testing.replays, verifying)
"""pytester forgets what a run has loaded, and Numba must not be loaded twice in one process: it is all there before."""
numba.njit(lambda number: number)(1)  # with the first thing that it compiles it loads the rest of itself


def run_inside(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    """A run with the plugin and no other that is installed; the caller has set PYTEST_DISABLE_PLUGIN_AUTOLOAD."""
    return pytester.runpytest_inprocess("-p", "psmr.testing.plugin", "-p", "no:cacheprovider", *options)
