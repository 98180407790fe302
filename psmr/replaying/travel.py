"""What is replayed: a folder, the service that executes it, by how many workers; of two of these, from where on they compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cdep import Service, StateMachine, service_of
from psmr.errors import ConfigurationError
from psmr.replaying.folder import ReplicaFolder
from psmr.replaying.lockstep import Difference, Lockstep
from psmr.replaying.player import Player, executes_behind
from psmr.replaying.translating import Translation
from psmr.services import app_names, find_application, find_service, variants_of

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Side:
    """A folder and how it is replayed; `written_by`, where another version of the service has written its log."""

    folder: ReplicaFolder
    owner: type[StateMachine]
    workers: int = 1
    compiled: bool = True
    written_by: Service | None = None

    def player(self, index: int) -> Player:
        """A player that can go to that log index; fork it before anything starts a thread."""
        service = service_of(self.owner)
        translation = None if self.written_by is None else Translation(self.written_by, service)
        return Player(
            self.folder,
            self.owner,
            self.workers,
            origin_at=index,
            compiled=self.compiled,
            translation=translation,
        )

    @property
    def first(self) -> int:
        """The lowest index that this service can begin at."""
        fingerprint = (self.written_by or service_of(self.owner)).fingerprint
        for origin in self.folder.origins:
            if executes_behind(self.folder, origin) in (None, fingerprint):
                return origin.index
        return self.folder.first

    def as_executed_by(self, owner: type[StateMachine], workers: int, *, compiled: bool) -> Side:
        """The same folder replayed by another version of the service, or otherwise."""
        source, target = self.written_by or service_of(self.owner), service_of(owner)
        written_by = None if source.fingerprint == target.fingerprint else source
        return Side(ReplicaFolder.open(self.folder.path), owner, workers, compiled, written_by)


def side_of(path: Path, service: str | None, workers: int, *, compiled: bool) -> Side:
    """A folder with the service named, or that of the applications which wrote it. Raises ConfigurationError, LogDamaged."""
    folder = ReplicaFolder.open(path)
    owner = find_service(service) if service is not None else _application_of(folder)
    return Side(folder, owner, workers, compiled)


def other_folder(side: Side, path: Path) -> Side:
    """Another folder, replayed alike."""
    return Side(ReplicaFolder.open(path), side.owner, side.workers, side.compiled, side.written_by)


def _application_of(folder: ReplicaFolder) -> type[StateMachine]:
    """The application's service that has the folder's fingerprint."""
    identity = folder.identity
    for owner in _of_applications(identity.service):
        if f"{service_of(owner).fingerprint:#018x}" == identity.fingerprint:
            return owner
    raise ConfigurationError(
        f"{folder.path}: expected the service that wrote it, {identity.service} ({identity.fingerprint}), found it not among "
        "the applications: name it with --service module:class"
    )


def _of_applications(name: str) -> Iterator[type[StateMachine]]:
    """The services of that name, and then all others'."""
    found = [
        application.service
        for app in app_names()
        for application in (find_application(app), *variants_of(app).values())
    ]
    yield from sorted(found, key=lambda owner: owner.__name__ != name)


@dataclass(frozen=True, slots=True)
class Compared:
    """Both were played from `first` to `last`, or up to the difference."""

    first: int
    last: int
    difference: Difference | None


def compare(one: Side, other: Side, first: int | None, last: int | None, progress: Progress) -> Compared:
    """Play both in step, from the lowest position that both have (or before entry `first`) to the end of the shorter log.

    Raises ConfigurationError for positions that one of them does not have, LogDamaged.
    """
    start = max(one.first, other.first) if first is None else first - 1
    end = min(one.folder.last, other.folder.last) if last is None else last
    for side in (one, other):
        side.folder.origin_for(end)
    if start > end:
        raise ConfigurationError(
            f"{one.folder.path} and {other.folder.path}: expected positions that both have, found {one.first} to "
            f"{one.folder.last} and {other.first} to {other.folder.last}: compare folders of one time"
        )
    with ExitStack() as stack:
        players = [stack.enter_context(side.player(start)) for side in (one, other)]
        for player in players:
            player.go_to(start, progress)
        return Compared(start, end, Lockstep(*players).run(end, progress))
