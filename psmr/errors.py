"""Every error the engine raises, by what its reader can do about it.

    PsmrError
    ├── CallerError            the caller's fault; the same call fails again
    │   ├── InvalidCall            an argument of the wrong type, size or range
    │   ├── CommandRaised          the handler raised; nothing was changed, alike on every replica
    │   ├── EventsGone             events from that position on are kept nowhere any more
    │   ├── ServiceMismatch        client and cluster run different services
    │   └── ConfigurationError     a file, option, service module or data folder that cannot be used as it is
    ├── Refused                nothing was executed; the same call may be made again
    ├── OutcomeUnknown         the call may or may not have been executed, now or later
    ├── ClusterUnavailable     no replica took the call (or answered one that only reads) within its time
    └── Violation              something that cannot happen has happened: the replica stops rather than answer wrongly
        ├── LogDamaged             bytes below what was committed do not match their checksum
        ├── DiskFailed             the disk refused a write or a sync (full, read-only, broken)
        └── ReplicasDiverged       replicas did different things with one command: one of them, or all, must stop

A wrong annotation is a `cdep.DeclarationError`, raised when the class is defined.
"""


class PsmrError(Exception):
    """Root of all errors of the engine."""


class CallerError(PsmrError):
    """The caller's fault; the same call fails again."""


class InvalidCall(CallerError):
    """An argument of the wrong type, size or range; nothing was sent."""


class CommandRaised(CallerError):
    """The handler raised; its changes were undone, alike on every replica. `args[0]` is `Type: message`."""


class EventsGone(CallerError):
    """No replica keeps the events from the position asked for on; `earliest` is the first one that some replica keeps."""

    def __init__(self, text: str, earliest: int = 0) -> None:
        super().__init__(text)
        self.earliest = earliest


class ServiceMismatch(CallerError):
    """The client's service is not the cluster's: their specifications have different fingerprints."""


class ConfigurationError(CallerError):
    """A file, option, service module or data folder that cannot be used as it is."""


class Refused(PsmrError):
    """Nothing was executed; the same call may be made again."""


class OutcomeUnknown(PsmrError):
    """The call may or may not have been executed, now or later."""


class ClusterUnavailable(PsmrError):
    """No replica took the call within its time, or answered it where it only reads."""


class Violation(PsmrError):
    """An invariant does not hold: the replica stops rather than answer wrongly."""


class LogDamaged(Violation):
    """Bytes below what was committed do not match their checksum."""


class DiskFailed(Violation):
    """The disk refused a write or a sync."""


class ReplicasDiverged(Violation):
    """Replicas did different things with one command."""
