"""Every decoder that is fuzzed, by name. One more is one more line here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from psmr.errors import ConfigurationError
from psmr.fuzzing.target import Target

SUMMARIES: dict[str, str] = {
    "clients": "the stream on a client's connection: ZeroMQ's protocol",
    "links": "the stream on a connection between replicas",
    "peers": "frames between replicas",
    "raft": "frames between replicas, as far as into the member that takes them in",
    "divergence": "digests that replicas tell each other, as far as into the verdict",
    "requests": "what clients send to a replica",
    "responses": "what a replica sends to clients",
    "batch": "one batch",
    "entry": "the payload of a log entry: batches one after another",
    "control": "the payload of a log entry of the cluster's own: members, versions",
    "admission": "records of commands, as they are admitted to execution",
    "reply": "the reply to a batch",
    "values": "what a client decodes from replies",
    "events": "frames of events, as a client receives them",
    "record": "records of the log",
    "segment": "a segment of the log, scanned",
    "log": "a folder with a segment, recovered",
    "log-tail": "what a killed replica leaves of its newest records",
    "snapshot": "a snapshot file",
    "snapshot-parts": "a snapshot as a peer's parts of it",
    "event-log": "a folder with a file of events, opened again",
    "hard-state": "the file with term and vote",
    "commit-mark": "the file with the commit mark",
    "identity": "the file that says whose folder it is",
    "config": "the cluster's file",
    "history": "a recorded history: EDN, JSON Lines",
}
"""What each is, in a few words."""

_WITHOUT_FOLDER = {
    "clients": "streams:clients",
    "links": "streams:links",
    "peers": "wire:peers",
    "raft": "wire:raft",
    "divergence": "divergence:told",
    "requests": "wire:requests",
    "responses": "wire:responses",
    "batch": "batches:batches",
    "entry": "batches:entry",
    "control": "control:control",
    "admission": "batches:admission",
    "reply": "batches:replies",
    "values": "batches:values",
    "events": "events:frames",
    "record": "files:one_record",
    "segment": "files:scan",
    "identity": "files:identity",
    "history": "histories:recorded",
}
_IN_FOLDER = {
    "log": "files:recovery",
    "log-tail": "files:log_tail",
    "snapshot": "snapshots:snapshot",
    "snapshot-parts": "snapshots:parts",
    "event-log": "events:kept",
    "hard-state": "files:hard_state",
    "commit-mark": "files:commit_mark",
    "config": "configuration:cluster_file",
}


def build(name: str, folder: Path) -> Target:
    """The target of that name; what it reads from files lies in `folder`. Raises ConfigurationError for an unknown name."""
    if name not in SUMMARIES:
        raise ConfigurationError(
            f"fuzz {name}: expected the name of a decoder, found an unknown one: give some of: {', '.join(SUMMARIES)}"
        )
    if name in _IN_FOLDER:
        own = folder / name
        own.mkdir(exist_ok=True)
        return _builder(_IN_FOLDER[name])(own)
    return _builder(_WITHOUT_FOLDER[name])()


def _builder(place: str) -> Callable[..., Target]:
    # By name: a decoder of files needs neither sockets nor the compiler that others do.
    module, function = place.split(":")
    builder: Callable[..., Target] = getattr(import_module(f"psmr.fuzzing.{module}"), function)
    return builder
