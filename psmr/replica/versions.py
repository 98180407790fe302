"""When another version of the service takes over: whether it may, and whether a source is the one that a folder needs.

    wish ─► leader: an entry of the log ─► each replica, at that entry: drain, snapshot ─► starts again ─► the new source,
                                                                                          with the state as it was

The entry's place is the same for all, so no command is executed by one version here and by another there. What executes what
follows a snapshot stands in its head: the folder goes over to another source when its newest snapshot says so, and then only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from cdep import Service
from psmr.core.service_version import ServiceVersion
from psmr.errors import ConfigurationError, Refused
from psmr.execution.engine import Engine
from psmr.execution.restoring import changed_forms
from psmr.log.port import LogStatus
from psmr.replica.delivery import Delivery
from psmr.storage import newest_snapshot
from psmr.storage.files import Files
from psmr.transport.client_protocol import AskUpgrade

_log = logging.getLogger("psmr.replica")


def version_for(wish: AskUpgrade, delivery: Delivery, log: LogStatus) -> ServiceVersion:
    """What the leader is to order for a wish. Raises Refused, with the reason, where all replicas would have to stop at it."""
    service = delivery.engine.service
    if delivery.successor is not None or log.newest_version > delivery.delivered:
        raise Refused("another version is about to take over: wait until it has")
    if wish.fingerprint == service.fingerprint:
        raise Refused(
            f"{service.name} version {service.version} ({service.fingerprint:#018x}) runs already; if only what handlers do "
            "was changed, give the class another version=, for the fingerprint does not cover that"
        )
    changes = changed_forms(_state_of(delivery.engine), wish.state)
    if changes:
        raise Refused(f"{'; '.join(changes)}: leave a field as it is and give the new one another name")
    return ServiceVersion(wish.fingerprint, service.fingerprint, wish.service, wish.version)


def _state_of(engine: Engine) -> list[tuple[str, str]]:
    containers = engine.memory.containers.items()
    return [(name, container.specification()) for name, container in containers if container.replicated]


def successor_check(folder: Path, cluster_id: int, service: Service) -> Callable[[int], None]:
    """Whether `folder`, so far of the service with the fingerprint given, goes over to `service`; else ConfigurationError."""

    def check(found: int) -> None:
        skipped: list[str] = []
        snapshot = newest_snapshot(folder, Files(), cluster_id, skipped)
        for text in skipped:
            _log.warning("%s", text)
        needed, index = found, 0
        if snapshot is not None:
            needed, index = snapshot.head.fingerprint, snapshot.head.index
            snapshot.close()
        if needed != service.fingerprint:
            since = f"from log index {index + 1} on" if index else "from its beginning"
            raise ConfigurationError(
                f"{folder}: expected the source of service {needed:#018x}, which executes the log {since}, found "
                f"{service.name} version {service.version} ({service.fingerprint:#018x}): run the source that wrote the "
                "log (another takes over where `psmr upgrade` puts it into the log, and is needed from then on), or, to begin "
                "anew, give all replicas empty folders"
            )

    return check
