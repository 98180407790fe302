"""A service checked in its own test suite: with pytest, or without.

    from psmr.testing import assert_commutes

    def test_annotations():
        assert_commutes(Bank)

pytest finds the fixtures `psmr_cluster` and `psmr_processes` by themselves once the package is installed
(`psmr.testing.plugin`). See docs/TESTING.md.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psmr.testing.annotations import UndecidedWarning, assert_commutes, assert_ordered
    from psmr.testing.cluster import VirtualCluster
    from psmr.testing.histories import assert_linearizable
    from psmr.testing.history import History
    from psmr.testing.replays import assert_replay_identical
    from psmr.verification.machine import Call

__all__ = [
    "Call",
    "History",
    "UndecidedWarning",
    "VirtualCluster",
    "assert_commutes",
    "assert_linearizable",
    "assert_ordered",
    "assert_replay_identical",
]

_ELSEWHERE = {
    "Call": "psmr.verification.machine",
    "History": "psmr.testing.history",
    "UndecidedWarning": "psmr.testing.annotations",
    "VirtualCluster": "psmr.testing.cluster",
    "assert_commutes": "psmr.testing.annotations",
    "assert_linearizable": "psmr.testing.histories",
    "assert_ordered": "psmr.testing.annotations",
    "assert_replay_identical": "psmr.testing.replays",
}

if not TYPE_CHECKING:
    # pytest imports this package in every run, whoever's tests they are: what is below is loaded when it is used.

    def __getattr__(name: str) -> object:
        """A public name, imported when first asked for (PEP 562)."""
        if name not in _ELSEWHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(_ELSEWHERE[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
