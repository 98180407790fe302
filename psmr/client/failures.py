"""From what became of a ticket to the exception its owner gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from psmr.core.submission_events import FailureKind
from psmr.errors import ClusterUnavailable, InvalidCall, OutcomeUnknown, PsmrError, Refused, ServiceMismatch

_ERRORS: Final[dict[FailureKind, Callable[[str], PsmrError]]] = {
    FailureKind.UNAVAILABLE: ClusterUnavailable,
    FailureKind.REFUSED: Refused,
    FailureKind.UNKNOWN: OutcomeUnknown,
    FailureKind.INVALID: InvalidCall,
    FailureKind.MISMATCH: ServiceMismatch,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a ticket failed."""

    kind: FailureKind
    text: str

    def error(self) -> PsmrError:
        """A new exception: each owner raises its own, so that no traceback grows by another's frames."""
        return _ERRORS[self.kind](self.text)
