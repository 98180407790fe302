"""Faults at random moments while calls are under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

from psmr.errors import ConfigurationError
from psmr.simulation.adversary import Adversary
from psmr.testing.asked import several

CRASH, PARTITION = "crash", "partition"
FAULTS = (CRASH, PARTITION)


def faults_named(given: Sequence[str] | bool) -> tuple[str, ...]:
    """The faults meant: True for all, or by name. Raises ConfigurationError for one that there is not."""
    if isinstance(given, bool):
        return FAULTS if given else ()
    names = [given] if isinstance(given, str) else several(f"faults among {', '.join(FAULTS)}, or True for all", given)
    for name in names:
        if name not in FAULTS:
            close = get_close_matches(str(name), FAULTS, n=1)
            cure = f"did you mean {close[0]}?" if close else "name one of them"
            raise ConfigurationError(f"expected faults among {', '.join(FAULTS)}, found {name!r}: {cure}")
    return tuple(names)


class ChosenAdversary(Adversary):
    """Strikes only with the faults chosen."""

    def __init__(self, chosen: Sequence[str], *arguments: Any) -> None:
        self._chosen = chosen
        super().__init__(*arguments)

    def _strikes(self) -> Sequence[Callable[[], None]]:
        crashes = (self._crash_one, self._crash_one) if CRASH in self._chosen else ()
        cuts = (self._isolate, self._cut_one_way, self._split, self._network.mend) if PARTITION in self._chosen else ()
        return (*crashes, *cuts)
