"""Term and vote never go back: terms on a disk only grow, and within one a vote that was cast stays."""

from __future__ import annotations

from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.invariants import InvariantViolated


class TermNeverGoesBack:
    """Remembers what each disk held at the last look."""

    def __init__(self) -> None:
        self._saved: dict[int, tuple[int, int | None]] = {}

    def check(self, replica: Observed) -> None:
        """What is saved follows what was."""
        term, vote = replica.store.hard_state
        known_term, known_vote = self._saved.get(replica.me, (0, None))
        if term < known_term or (term == known_term and known_vote is not None and vote != known_vote):
            raise InvariantViolated(
                "term and vote never go back",
                f"replica {replica.me} saved term {term} and vote {vote} after term {known_term} and vote {known_vote}",
            )
        self._saved[replica.me] = (term, vote)
